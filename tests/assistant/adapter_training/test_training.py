"""Training: the loss falls and soft tokens reach the answer for every class, killed runs go on, hashes tie a folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from assistant.adapter_training.batches import encode_pair, read_pairs_batch
from assistant.adapter_training.language_model import load_frozen
from assistant.adapter_training.pairs import read_pairs
from assistant.adapter_training.save import merge_trained
from assistant.adapter_training.settings import AdapterSettings
from assistant.adapter_training.train import train_adapters
from assistant.adapter_training.trainer import CHECKPOINT_FILE, AdapterTrainer
from assistant.llm.chat_model import ChatRequest, Message, SoftTokensPart, TextPart
from assistant.llm.chat_template import end_of_turn, fold_turns, render_chat
from assistant.llm.huggingface import HuggingFaceModel
from assistant.llm.lora import check_served_lora
from assistant.llm.resolve import load_llm
from assistant.llm.soft_tokens import ADAPTERS_FILE, CARD_FILE, LORA_FILE, AdapterSet, file_sha256
from encoders.errors import ContractError, SettingsError, UnavailableError
from encoders.prediction import Embeddings

KINDS = ("llama", "qwen3", "gemma3", "gemma3-multimodal", "mistral")
MULTIMODAL = "Gemma3ForConditionalGeneration"
FAST: dict[str, Any] = {
    "steps": 4, "batch": 3, "accumulate": 1, "tokens": 2, "inner_width": 16, "held_out_pairs": 4, "lora_rank": 4,
    "dropout": 0.0, "lora_dropout": 0.0, "noise": 0.0, "learning_rate": 1e-2, "lora_learning_rate": 1e-2,
    "checkpoint_every": 2, "log_every": 1, "slot_weight": 1.0,
}  # fmt: skip
Make = Callable[..., Path]


def settings(**changes: Any) -> AdapterSettings:
    return AdapterSettings(**{**FAST, **changes})


def request_of(pair: Any, soft: dict[str, SoftTokensPart]) -> ChatRequest:
    messages = [
        Message(role, tuple(TextPart(v) if kind == "text" else soft[v] for kind, v in parts))
        for role, parts in pair.messages
    ]
    return ChatRequest(tuple(messages), max_tokens=8)


def embeddings_of(pairs: Any, pair: Any) -> Embeddings:
    return Embeddings({m: pairs.rows[k] for m, k in pair.embeddings.items()}, np.zeros(16, np.float32), "enc")


@pytest.fixture(scope="module")
def trained(sample: Any, tiny_llm: Make, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """trained("gemma3") -> the folder of a short run of both stages; the losses stand in ``losses.json``."""
    made: dict[str, Path] = {}

    def make(kind: str) -> Path:
        if kind not in made:
            out = made[kind] = tmp_path_factory.mktemp(f"adapters-{kind}")
            said: list[str] = []
            train_adapters(str(tiny_llm(kind)), sample.folder, out, seed=1, settings=settings(), progress=said.append)
            (out / "losses.json").write_text(json.dumps([s for s in said if "loss" in s]), encoding="utf-8")
        return made[kind]

    return make


# ---- chat templates ----


def test_a_refused_or_dropped_system_text_opens_the_first_user_turn(tiny_llm: Make) -> None:
    gemma, qwen = (load_frozen(str(tiny_llm(k)), "cpu").tokenizer for k in ("gemma3", "qwen3"))
    turns = [("system", "Rules."), ("user", "Question?")]
    assert render_chat(gemma, turns) == "<|user|>\nRules.\n\nQuestion?<|end|>\n<|assistant|>\n"
    assert render_chat(qwen, turns).startswith("<|system|>\nRules.<|end|>\n<|user|>\nQuestion?<|end|>")
    qwen.chat_template = "{% for m in messages if m['role'] != 'system' %}{{ m['content'] }}{% endfor %}"
    assert render_chat(qwen, turns) == "Rules.\n\nQuestion?"
    assert fold_turns([("system", "a"), ("assistant", "b")]) == [("user", "a"), ("assistant", "b")]
    with pytest.raises(SettingsError, match="refuses messages of the roles user, user: roles must alternate"):
        render_chat(gemma, [("user", "a"), ("user", "b")])


def test_an_answer_ends_with_the_templates_own_token(tiny_llm: Make) -> None:
    llm = load_frozen(str(tiny_llm("gemma3")), "cpu")
    assert llm.tokenizer.convert_ids_to_tokens(end_of_turn(llm.tokenizer)) == "<|end|>"
    with pytest.raises(SettingsError, match=r"'<\|end\|>' \(id \d+\), generation stops at \[0\]"):
        load_frozen(str(tiny_llm("gemma3", stops=False)), "cpu")


# ---- every class ----


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_of_both_stages_falls(kind: str, sample: Any, tiny_llm: Make, tmp_path: Path) -> None:
    pairs = read_pairs(sample.folder)
    trainer = AdapterTrainer(load_frozen(str(tiny_llm(kind)), "cpu"), pairs, settings(), 1, checkpoint=tmp_path / "c")
    assert (type(trainer.llm.model).__name__ == MULTIMODAL) == (kind == "gemma3-multimodal")
    for stage in ("align", "instruct"):
        batch = sorted(trainer.training[stage], key=lambda e: (not e.pair.told, len(e.ids)))[:3]
        trainer._micro_batch = lambda *_, batch=batch: batch  # type: ignore[method-assign]
        frozen = {n: p.clone() for n, p in trainer.llm.model.named_parameters() if not p.requires_grad}
        optimiser = trainer._optimiser(stage)
        losses = [trainer._step(stage, optimiser, i // 3) for i in range(6)]
        assert losses[-1] < losses[0] - 0.02, (stage, losses)
        now = dict(trainer.llm.model.named_parameters())
        assert all(torch.equal(v, now.get(n, now.get(_lora_name(n)))) for n, v in frozen.items())
    lora = [n for n, p in trainer.model.named_parameters() if p.requires_grad]
    assert lora and not any("vision" in n for n in lora)


def _lora_name(name: str) -> str:
    """Where peft keeps a layer's own weight."""
    return name.replace("_proj.weight", "_proj.base_layer.weight")


