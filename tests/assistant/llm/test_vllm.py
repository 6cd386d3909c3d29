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
from assistant.llm.resolve import load_llm
from assistant.llm.soft_tokens import AdapterSet, llm_fingerprint
from assistant.llm.vllm import VLLMModel, encode_prompt_embeds
from encoders.adapters import AdapterConfig, MLPAdapter
from encoders.errors import ContractError, SettingsError
from encoders.models import load_models
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


def test_adapters_of_another_encoder_are_refused_when_the_backend_starts(llm_server, tiny_folder) -> None:
    served_with_adapters(llm_server, tiny_folder(), "instruct")
    in_use = load_models().sha256[:12]
    with pytest.raises(ContractError, match=f"encoder with hash {in_use}, the adapters were trained with enc"):
        load_llm(f"vllm:{llm_server.url}#radomica-lm")
    assert llm_server.requests == []


def test_without_adapters_the_text_carries_everything(llm_server) -> None:
    model = VLLMModel(llm_server.url)
    rows = np.ones((1, 8), np.float32)
    assert model.soft_tokens(Embeddings({"imaging": rows}, rows[0], "enc")) == ()
    assert (model.style, model.takes_soft_tokens) == (PromptStyle.INSTRUCT, False)
    with pytest.raises(ContractError, match="no adapters"):
        model.generate(ChatRequest((Message("user", (TextPart("x"), soft(np.zeros((1, 4), np.float32)))),)))


def compact(llm_server, folder: Path) -> tuple[VLLMModel, SoftTokensPart]:
    model = served_with_adapters(llm_server, folder, "compact")
    return model, soft(np.zeros((1, 32), np.float32))


def test_a_server_without_the_flag_is_named_with_the_command(llm_server, tiny_folder) -> None:
    model, part = compact(llm_server, tiny_folder())
    llm_server.fail_with = [400]
    llm_server.error = "You must set `--enable-prompt-embeds` to input `prompt_embeds`"  # vLLM 0.32.0's words
    with pytest.raises(SettingsError, match=r"without --enable-prompt-embeds.*radomica llm serve.*--llm openai:"):
        model.generate(ChatRequest((Message("user", (TextPart("x"), part)),)))


def test_a_compact_decoder_is_sent_the_grammar_of_its_brackets(llm_server, tiny_folder) -> None:
    model, _ = compact(llm_server, tiny_folder())
    model.generate(ChatRequest((Message("user", (TextPart("section: molecular\nM1 variant gene"),)),), ("M1",)))
    sent = llm_server.requests[0]
    assert '"{" ("M1.gene") "}"' in sent["structured_outputs"]["grammar"] and "response_format" not in sent


def test_a_server_that_refuses_the_grammar_is_asked_without_it_and_that_is_said(llm_server, tiny_folder) -> None:
    model, _ = compact(llm_server, tiny_folder())
    llm_server.fail_with, llm_server.error = [400], "grammar is not supported"
    model.generate(ChatRequest((Message("user", (TextPart("M1 variant gene"),)),), ("M1",)))
    assert ["structured_outputs" in r for r in llm_server.requests] == [True, False]
    assert "refused" in model.versions()["grammar"]


def test_soft_tokens_keep_their_place_where_the_template_takes_no_system_message(llm_server, tiny_folder) -> None:
    model = served_with_adapters(llm_server, tiny_folder(), "instruct")
    llm_server.refuse_system = "System role not supported"
    part, system = soft(np.zeros((1, 32), np.float32)), Message("system", (TextPart("Rules."),))
    model.generate(ChatRequest((system, Message("user", (part, TextPart("M1"))))))
    (message,) = llm_server.requests[-1]["messages"]
    assert [c.get("text", c["type"]) for c in message["content"]] == ["Rules.\n", "prompt_embeds", "M1"]
    assert "system_role" in model.versions()


def test_a_budget_is_sent_only_where_prompt_and_answer_surely_fit(llm_server) -> None:
    llm_server.models = [{"id": "toy", "object": "model", "max_model_len": 512}]
    model = VLLMModel(llm_server.url)
    for text, tokens in (("x" * 100, 300), ("x" * 100, 400)):
        model.generate(ChatRequest((Message("user", (TextPart(text),)),), (), None, tokens))
    assert [r.get("max_tokens") for r in llm_server.requests] == [300, None]


def test_adapters_of_another_width_than_the_served_model_are_refused(llm_server, tiny_folder) -> None:
    folder = tiny_folder()
    served_with_adapters(llm_server, folder, "instruct")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "hidden_size": 64}))
    with pytest.raises(ContractError, match=r"width 32.*reads 64"):
        VLLMModel(f"{llm_server.url}#radomica-lm")


def test_many_requests_are_open_at_once_and_answered_in_order(llm_server) -> None:
    llm_server.sleep_s = 0.3
    model = VLLMModel(llm_server.url)
    requests = [ChatRequest((Message("user", (TextPart(str(i)),)),)) for i in range(12)]
    assert model.generate_many(requests) == [llm_server.answer] * 12
    assert llm_server.most_open > 1
    assert model.tokens.requests == 12 and model.tokens.uncounted == 12  # this server sends no counts
