"""Models run in this process: soft tokens in place, batches equal single calls, wrong adapters refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from assistant.context_budget import context_tokens, keep_by_rank, room_for_evidence
from assistant.evidence import Ledger
from assistant.llm.chat_model import ChatRequest, Message, PromptStyle, SoftTokensPart, TextPart
from assistant.llm.huggingface import SOFT_MARK, HuggingFaceModel
from assistant.llm.locations import adapter_folder
from assistant.llm.resolve import load_llm
from assistant.llm.soft_tokens import AdapterSet, llm_fingerprint
from assistant.prompt import ledger_line
from encoders.adapters import AdapterConfig, MLPAdapter
from encoders.errors import ContractError, SettingsError, UnavailableError
from encoders.models import load_models
from encoders.prediction import Embeddings

Make = Callable[..., Path]


def ask(*parts: str | SoftTokensPart, ids: tuple[str, ...] = (), tokens: int = 12) -> ChatRequest:
    made = tuple(TextPart(p) if isinstance(p, str) else p for p in parts)
    return ChatRequest((Message("user", made),), ids, max_tokens=tokens)


def soft(n: int = 3, width: int = 32, seed: int = 0) -> SoftTokensPart:
    return SoftTokensPart(np.random.default_rng(seed).normal(size=(n, width)).astype(np.float32), "imaging")


def with_adapter(
    folder: Path, llm_folder: Path, *, llm_hash: str | None = None, hidden: int = 32, encoder_hash: str = "enc"
) -> MLPAdapter:
    torch.manual_seed(1)
    adapter = MLPAdapter(AdapterConfig(8, hidden, n_tokens=2, inner_width=16))
    folder.mkdir(parents=True, exist_ok=True)
    AdapterSet({"imaging": adapter}, "enc", hidden).save_weights(folder)
    entry = {"kind": "mlp", "embedding_width": 8, "hidden_size": hidden, "n_tokens": 2, "inner_width": 16}
    card = {"encoder_hash": encoder_hash, "llm_hash": llm_hash or llm_fingerprint(llm_folder), "hidden_size": hidden,
            "adapters": {"imaging": entry}}  # fmt: skip
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
    return adapter


@pytest.mark.parametrize("kind", ["llama", "qwen3"])
def test_text_alone_gives_what_transformers_generate_gives(kind: str, tiny_folder: Make) -> None:
    model = HuggingFaceModel(tiny_folder(kind), spec="hf:x", device="cpu")
    request = ask("M1 variant gene", "second line")
    ids = model.tokenizer(model.render(request), add_special_tokens=False, return_tensors="pt").input_ids
    expected = model.model.generate(ids, max_new_tokens=12, do_sample=False)[0, ids.shape[1] :]
    assert model.generate(request) == model.tokenizer.decode(expected, skip_special_tokens=True).strip()


def test_soft_tokens_stand_between_text_parts_joined_by_one_newline(tiny_folder: Make) -> None:
    model = HuggingFaceModel(tiny_folder(), spec="hf:x", device="cpu")
    part = soft()
    assert f"tokens:\n{SOFT_MARK}\nM1" in model.render(ask("tokens:", part, "M1 variant"))
    embedded = model.embed(ask("tokens:", part, "M1 variant"))
    before = model.tokenizer("<|user|>\ntokens:\n", add_special_tokens=False).input_ids
    np.testing.assert_allclose(embedded[len(before) : len(before) + 3].detach().numpy(), part.vectors, rtol=1e-6)


def test_soft_tokens_change_the_answer(tiny_folder: Make) -> None:
    model = HuggingFaceModel(tiny_folder(), spec="hf:x", device="cpu")
    assert len({model.generate(ask("tokens:", soft(seed=s), "M1 variant gene")) for s in range(6)}) > 1


def test_a_padded_batch_answers_as_single_requests_do(tiny_folder: Make) -> None:
    model = HuggingFaceModel(tiny_folder(), spec="hf:x", device="cpu")
    requests = [
        ask("M1"),
        ask("a much longer message about {M1.gene} and [G12]", soft(), "M1 variant gene"),
        ask("G12"),
    ]
    assert model.generate_many(requests) == [model.generate(r) for r in requests]
    assert model.generate_many([]) == []


def test_streamed_pieces_join_to_the_generated_answer(tiny_folder: Make) -> None:
    model = HuggingFaceModel(tiny_folder(), spec="hf:x", device="cpu")
    assert "".join(model.stream(ask("M1 variant gene"))) == model.generate(ask("M1 variant gene"))


def test_soft_tokens_of_another_width_are_refused(tiny_folder: Make) -> None:
    model = HuggingFaceModel(tiny_folder(), spec="hf:x", device="cpu")
    with pytest.raises(ContractError, match=r"reads \(n, 32\)"):
        model.generate(ask("x", soft(width=16)))


def test_a_prompt_longer_than_the_model_reads_is_refused(tiny_folder: Make) -> None:
    model = HuggingFaceModel(tiny_folder(), spec="hf:x", device="cpu")
    with pytest.raises(ContractError, match="reads 512"):
        model.generate(ask("M1 variant gene " * 400))


def test_the_context_is_the_configs_and_cuts_the_ledger_by_rank(tiny_folder: Make, toy_ledger: Ledger) -> None:
    model = HuggingFaceModel(tiny_folder(), spec="hf:x", device="cpu")
    assert (model.context_tokens, context_tokens(model)) == (512, 512)
    model.model.config.max_position_embeddings = 2000
    evidence = tuple(toy_ledger)
    kept, left_out = keep_by_rank(evidence, ledger_line, room_for_evidence(model))
    assert max(evidence, key=lambda e: e.rank) in kept and left_out
    assert left_out[-1].rank == min(e.rank for e in evidence)
    model.model.config.max_position_embeddings = 100_000
    assert keep_by_rank(evidence, ledger_line, room_for_evidence(model)) == (evidence, ())


def test_a_template_without_a_system_role_is_said_in_the_versions(tiny_folder: Make) -> None:
    folder = tiny_folder()
    takes = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
    next(folder.glob("chat_template*")).write_text(takes)
    assert "system_role" not in HuggingFaceModel(folder, spec="hf:x", device="cpu").versions()
    refuses = "{{ raise_exception('System role not supported') if messages[0]['role'] == 'system' }}"
    next(folder.glob("chat_template*")).write_text(refuses + takes)
    model = HuggingFaceModel(folder, spec="hf:x", device="cpu")
    assert model.versions()["system_role"] == "not taken by the chat template; its text opens the user message"
    asked = ChatRequest((Message("system", (TextPart("Rules."),)), Message("user", (TextPart("Q"),))))
    assert model.render(asked) == "Rules.\n\nQ"


def test_a_compact_card_sets_the_style_and_keeps_brackets_inside_the_ledger(tiny_folder: Make) -> None:
    model = HuggingFaceModel(tiny_folder(card={"style": "compact"}), spec="hf:x", device="cpu")
    assert model.style is PromptStyle.COMPACT
    assert HuggingFaceModel(tiny_folder(), spec="hf:x", device="cpu").style is PromptStyle.INSTRUCT
    assert model.soft_tokens(None) == ()


def test_adapters_under_the_users_home_are_found_and_used(tiny_folder: Make) -> None:
    folder = tiny_folder()
    in_use = load_models().sha256
    adapter = with_adapter(adapter_folder(str(folder)), folder, encoder_hash=in_use)
    model = load_llm(f"hf:{folder}")
    rows = np.ones((2, 8), np.float32)
    parts = model.soft_tokens(Embeddings({"imaging": rows, "clinical": rows[:1]}, rows[0], in_use))
    with torch.no_grad():
        expected = adapter.half().float().eval()(torch.from_numpy(rows)[None])[0]
    assert model.takes_soft_tokens and [p.modality for p in parts] == ["imaging"]
    np.testing.assert_allclose(parts[0].vectors, expected.numpy(), atol=1e-5)


def test_embeddings_of_another_encoder_are_refused_naming_both(tiny_folder: Make) -> None:
    folder = tiny_folder()
    with_adapter(folder, folder)
    model = HuggingFaceModel(folder, spec="hf:x", device="cpu")
    rows = np.ones((1, 8), np.float32)
    with pytest.raises(ContractError, match=r"hash other.*trained with enc"):
        model.soft_tokens(Embeddings({"imaging": rows}, rows[0], "other"))


def test_adapters_of_another_encoder_are_refused_when_the_backend_starts(tiny_folder: Make) -> None:
    folder = tiny_folder()
    with_adapter(folder, folder, encoder_hash="0123456789abcdef")
    in_use = load_models().sha256[:12]
    with pytest.raises(ContractError, match=rf"encoder with hash {in_use}, .* trained with 0123456789ab\. Run"):
        load_llm(f"hf:{folder}")


def test_the_shipped_decoder_was_trained_with_the_shipped_encoders(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_llm("embedded").adapters.encoder_hash == load_models().sha256
    monkeypatch.setattr("encoders.models.load_models", lambda: SimpleNamespace(sha256="f" * 64))
    with pytest.raises(ContractError, match="encoder with hash ffffffffffff, the adapters were trained with"):
        load_llm("embedded")


def test_adapters_of_another_llm_are_refused_naming_both(tiny_folder: Make) -> None:
    folder = tiny_folder()
    with_adapter(folder, folder, llm_hash="0123456789abcdef")
    with pytest.raises(ContractError, match="trained for the LLM with hash 0123456789ab"):
        HuggingFaceModel(folder, spec="hf:x", device="cpu")


def test_adapters_of_another_width_are_refused(tiny_folder: Make) -> None:
    folder = tiny_folder()
    with_adapter(folder, folder, hidden=16)
    with pytest.raises(ContractError, match=r"width 16.*reads 32"):
        HuggingFaceModel(folder, spec="hf:x", device="cpu")


def test_a_folder_without_a_model_and_an_unknown_id_are_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"has no config\.json"):
        load_llm(f"hf:{tmp_path}")
    with pytest.raises(UnavailableError, match="nobody/no-such-model is not on this machine"):
        load_llm("hf:nobody/no-such-model")


@pytest.mark.parametrize("spec", ["", "embeded", "hf:", "gpt:4", "embedded:x", "vllm:"])
def test_an_unknown_spec_lists_the_forms(spec: str) -> None:
    with pytest.raises(SettingsError, match="allowed: embedded, hf:"):
        load_llm(spec)