@pytest.mark.parametrize("kind", KINDS)
def test_the_trained_folder_answers_through_hf_and_follows_its_soft_tokens(
    kind: str, sample: Any, tiny_llm: Make, trained: Callable[[str], Path]
) -> None:
    out = trained(kind)
    model = load_llm(f"hf:{out}")  # the card names the LLM
    assert isinstance(model, HuggingFaceModel) and model.takes_soft_tokens
    assert model.versions()["lora_hash"] == file_sha256(out / LORA_FILE)
    pairs = read_pairs(sample.folder)
    pair = next(p for p in pairs.pairs if p.stage == "instruct" and p.embeddings)
    other = next(p for p in pairs.pairs if p.embeddings.keys() >= pair.embeddings.keys()
                 and not set(p.embeddings.values()) & set(pair.embeddings.values()))  # fmt: skip
    logits = []
    for source in (pair, other):
        soft = {p.modality: p for p in model.soft_tokens(embeddings_of(pairs, source))}
        request = request_of(pair, soft)
        assert isinstance(model.generate(request), str)
        with torch.inference_mode():
            logits.append(model.model(inputs_embeds=model.embed(request)[None]).logits[0, -1])
    assert float((logits[0] - logits[1]).abs().max()) > 1e-4


@pytest.mark.parametrize("kind", ["qwen3", "gemma3-multimodal"])
def test_training_sees_exactly_what_the_backend_asks(
    kind: str, sample: Any, tiny_llm: Make, trained: Callable[[str], Path]
) -> None:
    """The batch's logits at the first answer token are the backend's next-token logits, soft tokens in place."""
    out = trained(kind)
    backend = load_llm(f"hf:{out}")
    assert isinstance(backend, HuggingFaceModel)
    llm = load_frozen(str(tiny_llm(kind)), "cpu")
    adapters = AdapterSet.load(out, llm_hash=llm.hash)
    assert adapters is not None
    pairs = read_pairs(sample.folder)
    chosen = [p for p in pairs.pairs if p.stage == "instruct" and p.embeddings][:2]
    encoded = [encode_pair(p, llm, 2) for p in chosen]
    with torch.inference_mode():
        read = read_pairs_batch(llm, backend.model, torch.nn.ModuleDict(adapters.adapters), encoded, pairs.rows)
        first = 0
        for pair, item in zip(chosen, encoded, strict=True):
            soft = {p.modality: p for p in backend.soft_tokens(embeddings_of(pairs, pair))}
            expected = backend.model(inputs_embeds=backend.embed(request_of(pair, soft))[None]).logits[0, -1]
            torch.testing.assert_close(read.logits[first], expected, atol=2e-4, rtol=1e-3)
            first += len(item.ids) - item.prompt
    assert first == len(read.labels)


