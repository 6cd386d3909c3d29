"""Training end to end on made-up cases: the folder loads everywhere, learns, and names what made it."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from assistant.llm.chat_model import PromptStyle
from assistant.llm.embedded import EmbeddedModel
from assistant.llm.huggingface import HuggingFaceModel
from assistant.llm.soft_tokens import file_sha256
from assistant.lm_align import SLOTS, SlotTargets, slot_error
from assistant.lm_batch import IGNORED, Encoder, read_batch
from assistant.lm_cases import CACHE_FORM, WORDED_TYPES, LMCase, load_cases, made_up_case
from assistant.lm_model import SOFT_TOKENS, train_tokenizer
from assistant.lm_pairs import PairMaker
from assistant.lm_train import LMSettings, Trainer, train_lm
from encoders.errors import ContractError, SettingsError, UnavailableError
from encoders.prediction import Embeddings

SETTINGS = LMSettings(batch=4, pool=2, tokenizer_pairs=60, held_out_pairs=4)


@pytest.fixture(scope="module")
def cases() -> list[LMCase]:
    torch.set_num_threads(1)
    rng = random.Random(1)
    return [made_up_case(rng) for _ in range(12)]


@pytest.fixture(scope="module")
def folder(cases: list[LMCase], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("lm")
    train_lm(out=out, seed=1, steps=3, cases=cases, settings=SETTINGS)
    return out


def test_digits_brackets_and_line_breaks_are_tokens_of_their_own() -> None:
    tokenizer = train_tokenizer(["[M12] {M12.gene}\nM12"] * 50)
    pieces = [tokenizer.decode([i]) for i in tokenizer("{M12.gene}\n", add_special_tokens=False).input_ids]
    assert pieces == ["{", "M", "1", "2", ".", "gene", "}", "\n"]


def test_the_loss_counts_answer_tokens_only(cases: list[LMCase]) -> None:
    maker = PairMaker(cases, seed=3)
    pairs = [maker.draw() for _ in range(20)]
    encoder = Encoder(train_tokenizer([p.answer for p in pairs]))
    for pair in pairs:
        batch = encoder.batch([encoder.encode(pair)])
        answer = batch.labels[0][batch.labels[0] != IGNORED]
        assert encoder.tokenizer.decode(answer) == f"{pair.answer}<|end|>"
        assert int((batch.ids == encoder.soft_id).sum()) == SOFT_TOKENS * len(pair.soft)


def test_training_text_is_what_the_backend_renders(cases: list[LMCase], folder: Path) -> None:
    model = EmbeddedModel(folder)
    pair = next(p for p in (PairMaker(cases, seed=s).draw() for s in range(50)) if not p.soft)
    from assistant.llm.chat_model import ChatRequest, Message, TextPart  # noqa: PLC0415

    request = ChatRequest((Message("user", tuple(TextPart(t) for t, _ in pair.parts)),))
    encoded = Encoder(model.tokenizer).encode(pair)
    prompt = encoded.ids[: encoded.prompt]
    assert model.tokenizer(model.render(request), add_special_tokens=False).input_ids == prompt


def test_the_gradient_reaches_the_adapters(cases: list[LMCase]) -> None:
    trainer = Trainer(cases, 2, SETTINGS)
    while not (batch := trainer._next()).soft:
        pass
    read_batch(trainer.model, trainer.adapters, batch).losses().mean().backward()
    for modality in batch.soft:
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in trainer.adapters[modality].parameters())


def test_the_words_only_soft_tokens_tell_are_marked_in_the_answer(cases: list[LMCase]) -> None:
    maker = PairMaker(cases, seed=3)
    pairs = [p for p in (maker.draw() for _ in range(60)) if p.findings]
    encoder = Encoder(train_tokenizer([p.answer for p in pairs] * 5))
    assert pairs
    for pair in pairs:
        encoded = encoder.encode(pair)
        marked = encoder.tokenizer.decode([encoded.ids[i] for i in encoded.told]).lower()
        for word in pair.findings.values():
            assert word.replace("_", " ") in marked
        assert all(i >= encoded.prompt for i in encoded.told)


def test_a_pair_of_findings_alone_tells_what_its_rows_carry(cases: list[LMCase]) -> None:
    maker = PairMaker(cases, seed=4)
    for pair in (maker.draw_findings() for _ in range(40)):
        carried = {word for found in pair.carried.values() for word in found.values()}
        assert set(pair.findings.values()) <= carried
        assert set(pair.carried) == set(pair.soft)


def test_slot_targets_follow_the_table_and_tell_opposite_findings_apart(cases: list[LMCase]) -> None:
    trainer = Trainer(cases, 2, SETTINGS)
    targets = SlotTargets(trainer.tokenizer)
    table = trainer.model.get_input_embeddings().weight
    found = [{"margin": "smooth", "necrosis": "absent"}, {"margin": "spiculated"}]
    wanted, known = targets("imaging", found, table)
    assert known.tolist() == [[1, 1, 0, 0], [1, 0, 0, 0]]
    assert not torch.allclose(wanted[0, 0], wanted[1, 0])
    assert not wanted.requires_grad
    doubled, _ = targets("imaging", found, table * 2)
    assert torch.allclose(doubled, wanted * 2)
    assert float(slot_error(wanted, wanted, known)) == pytest.approx(0, abs=1e-6)
    assert float(slot_error(torch.zeros_like(wanted), wanted, known)) == pytest.approx(1, abs=1e-3)
    assert len(SLOTS["imaging"]) <= SOFT_TOKENS


def test_a_new_decoder_starts_by_looking_for_what_is_alike(cases: list[LMCase]) -> None:
    layer = Trainer(cases, 2, SETTINGS).model.model.layers[0].self_attn
    assert torch.equal(layer.q_proj.weight, layer.k_proj.weight)
    passed_on = layer.o_proj.weight @ layer.v_proj.weight
    assert torch.allclose(passed_on, torch.eye(len(passed_on)) * passed_on[0, 0], atol=1e-4)


def test_the_same_batch_is_learnt(cases: list[LMCase]) -> None:
    trainer = Trainer(cases, 2, SETTINGS)
    batch = trainer._next()
    trainer._next = lambda done: batch  # type: ignore[method-assign]
    losses = [trainer.step(0.3) for _ in range(12)]
    assert losses[-1] < 0.8 * losses[0]


def test_the_folder_loads_as_embedded_and_as_a_hugging_face_model(folder: Path) -> None:
    embedded, plain = EmbeddedModel(folder), HuggingFaceModel(folder, spec=f"hf:{folder}", device="cpu")
    assert embedded.style is plain.style is PromptStyle.COMPACT
    assert embedded.takes_soft_tokens
    rows = np.zeros((1, 128), np.float32)
    parts = embedded.soft_tokens(Embeddings({"imaging": rows, "expression": rows}, rows[0], "made up"))
    assert {p.modality: p.vectors.shape for p in parts} == dict.fromkeys(("imaging", "expression"), (4, 192))
    with pytest.raises(ContractError, match="radomica train lm"):
        embedded.soft_tokens(Embeddings({"imaging": rows}, rows[0], "another"))


def test_the_card_names_command_seed_and_hashes(folder: Path) -> None:
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    assert card["command"] == "radomica train lm --seed 1 --steps 3" and card["seed"] == 1
    assert card["encoder_hash"] == "made up"
    assert card["adapter_hash"] == file_sha256(folder / "adapters.safetensors")
    assert card["llm_hash"] == EmbeddedModel(folder).llm_hash
    assert card["metrics"]["steps"] == 3
    assert "lesion" in card["evidence_types"] and set(card["evidence_types"]) <= WORDED_TYPES
    assert EmbeddedModel(folder).evidence_types == frozenset(card["evidence_types"])


def test_a_run_can_start_from_an_earlier_one(cases: list[LMCase], folder: Path, tmp_path: Path) -> None:
    settings = LMSettings(batch=4, pool=1, held_out_pairs=4, start_from=str(folder))
    trainer = Trainer(cases, 1, settings)
    assert len(trainer.tokenizer) == len(EmbeddedModel(folder).tokenizer)


def test_cases_of_two_encoders_are_refused(cases: list[LMCase]) -> None:
    from dataclasses import replace  # noqa: PLC0415

    mixed = [*cases, replace(next(c for c in cases if c.embeddings), encoder_hash="another")]
    with pytest.raises(ContractError, match="2 encoders"):
        Trainer(mixed, 1, SETTINGS)._encoder_hash()


@pytest.mark.parametrize("length", [{}, {"minutes": 1.0, "steps": 2}])
def test_a_run_has_exactly_one_length(length: dict[str, float], tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="exactly one"):
        train_lm(out=tmp_path, cases=[], **length)  # type: ignore[arg-type]


def test_missing_weights_name_the_command_that_makes_them(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"lacks config\.json.*radomica train lm"):
        EmbeddedModel(tmp_path)


def test_cached_cases_are_read_back(tmp_path: Path, cases: list[LMCase]) -> None:
    import pickle  # noqa: PLC0415

    (tmp_path / f"lm-cases-{CACHE_FORM}-12-5.pickle").write_bytes(pickle.dumps(cases))
    assert len(load_cases(12, seed=5, cache=tmp_path)) == 12
