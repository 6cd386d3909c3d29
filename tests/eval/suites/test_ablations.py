"""Runs come with what each part is worth: the model alone, retrieval alone, parts of a case removed or exchanged."""

from __future__ import annotations

from pathlib import Path

from assistant.llm.chat_model import ChatRequest, TextPart
from eval.suites.ablations import ablations_of, run_with_ablations
from eval.suites.ask import System
from eval.suites.folder import RunConfig
from eval.suites.item import Item, Kind, Suite
from retrieval.passage import Hit, Passage, Query

OPTIONS = {"A": "yes", "B": "no"}


def case_items(count: int = 6) -> tuple[Item, ...]:
    return tuple(
        Item("s", str(i), "Is the lesion bright?", Kind.CHOICE, OPTIONS, ("AB"[i % 2],), case=f"c{i}",
             parts={"imaging": f"It is {('bright', 'dark')[i % 2]}.", "notes": "Feels well."})
        for i in range(count)
    )  # fmt: skip


def reads_the_image(item: Item, request: ChatRequest) -> str:
    text = "\n".join(p.text for m in request.messages for p in m.parts if isinstance(p, TextPart))
    return "B" if "dark" in text else "A"


def search(query: Query) -> tuple[Hit, ...]:
    return (Hit(Passage("p1", "Title", "A dark text.", "A dark text.", "a book"), 1.0, {"bm25": 1}),)


def config(system: System = System.LLM) -> RunConfig:
    return RunConfig("cases", "d", "hash", system, "scripted")


def test_a_part_that_is_read_is_worth_its_answers_and_one_that_is_not_is_worth_none(tmp_path: Path) -> None:
    suite = Suite("cases", case_items(), (), "hash")
    found = run_with_ablations(config(), suite, reads_the_image, tmp_path)
    rows = {row["name"]: row for row in found["ablations"]}
    assert list(rows) == ["imaging removed", "imaging swapped", "notes removed"]
    assert (rows["imaging removed"]["whole"], rows["imaging removed"]["ablated"]) == (1.0, 0.5)
    assert rows["imaging removed"]["answers_changed"] == 3  # without it, always "A"
    assert (rows["notes removed"]["difference"], rows["notes removed"]["answers_changed"]) == (0.0, 0)
    assert rows["imaging swapped"]["answers_changed"] == rows["imaging swapped"]["worse"]
    assert "| notes removed | 6 | 1.000 | 1.000 | +0.000 |" in (tmp_path / "summary.md").read_text()
    assert (tmp_path / "ablations/imaging-swapped/metrics.json").is_file()
    assert "Ablations and modality reliance" in (tmp_path / "run.html").read_text()


def test_nobody_keeps_the_own_part_when_parts_are_exchanged_and_steps_of_a_case_get_the_same() -> None:
    items = (*case_items(5), Item("s", "5", "Again?", Kind.CHOICE, OPTIONS, ("A",), case="c0",
                                  parts=case_items(1)[0].parts))  # fmt: skip
    named = tuple(
        Item(i.set, i.id, i.question, i.kind, i.options, i.gold, case=i.case, parts={"omics": f"of {i.case}"})
        for i in items
    )
    (swapped,) = (a.items for a in ablations_of(System.LLM, named, seed=3) if a.name == "omics shuffled")
    assert all(new.parts["omics"] != old.parts["omics"] for new, old in zip(swapped, named, strict=True))
    assert swapped[0].parts == swapped[5].parts
    assert sorted(new.parts["omics"] for new in swapped[:5]) == sorted(old.parts["omics"] for old in named[:5])


def test_one_case_alone_has_nobody_to_exchange_with_and_that_is_said(tmp_path: Path) -> None:
    suite = Suite("cases", case_items(1), (), "hash")
    found = run_with_ablations(config(), suite, reads_the_image, tmp_path)
    (row,) = (r for r in found["ablations"] if r["name"] == "imaging swapped")
    assert row["n"] == 0 and "one case alone" in row["reason"]
    assert "one case alone" in (tmp_path / "summary.md").read_text()


def test_the_assistant_comes_with_the_model_alone_and_with_retrieval_alone(tmp_path: Path) -> None:
    items = tuple(Item("s", str(i), "Is it?", Kind.CHOICE, OPTIONS, ("A",)) for i in range(4))
    suite = Suite("mirage", items, (), "hash")
    found = run_with_ablations(config(System.ASSISTANT), suite, reads_the_image, tmp_path, search=search)
    rows = {row["name"]: row for row in found["ablations"]}
    assert set(rows) == {"llm alone", "rag"}
    assert (rows["llm alone"]["ablated"], rows["rag"]["ablated"]) == (1.0, 0.0)  # the passage misleads it
    again = run_with_ablations(config(System.ASSISTANT), suite, reads_the_image, tmp_path, search=search)
    assert again["ablations"] == found["ablations"]