def test_told_words_are_marked_and_the_answer_ends(sample: Any, tiny_llm: Make) -> None:
    llm = load_frozen(str(tiny_llm("llama")), "cpu")
    for pair in read_pairs(sample.folder).pairs:
        item = encode_pair(pair, llm, 2)
        marked = llm.tokenizer.decode([item.ids[i] for i in item.told]).lower()
        assert all(word.lower() in marked for word in pair.told) and bool(pair.told) == bool(item.told)
        assert llm.tokenizer.decode(item.ids[item.prompt :]) == f"{pair.answer}<|end|>"
        assert len(item.places) == len(pair.embeddings)


# ---- adapters ----


@pytest.mark.parametrize("adapter", ["mlp", "perceiver"])
def test_new_soft_tokens_are_as_large_as_the_llms_embeddings(
    adapter: str, sample: Any, tiny_llm: Make, tmp_path: Path
) -> None:
    llm = load_frozen(str(tiny_llm("gemma3")), "cpu")  # Gemma scales its embeddings by the root of their width
    trainer = AdapterTrainer(
        llm, read_pairs(sample.folder), settings(adapter=adapter), 1, checkpoint=tmp_path / "checkpoint.pt"
    )
    rows = np.concatenate(trainer._rows_of("imaging"))
    with torch.no_grad():
        size = trainer.adapters["imaging"].eval()(torch.from_numpy(rows)[:, None]).pow(2).mean().sqrt()
        words = llm.model.get_input_embeddings()(torch.arange(len(llm.tokenizer))).pow(2).mean().sqrt()
    assert float(size) == pytest.approx(float(words), rel=0.15)


def test_the_align_loss_pulls_each_token_to_the_llms_own_word(sample: Any, tiny_llm: Make, tmp_path: Path) -> None:
    trainer = AdapterTrainer(
        load_frozen(str(tiny_llm("gemma3")), "cpu"), read_pairs(sample.folder), settings(), 1, checkpoint=tmp_path / "c"
    )
    embed = trainer.llm.model.get_input_embeddings()

    def word(text: str) -> torch.Tensor:
        return embed(torch.tensor(trainer.llm.tokenizer(text, add_special_tokens=False).input_ids)).mean(0)

    wanted, known = trainer.targets("imaging", [{"margin": "smooth"}], embed.weight)
    torch.testing.assert_close(wanted[0, 0], word(" margin") + word(" smooth"))
    assert known.tolist() == [[1, 0, 0, 0]]


# ---- a killed run ----


class KilledError(Exception):
    """Raised by a progress callback in the middle of a run."""


@pytest.mark.parametrize("at", ["align step 3", "instruct step 3"])
def test_a_killed_run_goes_on_to_the_same_weights(at: str, sample: Any, tiny_llm: Make, tmp_path: Path) -> None:
    llm = str(tiny_llm("llama"))
    changed = settings(dropout=0.1, lora_dropout=0.1, noise=0.1, accumulate=2, batch=2)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    train_adapters(llm, sample.folder, whole, seed=3, settings=changed)

    def kill(text: str) -> None:
        if text.startswith(at):
            raise KilledError

    with pytest.raises(KilledError):
        train_adapters(llm, sample.folder, cut, seed=3, settings=changed, progress=kill)
    assert (cut / CHECKPOINT_FILE).is_file() and not (cut / CARD_FILE).is_file()
    with pytest.raises(SettingsError, match=r"unfinished run in cut had seed 3 \(now 4\).*Go on with the same"):
        train_adapters(llm, sample.folder, cut, seed=4, settings=changed)
    said: list[str] = []
    train_adapters(llm, sample.folder, cut, seed=3, settings=changed, progress=said.append)
    assert any(s.startswith("going on from") for s in said)
    for name in (ADAPTERS_FILE, LORA_FILE):
        first, second = load_file(whole / name), load_file(cut / name)
        assert first.keys() == second.keys() and all(torch.equal(v, second[k]) for k, v in first.items())
    assert not (cut / CHECKPOINT_FILE).exists()
    assert (
        json.loads((whole / CARD_FILE).read_text())["metrics"] == json.loads((cut / CARD_FILE).read_text())["metrics"]
    )


