"""Pairs: what is drawn is true of its case and reads back as written; bad rows are named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from assistant.adapter_training.draw_pairs import draw_pairs, encoder_of
from assistant.adapter_training.pairs import TrainingPair, is_held_out, read_pairs, sample_order, write_pairs
from assistant.claim import Verdict
from assistant.evidence import Ledger
from assistant.grounding import check_claim
from assistant.llm.chat_model import PromptStyle
from assistant.prompt import parse_claims
from encoders.errors import ContractError, InputError


def test_pairs_read_back_as_drawn(sample: Any) -> None:
    drawn, rows = draw_pairs(sample.cases, 40, seed=7)
    found = read_pairs(sample.folder)
    assert list(found.pairs) == drawn
    assert {p.stage for p in drawn} == {"align", "instruct"}
    assert set(found.rows) == set(rows) and all(np.array_equal(found.rows[k], v) for k, v in rows.items())
    assert found.widths == {"imaging": 16, "expression": 16} and found.encoder_hash == "enc"


def test_the_same_seed_draws_the_same_pairs_and_another_does_not(sample: Any) -> None:
    first, second, other = (draw_pairs(sample.cases, 30, seed=s)[0] for s in (5, 5, 6))
    assert first == second != other


def test_answers_tell_what_their_embeddings_hold(sample: Any) -> None:
    findings = {f"{m}/c{i:05d}": c.findings[m] for i, c in enumerate(sample.cases) for m in c.findings}
    told = 0
    for pair in draw_pairs(sample.cases, 200, seed=2)[0]:
        held = {w.replace("_", " ") for key in pair.embeddings.values() for w in findings[key].values()}
        assert set(pair.told) <= held
        assert {m: findings[k] for m, k in pair.embeddings.items()} == pair.findings
        told += bool(pair.told)
    assert told > 80


def test_findings_stand_nowhere_in_the_message_of_an_instruct_pair(sample: Any) -> None:
    """The ledger line offers both words; only the soft tokens say which."""
    texts = ["\n".join(t for _, t in p.turns()) for p in draw_pairs(sample.cases, 120, seed=4)[0]]
    lines = [line for text in texts for line in text.splitlines() if "is read from the tokens" in line]
    assert len(lines) > 20
    for line in lines:
        assert " or " in line and "finding=" not in line


def test_claims_that_no_donor_changed_are_supported_by_the_checker(sample: Any) -> None:
    checked = 0
    for pair in draw_pairs(sample.cases, 150, seed=7)[0]:
        if pair.stage != "instruct":
            continue
        claims = parse_claims(pair.answer, PromptStyle.INSTRUCT)
        case = sample.cases[int(pair.case[1:])]
        if any(key.split("/")[1] != pair.case for key in pair.embeddings.values()):
            continue
        if not pair.embeddings and any("finding" in e.fields for e in case.evidence if _cited(e.id, claims)):
            continue  # a donor's finding written in the text
        ledger = Ledger(case.evidence)
        for claim in claims:
            verdict = check_claim(claim, ledger)
            assert verdict.verdict is Verdict.SUPPORTED, verdict
            checked += 1
    assert checked > 60


def _cited(evidence_id: str, claims: Any) -> bool:
    return any(evidence_id in c.citations for c in claims)


def test_some_questions_go_unanswered(sample: Any) -> None:
    answers = [p.answer for p in draw_pairs(sample.cases, 150, seed=8)[0] if p.stage == "instruct"]
    assert 3 <= answers.count('{"claims": []}') <= 60


def test_donors_stay_on_their_side_of_the_held_out_line(sample: Any) -> None:
    for pair in draw_pairs(sample.cases, 150, seed=9)[0]:
        assert {is_held_out(key.split("/")[1]) for key in pair.embeddings.values()} <= {is_held_out(pair.case)}


def test_cases_of_two_encoders_and_cases_without_evidence_are_refused(sample: Any) -> None:
    from dataclasses import replace  # noqa: PLC0415

    with pytest.raises(ContractError, match="2 encoders"):
        encoder_of([*sample.cases, replace(sample.cases[0], encoder_hash="another")])
    with pytest.raises(ContractError, match="keep_evidence"):
        draw_pairs([replace(c, evidence=()) for c in sample.cases], 3, seed=0)


def test_an_order_is_a_permutation_of_its_arguments_alone(sample: Any) -> None:
    pairs = read_pairs(sample.folder).pairs
    first = sample_order(pairs, 3, 0)
    assert sorted(first) == list(range(len(pairs)))
    assert first == sample_order(pairs, 3, 0) != sample_order(pairs, 3, 1)


# ---- bad folders ----


def _row(**changes: Any) -> dict[str, Any]:
    parts = [{"text": "Look."}, {"soft": "imaging"}]
    row = {"id": "a", "case": "c", "stage": "align", "messages": [{"role": "user", "content": parts}],
           "answer": "The margin is smooth.", "embeddings": {"imaging": "e"}, "told": ["smooth"]}  # fmt: skip
    return row | changes


@pytest.fixture
def site(tmp_path: Path) -> Callable[..., Path]:
    """site(row, ...) -> a folder of pairs as a site would write it by hand."""

    def make(*rows: dict[str, Any], embeddings: dict[str, np.ndarray] | None = None) -> Path:
        save_file(embeddings or {"e": np.ones((2, 4), np.float32)}, tmp_path / "embeddings.safetensors")
        (tmp_path / "card.json").write_text('{"form": 1, "encoder_hash": "enc"}', encoding="utf-8")
        (tmp_path / "pairs.jsonl").write_text("\n".join(json.dumps(r) for r in rows) + "\n", encoding="utf-8")
        return tmp_path

    return make


def test_a_hand_written_row_is_read(site: Callable[..., Path]) -> None:
    (pair,) = read_pairs(site(_row())).pairs
    expected = (("user", (("text", "Look."), ("soft", "imaging"))),)
    assert pair == TrainingPair("a", "c", "align", expected, "The margin is smooth.", {"imaging": "e"}, ("smooth",), {})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"stage": "both"}, "line 1: stage"),
        ({"extra": 1}, "line 1: extra"),
        ({"answer": ""}, "line 1: answer"),
        ({"embeddings": {}}, r"a has soft parts \['imaging'\] and embeddings \[\]"),
        ({"embeddings": {"imaging": "gone"}}, "'gone', which embeddings.safetensors does not hold"),
        ({"told": ["spiculated"]}, r"told \['spiculated'\], which it does not hold"),
        ({"messages": [{"role": "user", "content": [{"text": "x", "soft": "imaging"}]}]}, "not either"),
        ({"messages": [{"role": "user", "content": [{"text": "\ue000"}]}]}, "U\\+E000"),
        ({"messages": [{"role": "assistant", "content": [{"soft": "imaging"}]}]}, "must be the user's"),
    ],
)
def test_a_bad_row_is_named_with_its_line(site: Callable[..., Path], changes: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        read_pairs(site(_row(**changes)))


def test_bad_embeddings_ids_used_twice_and_the_count_are_named(site: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match=r"2 bad rows: line 2: the id 'a' is used twice.*line 3"):
        read_pairs(site(_row(), _row(), _row(id="b", case="")))
    ragged = {"e": np.ones((2, 4), np.float32), "f": np.ones((1, 5), np.float32)}
    with pytest.raises(InputError, match="'f' has width 5, others of imaging have 4"):
        read_pairs(site(_row(), _row(id="b", embeddings={"imaging": "f"}), embeddings=ragged))
    with pytest.raises(InputError, match="all finite"):
        read_pairs(site(_row(), embeddings={"e": np.full((1, 4), np.nan, np.float32)}))


def test_missing_files_and_other_forms_are_named(sample: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no pairs\.jsonl; write pairs with `radomica train pairs"):
        read_pairs(tmp_path)
    folder = tmp_path / "copy"
    shutil.copytree(sample.folder, folder)
    (folder / "card.json").write_text('{"form": 2, "encoder_hash": "enc"}', encoding="utf-8")
    with pytest.raises(InputError, match="form 2; it needs form 1"):
        read_pairs(folder)


def test_the_hash_follows_the_content(sample: Any, tmp_path: Path) -> None:
    found = read_pairs(sample.folder)
    rows = load_file(sample.folder / "embeddings.safetensors")
    write_pairs(tmp_path, found.pairs, rows, "enc")
    assert read_pairs(tmp_path).hash == found.hash
    write_pairs(tmp_path, found.pairs[1:], rows, "enc")
    assert read_pairs(tmp_path).hash != found.hash
