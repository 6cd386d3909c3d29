"""The vLLM backend: soft tokens as prompt_embeds parts, checked before they leave."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from assistant.llm.chat_model import ChatRequest, Message, PromptStyle, SoftTokensPart, TextPart
from assistant.llm.soft_tokens import AdapterSet, llm_fingerprint
from assistant.llm.vllm import VLLMModel, encode_prompt_embeds
from encoders.adapters import AdapterConfig, MLPAdapter
from encoders.errors import ContractError
from encoders.prediction import Embeddings


def soft(array: np.ndarray) -> SoftTokensPart:
    return SoftTokensPart(array, "imaging")


def test_encoded_soft_tokens_decode_to_the_same_tensor() -> None:
    array = np.arange(8, dtype=np.float32).reshape(2, 4)
    decoded = torch.load(io.BytesIO(base64.b64decode(encode_prompt_embeds(soft(array), 4))), weights_only=True)
    assert decoded.dtype == torch.float32 and torch.equal(decoded, torch.from_numpy(array))


@pytest.mark.parametrize(
    "array",
    [np.zeros((2, 5), np.float32), np.zeros((0, 4), np.float32), np.zeros(4, np.float32), np.zeros((2, 4), np.float64)],
    ids=["width", "empty", "one axis", "dtype"],
)
def test_a_tensor_that_could_crash_the_engine_never_leaves(array: np.ndarray) -> None:
    with pytest.raises(ContractError, match="vLLM needs float32"):
        encode_prompt_embeds(soft(array), 4)


def test_a_value_that_is_not_finite_never_leaves() -> None:
    with pytest.raises(ContractError, match="not finite"):
        encode_prompt_embeds(soft(np.full((1, 4), np.nan, np.float32)), 4)


def served_with_adapters(llm_server, folder: Path, style: str) -> VLLMModel:
    AdapterSet({"imaging": MLPAdapter(AdapterConfig(8, 32, n_tokens=2, inner_width=16))}, "enc", 32).save_weights(
        folder
    )
    entry = {"kind": "mlp", "embedding_width": 8, "hidden_size": 32, "n_tokens": 2, "inner_width": 16}
    card = {"style": style, "encoder_hash": "enc", "llm_hash": llm_fingerprint(folder), "hidden_size": 32,
            "adapters": {"imaging": entry}}  # fmt: skip
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
    llm_server.models = [{"id": "radomica-lm", "object": "model", "root": str(folder)}]
    return VLLMModel(f"{llm_server.url}#radomica-lm")


def test_the_served_models_own_card_gives_style_and_adapters(llm_server, tiny_folder) -> None:
    model = served_with_adapters(llm_server, tiny_folder(), "compact")
    assert (model.style, model.takes_soft_tokens) == (PromptStyle.COMPACT, True)
    rows = np.ones((1, 8), np.float32)
    (part,) = model.soft_tokens(Embeddings({"imaging": rows}, rows[0], "enc"))
    model.generate(ChatRequest((Message("user", (TextPart("tokens:"), part, TextPart("M1"))),)))
    content = llm_server.requests[0]["messages"][0]["content"]
    assert [c["type"] for c in content] == ["text", "prompt_embeds", "text"]
    sent = torch.load(io.BytesIO(base64.b64decode(content[1]["data"])), weights_only=True)
    assert torch.equal(sent, torch.from_numpy(part.vectors))


def test_without_adapters_the_text_carries_everything(llm_server) -> None:
    model = VLLMModel(llm_server.url)
    rows = np.ones((1, 8), np.float32)
    assert model.soft_tokens(Embeddings({"imaging": rows}, rows[0], "enc")) == ()
    assert (model.style, model.takes_soft_tokens) == (PromptStyle.INSTRUCT, False)
    with pytest.raises(ContractError, match="no adapters"):
        model.generate(ChatRequest((Message("user", (TextPart("x"), soft(np.zeros((1, 4), np.float32)))),)))