def test_stages_run_one_after_the_other_are_tied(sample: Any, tiny_llm: Make, tmp_path: Path) -> None:
    llm, out = str(tiny_llm("llama")), tmp_path / "out"
    with pytest.raises(UnavailableError, match="holds no trained adapters"):
        train_adapters(llm, sample.folder, out, settings=settings(stage="instruct", steps=1))
    card = train_adapters(llm, sample.folder, out, settings=settings(stage="align", steps=1))
    assert card["lora"] is None and not (out / LORA_FILE).exists() and list(card["metrics"]) == ["align"]
    with pytest.raises(SettingsError, match="ask for the same --adapter and --tokens"):
        train_adapters(llm, sample.folder, out, settings=settings(stage="instruct", steps=1, tokens=3))
    with pytest.raises(ContractError, match="trained for the LLM with hash"):
        train_adapters(str(tiny_llm("qwen3")), sample.folder, out, settings=settings(stage="instruct", steps=1))
    card = train_adapters(llm, sample.folder, out, settings=settings(stage="instruct", steps=1))
    assert card["lora"]["rank"] == 4
    with pytest.raises(SettingsError, match="already instruction-tuned"):
        train_adapters(llm, sample.folder, out, settings=settings(stage="instruct", steps=1))


# ---- the folder ----


def test_the_card_ties_encoder_adapters_llm_lora_and_pairs(
    sample: Any, tiny_llm: Make, trained: Callable[[str], Path]
) -> None:
    out = trained("llama")
    card = json.loads((out / CARD_FILE).read_text(encoding="utf-8"))
    assert card["encoder_hash"] == "enc" and card["style"] == "instruct" and card["seed"] == 1
    assert card["llm_hash"] == load_frozen(str(tiny_llm("llama")), "cpu").hash
    assert card["adapter_hash"] == file_sha256(out / ADAPTERS_FILE)
    assert card["lora"]["hash"] == file_sha256(out / LORA_FILE)
    assert card["pairs"]["hash"] == read_pairs(sample.folder).hash
    assert card["soft_tokens"] == {"expression": 2, "imaging": 2}
    for stage in ("align", "instruct"):
        assert {"loss", "findings_read", "findings_read_swapped"} <= set(card["metrics"][stage])


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (ADAPTERS_FILE, r"its card\.json says.*train the adapters again"),
        (LORA_FILE, "LoRA update .* Restore that file"),
    ],
)
def test_a_changed_weight_file_is_refused(name: str, says: str, trained: Callable[[str], Path], tmp_path: Path) -> None:
    folder = tmp_path / "changed"
    shutil.copytree(trained("llama"), folder)
    save_file({k: v + 1 for k, v in load_file(folder / name).items()}, folder / name)
    with pytest.raises(ContractError, match=says):
        load_llm(f"hf:{folder}")
    (folder / name).unlink()
    if name == LORA_FILE:
        with pytest.raises(ContractError, match="there is none"):
            load_llm(f"hf:{folder}")


def test_another_llm_and_another_encoder_are_refused(trained: Callable[[str], Path], tiny_llm: Make) -> None:
    out = trained("llama")
    with pytest.raises(ContractError, match=r"trained for the LLM with hash.*Train adapters for it"):
        HuggingFaceModel(tiny_llm("qwen3"), spec="hf:x", device="cpu", adapters=out)
    with pytest.raises(ContractError, match=r"encoder with hash other.*trained with enc.*radomica train adapters"):
        AdapterSet.load(out, encoder_hash="other")
    assert AdapterSet.load(out, encoder_hash="enc") is not None


