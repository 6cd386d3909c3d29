"""Agreement of judges: kappa and macro F1 as scikit-learn counts them; unread judgements counted; resumed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, f1_score

from assistant.llm.chat_model import ChatRequest, TextPart
from encoders.errors import InputError, SettingsError
from eval.suites.agreement import cohens_kappa, iter_lines, macro_f1, run_agreement
from eval.suites.judge import Judge

YES, NO = '{"explanation": "", "criteria_met": true}', '{"explanation": "", "criteria_met": false}'


def test_kappa_and_macro_f1_are_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        first, second = rng.random(30) < 0.6, rng.random(30) < 0.4
        assert cohens_kappa(first, second) == pytest.approx(cohen_kappa_score(first, second), abs=1e-9)
        assert macro_f1(first, second) == pytest.approx(f1_score(second, first, average="macro"), abs=1e-9)


def test_what_chance_alone_explains_has_no_kappa_and_a_class_nobody_names_no_macro_f1() -> None:
    ones = np.ones(4, bool)
    assert cohens_kappa(ones, ones) is None and macro_f1(ones, ones) is None


def labelled(path: Path, count: int = 8) -> Path:
    rows = [
        {"prompt": [{"role": "user", "content": "q"}], "completion": f"answer {i}", "rubric": f"criterion {i}.",
         "category": "c", "binary_labels": [i % 2 == 0, i % 4 == 0], "prompt_id": f"p{i}"}
        for i in range(count)
    ]  # fmt: skip
    rows.append({"prompt": [], "completion": "x", "rubric": "y", "binary_labels": ["yes"]})
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def test_two_judges_are_compared_with_physicians_and_with_each_other(tmp_path: Path) -> None:
    asked = 0

    def even(request: ChatRequest) -> str:
        nonlocal asked
        asked += 1
        text = "".join(p.text for m in request.messages for p in m.parts if isinstance(p, TextPart))
        number = int(re.findall(r"criterion (\d+)\.", text)[0])
        return "hm" if number == 7 else YES if number % 2 == 0 else NO

    judges = (Judge("one", even), Judge("two", lambda _: YES))
    data = labelled(tmp_path / "meta.jsonl")
    found = run_agreement(data, judges, tmp_path / "out")
    first, second = found["with_physicians"]
    # criteria 0..6, two labels each: even or odd agrees with every first label, with the second but at 2 and 6
    assert (first["pairs"], first["unread"], first["agreement"]) == (14, 1, pytest.approx(12 / 14))
    own = [i % 2 == 0 for i in range(7) for _ in range(2)]
    gold = [label for i in range(7) for label in (i % 2 == 0, i % 4 == 0)]
    assert first["kappa"] == pytest.approx(cohen_kappa_score(own, gold), abs=1e-9)
    assert first["macro_f1"] == pytest.approx(f1_score(gold, own, average="macro"), abs=1e-9)
    assert second["kappa"] == pytest.approx(0.0, abs=1e-9)
    assert found["between_judges"]["pairs"] == 7 and found["between_judges"]["unread"] == 1
    assert len(found["left_out"]) == 1 and "meta.jsonl:9" in found["left_out"][0]
    assert "| both judges | 7 | 1 |" in "\n".join(iter_lines(found))
    run_agreement(data, judges, tmp_path / "out")
    assert asked == 8  # nothing is asked twice
    with pytest.raises(SettingsError, match="other judges"):
        run_agreement(data, judges[:1], tmp_path / "out")


def test_a_file_without_labels_and_a_third_judge_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"prompt": []}\n')
    judge = Judge("one", lambda _: YES)
    with pytest.raises(InputError, match=r"x\.jsonl:1"):
        run_agreement(tmp_path / "x.jsonl", (judge,), tmp_path / "out")
    with pytest.raises(SettingsError, match="3 judges"):
        run_agreement(tmp_path / "x.jsonl", (judge,) * 3, tmp_path / "out")
