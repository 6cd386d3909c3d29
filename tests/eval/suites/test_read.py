"""Question files in their published forms: read whole, and what is malformed or doubled is listed with its id."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from encoders.errors import InputError, SettingsError
from eval.suites.item import Kind
from eval.suites.read import READERS, first_of_each, read_suite

QA = Path(__file__).resolve().parents[4] / "shared/data/open/qa"
real = pytest.mark.skipif(not QA.is_dir(), reason="the developers' data set is not beside the checkout")


def written(folder: Path, content: object, name: str = "set.json") -> Path:
    path = folder / name
    lines = isinstance(content, list) and name.endswith(".jsonl")
    path.write_text("\n".join(map(json.dumps, content)) if lines else json.dumps(content), encoding="utf-8")
    return path


@real
def test_the_real_files_hold_what_their_sheet_says() -> None:
    sets = Counter(i.set for i in read_suite("mirage", QA / "mirage/benchmark.json").items)
    assert sets == {"medqa": 849, "medmcqa": 2789, "pubmedqa": 333, "bioasq": 409, "mmlu": 726}
    bioasq = read_suite("bioasq", QA / "bioasq_golden")
    assert Counter(i.set for i in bioasq.items) == {"bioasq_yesno": 409, "bioasq_factoid": 476, "bioasq_list": 260}
    assert len(bioasq.problems) == 352  # summary questions, each listed
    assert len(read_suite("pubmedqa", QA / "pubmedqa/ori_pqal.json").items) == 833
    cases = read_suite("mtbbench", QA / "mtbbench/hancock")
    assert len(cases.items) + len(cases.problems) == 255
    assert len({i.case for i in cases.items}) == 17


def test_malformed_and_doubled_items_are_listed_and_the_rest_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_text(
        '{"x": {"1": {"question": "q", "options": {"A": "a", "B": "b"}, "answer": "A"},'
        ' "1": {"question": "again", "options": {"A": "a", "B": "b"}, "answer": "B"},'
        ' "2": {"question": "q", "options": {"A": "a", "B": "b"}, "answer": "C"},'
        ' "3": {"question": "", "options": {"A": "a", "B": "b"}, "answer": "A"},'
        ' "4": {"question": "q", "options": {"A": "a"}, "answer": "A"}, "5": 7}}'
    )
    suite = read_suite("mirage", path)
    assert [(i.key, i.question) for i in suite.items] == [("x/1", "q")]
    reasons = {p.key: p.reason for p in suite.problems}
    assert "stands twice" in reasons["x/1"]
    assert "answer 'C' is none of the options A, B" in reasons["x/2"]
    assert "no question" in reasons["x/3"] and "two options" in reasons["x/4"] and "no object" in reasons["x/5"]


def test_each_form_is_read(tmp_path: Path) -> None:
    medqa = [{"question": "q", "options": {"A": "a", "B": "b"}, "answer_idx": "B"}]
    (item,) = read_suite("medqa", written(tmp_path, medqa, "medqa.jsonl")).items
    assert item.gold == ("B",)
    row = {"id": "i", "question": "q", "opa": "1", "opb": "2", "opc": "3", "opd": "4"}
    one, zero = ([{**row, "cop": c}, {**row, "id": "j", "cop": d}] for c, d in ((1, 4), (0, 3)))
    for rows in (one, zero):  # the authors count from 1, the hub's copy from 0
        found = read_suite("medmcqa", written(tmp_path, rows, "mc.jsonl")).items
        assert [i.gold for i in found] == [("A",), ("D",)]
    vqa = [{"qid": 1, "question": "Is it big?", "answer": "Yes", "image_name": "a.jpg"},
           {"qid": 2, "question": "Which organ?", "answer": "Liver", "image_name": "a.jpg"}]  # fmt: skip
    first, second = read_suite("vqa", written(tmp_path, vqa)).items
    assert (first.kind, first.gold, first.case) == (Kind.CHOICE, ("A",), "a.jpg")
    assert (second.kind, second.gold) == (Kind.SHORT, ("Liver",))
    health = [{"prompt_id": "p", "prompt": [{"role": "user", "content": "hello"}, {"role": "user", "content": "why?"}],
               "rubrics": [{"criterion": "explains", "points": 5, "tags": ["axis:accuracy"]}]}]  # fmt: skip
    (item,) = read_suite("healthbench", written(tmp_path, health, "h.jsonl")).items
    assert (item.kind, item.question, item.given) == (Kind.RUBRIC, "why?", "user: hello")
    own = [{"set": "s", "id": "1", "question": "q", "kind": "list", "gold": ["a", "b"], "case": "c"},
           {"set": "s", "id": "2", "question": "q", "kind": "riddle"}]  # fmt: skip
    suite = read_suite("cases", written(tmp_path, own, "own.jsonl"))
    assert suite.items[0].gold == ("a", "b") and suite.items[0].case == "c"
    assert "riddle" in suite.problems[0].reason


def test_a_step_of_a_case_sees_what_the_case_told_before_and_not_what_comes_later(tmp_path: Path) -> None:
    steps = [
        {
            "question": "Which?\nA) one\nB) two",
            "answer": "B) two",
            "new_context": "first",
            "files_available": ["x.txt"],
        },
        {"question": "And?\nA) yes\nB) no", "answer": "A) yes", "new_context": "second", "files_available": ["i.png"]},
    ]
    case = {"dataset": "d", "patient_id": "7", "steps": steps, "files": {"x.txt": "lab values"}}
    one, two = read_suite("mtbbench", written(tmp_path, case)).items
    assert (one.question, one.options, one.gold) == ("Which?", {"A": "one", "B": "two"}, ("B",))
    assert one.given == "first\n\nx.txt:\nlab values" and two.given == "first\n\nsecond"
    assert one.case == two.case == "7" and two.images == ("i.png",)


def test_a_file_of_no_use_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=f"allowed: {', '.join(sorted(READERS))}"):
        read_suite("riddles", tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        read_suite("mirage", tmp_path / "none.json")
    with pytest.raises(InputError, match="not JSON"):
        broken = tmp_path / "b.json"
        broken.write_text("{")
        read_suite("mirage", broken)
    with pytest.raises(InputError, match="another JSON shape"):
        read_suite("mirage", written(tmp_path, [1]))
    with pytest.raises(InputError, match="x/1: needs at least two options"):
        read_suite("mirage", written(tmp_path, {"x": {"1": {"question": "q"}}}))


def test_a_limit_counts_per_set(tmp_path: Path) -> None:
    item = {"question": "q", "options": {"A": "a", "B": "b"}, "answer": "A"}
    suite = read_suite("mirage", written(tmp_path, {"x": {"1": item, "2": item}, "y": {"3": item}}))
    assert [i.key for i in first_of_each(suite.items, 1)] == ["x/1", "y/3"]
    with pytest.raises(InputError, match="limit is 0"):
        first_of_each(suite.items, 0)


def test_parts_groups_and_documents_of_own_cases_are_read_and_parts_of_another_name_listed(tmp_path: Path) -> None:
    row = {"set": "s", "id": "1", "question": "q", "kind": "short", "gold": ["a"]}
    good = row | {"parts": {"imaging": "bright", "notes": ""}, "groups": {"specialty": "Surgery"}, "documents": [7],
                  "given": "Told first."}  # fmt: skip
    suite = read_suite("cases", written(tmp_path, [good, row | {"id": "2", "parts": {"smell": "x"}}], "own.jsonl"))
    (item,) = suite.items
    assert item.context == "Told first.\n\nimaging:\nbright"
    assert (item.groups, item.documents) == ({"specialty": "Surgery"}, ("7",))
    assert "must be named clinical, imaging, omics, notes" in suite.problems[0].reason


@real
def test_groups_and_gold_texts_are_taken_from_the_published_forms() -> None:
    case = read_suite("mtbbench", QA / "mtbbench/hancock/116.json").items[0]
    assert case.groups == {"sex": "male", "age": "40 to 64"}
    item = read_suite("bioasq", QA / "bioasq_golden/7B1_golden.json").items[0]
    assert item.contexts and item.documents