@pytest.mark.parametrize("kind", ["llama", "gemma3-multimodal"])
def test_a_merged_folder_gives_the_same_logits_by_itself(
    kind: str, sample: Any, tiny_llm: Make, trained: Callable[[str], Path], tmp_path: Path
) -> None:
    into = tmp_path / "merged"
    card = merge_trained(str(tiny_llm(kind)), trained(kind), into)
    assert card["merged"]["llm_hash"] != card["llm_hash"] and card["lora"] is None
    merged, pair = load_llm(f"hf:{into}"), load_llm(f"hf:{trained(kind)}")
    assert isinstance(merged, HuggingFaceModel) and isinstance(pair, HuggingFaceModel) and merged.takes_soft_tokens
    ids = torch.arange(1, 20)[None]
    base = AutoModelForCausalLM.from_pretrained(tiny_llm(kind))
    with torch.inference_mode():
        first, second, untouched = (m(ids).logits for m in (merged.model, pair.model, base))
    torch.testing.assert_close(first, second, atol=1e-5, rtol=1e-4)
    assert float((first - untouched).abs().max()) > 1e-4
    with pytest.raises(SettingsError, match="is not empty"):
        merge_trained(str(tiny_llm(kind)), trained(kind), into)


def test_pairs_too_long_for_the_llm_are_counted_and_a_stage_without_any_is_refused(
    sample: Any, tiny_llm: Make, tmp_path: Path
) -> None:
    llm = load_frozen(str(tiny_llm("llama")), "cpu")
    pairs = read_pairs(sample.folder)
    lengths = sorted(len(encode_pair(p, llm, 2).ids) for p in pairs.pairs)
    trainer = AdapterTrainer(llm, pairs, settings(max_length=lengths[-2]), 1, checkpoint=tmp_path / "c")
    assert trainer.too_long == sum(n > lengths[-2] for n in lengths) >= 1
    with pytest.raises(SettingsError, match="no instruct pair is left"):
        AdapterTrainer(llm, pairs, settings(max_length=150), 1, checkpoint=tmp_path / "c")


@pytest.mark.parametrize("changes", [{"stage": "all"}, {"adapter": "linear"}, {"tokens": 0}])
def test_settings_outside_the_allowed_are_named(changes: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=next(iter(changes))):
        settings(**changes)


def test_adapters_with_a_lora_update_need_a_server_that_runs_it(tmp_path: Path) -> None:
    own, base, card = tmp_path / "own", tmp_path / "base", {"lora": {"rank": 4, "hash": "0"}}
    check_served_lora(card, own, own)
    check_served_lora({"lora": None}, own, base)
    with pytest.raises(ContractError, match=r"--max-lora-rank 4 --lora-modules NAME=.*--merge DIR"):
        check_served_lora(card, own, base)


def test_a_bfloat16_llm_trains_float32_adapters_and_lora(sample: Any, tiny_llm: Make, tmp_path: Path) -> None:
    llm = load_frozen(str(tiny_llm("qwen3")), "cpu")
    llm.model.to(torch.bfloat16)  # as on a GPU
    trainer = AdapterTrainer(
        llm, read_pairs(sample.folder), settings(gradient_checkpointing=True), 1, checkpoint=tmp_path / "c"
    )
    for stage in ("align", "instruct"):
        seen = sorted(trainer.training[stage], key=lambda e: -len(e.pair.embeddings))[:3]  # both modalities, if any has
        told = {m for e in seen for m in e.pair.embeddings}
        more = [e for e in trainer.training[stage] if set(e.pair.embeddings) - told][:1]
        trainer._micro_batch = lambda *_, batch=[*seen, *more]: batch  # type: ignore[method-assign]
        optimiser = trainer._optimiser(stage)
        assert np.isfinite(trainer._step(stage, optimiser, 0))
        kinds = {p.dtype for group in optimiser.param_groups for p in group["params"]}
        assert kinds == {torch.float32} and llm.model.dtype is torch.bfloat16
        assert all(p.grad is not None for group in optimiser.param_groups for p in group["params"])
