"""Imported therapy rows: kept with source and version, shown beside the built-in ones, gone when removed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import app
from assistant.collect import CAPS, EXCLUDED_CAP, IMPORTED_CAP, OFFERED_CAP, collect_evidence
from assistant.collect_retrieval import draft_retrieved
from assistant.report_tables import therapy_table
from encoders.errors import InputError
from encoders.patient import Diagnosis, Patient, SourceLocator, Variant
from encoders.prediction import PatientPrediction
from eval.retrieval_made import WordEmbedder
from retrieval.added_documents import documents_at, documents_mark, knowledge_folder
from retrieval.corpus.builtin import load_therapy_rows
from retrieval.importers.civic import read_civic
from retrieval.knowledge_add import add_file, add_path, update_documents
from retrieval.knowledge_record import Details
from retrieval.knowledge_store import KnowledgeStore
from retrieval.passage import Retrieved
from retrieval.therapy_imported import MAX_IMPORTED, MAX_LINKS, with_imported
from retrieval.therapy_rows import match_rows
from retrieval.therapy_store import from_bytes, is_therapy_source, sources_at, to_bytes

OPEN = Path(__file__).parents[2].parent / "shared/data/open/knowledge"
CIVIC = OPEN / "civic/nightly-ClinicalEvidenceSummaries.tsv"
MOALMANAC = OPEN / "moalmanac_db/referenced"
NONE = Details()
HERE = SourceLocator("a.tsv", "row 1")
NOTHING = PatientPrediction(None, (), (), (), {}, {})
HEADER = "row_id,drugs,disease,direction,level_system,level,source,gene,alteration\n"
OWN = HEADER + (
    "own-1,osimertinib,NSCLC,sensitivity,ESCAT,IA,Our board 2026,EGFR,L858R\n"
    "own-2,osimertinib,NSCLC,resistance,CIViC,D,Our board 2026,EGFR,L858R\n"
    "own-3,cabozantinib,LUAD,sensitivity,CIViC,D,Our board 2026,EGFR,L858R\n"
    "own-4,cabozantinib,SKCM,sensitivity,CIViC,A,Our board 2026,EGFR,L858R\n"
)
LUAD = Patient(
    "A", oncotree_code="LUAD", diagnosis=Diagnosis(stage="IV"), copy_number=(), fusions=(),
    variants=(Variant("EGFR", "p.L858R", "Missense_Mutation", HERE),),
)  # fmt: skip


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KnowledgeStore:
    monkeypatch.setenv("RADOMICA_KNOWLEDGE", str(tmp_path / "knowledge"))
    return KnowledgeStore(knowledge_folder())


def table(folder: Path, text: str = OWN, name: str = "own.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def matched(patient: Patient = LUAD):
    built_in = match_rows(patient, load_therapy_rows())
    sources, problems = sources_at(knowledge_folder())
    assert problems == ()
    return built_in, *with_imported(patient, built_in, sources)


def test_a_table_is_kept_with_its_source_and_adding_it_twice_changes_nothing(
    store: KnowledgeStore, tmp_path: Path
) -> None:
    done = add_file(store, table(tmp_path), WordEmbedder(), Details(version="2026-11"))
    assert (done.outcome, done.title, done.passages) == ("added", "own.csv: 4 therapy rows", 0)
    assert add_file(store, table(tmp_path), WordEmbedder(), NONE).outcome == "unchanged"
    ((source,), problems) = sources_at(knowledge_folder())
    assert problems == () and source.label == "own.csv 2026-11"
    assert {s.row.imported_from for s in source.imported.statements} == {"own.csv 2026-11"}
    assert store.load("another embedder").passages == ()  # no vectors, so none of a wrong embedder


def test_a_row_on_the_same_thing_is_a_link_and_another_is_a_row_of_its_own(
    store: KnowledgeStore, tmp_path: Path
) -> None:
    add_file(store, table(tmp_path), WordEmbedder(), NONE)
    built_in, found, _ = matched()
    assert [replace(m, links=()) for m in found[: len(built_in)]] == list(built_in)  # nothing else of them changes
    osimertinib = next(m for m in found if m.row.row_id == "nsclc-egfr-l858r-osimertinib")
    assert osimertinib.links == (
        "CIViC D disagrees: resistance to osimertinib with EGFR L858R in Non-Small Cell Lung Cancer (Our board 2026, "
        "own-2).",
        "ESCAT IA agrees: sensitivity to osimertinib with EGFR L858R in Non-Small Cell Lung Cancer (Our board 2026, "
        "own-1).",
    )
    own = found[len(built_in) :]
    assert [(m.row.row_id, m.row.imported_from, m.row.level_system) for m in own] == [("own-3", "own.csv", "CIViC")]


def test_the_report_shows_source_and_links_and_the_ledger_a_few_imported_rows(
    store: KnowledgeStore, tmp_path: Path
) -> None:
    drugs = ("imatinib", "sunitinib", "regorafenib", "pazopanib", "axitinib")
    lines = [f"more-{drug},{drug},LUAD,sensitivity,CIViC,E,Our board,EGFR,L858R" for drug in drugs]
    add_file(store, table(tmp_path, OWN + "\n".join([*lines, ""])), WordEmbedder(), NONE)
    retrieved = Retrieved((), matched()[1], ())
    texts = [d.text for d in draft_retrieved(retrieved) if d.source.row_id == "own-3"]
    assert texts[0].startswith("cabozantinib: sensitivity with EGFR L858R in Lung Adenocarcinoma, CIViC level D, "
                               "imported from own.csv")  # fmt: skip
    ledger = collect_evidence(LUAD, NOTHING, retrieved)
    shown = {e.source.row_id: e.source.place for e in ledger.of_type("therapy")}
    assert shown["own-3"] == "imported from own.csv: Our board 2026"
    assert sum(place.startswith("imported from") for place in shown.values()) == IMPORTED_CAP
    rows = {r["row_source"]["row_id"]: r for r in therapy_table(ledger, retrieved)}
    assert rows["own-3"]["imported_from"] == "own.csv" and rows["own-3"]["level_system"] == "CIViC"
    assert "CIViC D disagrees" in rows["nsclc-egfr-l858r-osimertinib"]["linked"][0]
    assert "therapy" not in CAPS and len(shown) <= OFFERED_CAP + EXCLUDED_CAP + IMPORTED_CAP


def test_removed_rows_are_gone_and_another_version_takes_the_place_of_the_first(
    store: KnowledgeStore, tmp_path: Path
) -> None:
    path = table(tmp_path)
    first = add_file(store, path, WordEmbedder(), NONE)
    mark = documents_mark()
    table(tmp_path, OWN.replace("cabozantinib", "sunitinib"))
    ((again,), _) = update_documents(store, [first.document_id], WordEmbedder())
    assert again.outcome == "new version" and documents_mark() != mark
    assert [m.row.drugs for m in matched()[1] if m.row.row_id == "own-3"] == [("sunitinib",)]
    with store.writing():
        store.remove(first.document_id)
    assert sources_at(knowledge_folder()) == ((), ())
    assert all(not m.links and m.row.imported_from is None for m in matched()[1])


def test_training_and_benchmarks_see_no_imported_row(store: KnowledgeStore, tmp_path: Path) -> None:
    add_file(store, table(tmp_path), WordEmbedder(), NONE)
    with documents_at(tmp_path / "nothing"):
        assert sources_at(knowledge_folder()) == ((), ())
    assert len(sources_at(knowledge_folder())[0]) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (OWN.replace("own-3", "nsclc-egfr-l858r-osimertinib"), "is that of a built-in row"),
        (OWN.replace("cabozantinib", "cabozantinip"), "drug 'cabozantinip' is not known"),
        (HEADER, "no therapy statement could be read"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_whole(
    store: KnowledgeStore, tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        add_file(store, table(tmp_path, text), WordEmbedder(), NONE)
    assert sources_at(knowledge_folder()) == ((), ())


def test_a_second_source_with_the_same_ids_is_refused_with_the_way_to_update(
    store: KnowledgeStore, tmp_path: Path
) -> None:
    first = add_file(store, table(tmp_path), WordEmbedder(), NONE)
    with pytest.raises(InputError, match=f"knowledge update {first.document_id} --from"):
        add_file(store, table(tmp_path, OWN + "\n", "other.csv"), WordEmbedder(), NONE)


def test_therapy_rows_belong_to_no_patient(store: KnowledgeStore, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="without --patient"):
        add_file(KnowledgeStore(knowledge_folder(), patient_id="A"), table(tmp_path), WordEmbedder(), NONE)


def test_a_broken_file_is_said_and_left_out(store: KnowledgeStore, tmp_path: Path) -> None:
    add_file(store, table(tmp_path), WordEmbedder(), NONE)
    (path,) = store.folder.rglob("*.therapies.json")
    path.write_bytes(path.read_bytes()[:-10])
    sources, problems = sources_at(knowledge_folder())
    assert sources == () and "missing or cut short" in problems[0]


def test_only_what_is_therapy_rows_is_read_as_such(tmp_path: Path) -> None:
    answer = tmp_path / "answer.json"
    answer.write_text(json.dumps({"query": {}, "treatments": []}), encoding="utf-8")
    note = tmp_path / "note.json"
    note.write_text(json.dumps({"id": "1", "title": "t", "content": "c"}), encoding="utf-8")
    assert is_therapy_source(answer) and is_therapy_source(table(tmp_path))
    assert not is_therapy_source(note) and not is_therapy_source(tmp_path) and not is_therapy_source(tmp_path / "a.md")


def test_the_command_line_adds_lists_and_removes_a_source(
    store: KnowledgeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retrieval.embed.load_embedding", WordEmbedder)
    run = CliRunner()
    added = run.invoke(app, ["knowledge", "add", str(table(tmp_path)), "--version", "2026-11", "--json"])
    assert added.exit_code == 0, added.output
    document_id = json.loads(added.stdout)["documents"][0]["document_id"]
    (listed,) = json.loads(run.invoke(app, ["knowledge", "list", "--json"]).stdout)["documents"]
    assert (listed["form"], listed["version"], listed["title"]) == (
        "therapy rows", "2026-11", "own.csv: 4 therapy rows",
    )  # fmt: skip
    assert run.invoke(app, ["knowledge", "remove", document_id]).exit_code == 0
    assert sources_at(knowledge_folder()) == ((), ())


@pytest.mark.skipif(not CIVIC.exists(), reason="the shared CIViC and MOAlmanac files are not beside this repository")
def test_the_real_sources_are_kept_whole_and_bounded_in_a_case(store: KnowledgeStore) -> None:
    for path in (CIVIC, MOALMANAC):
        ((done,), refused) = add_path(store, path, WordEmbedder(), NONE)
        assert refused == () and done.skipped and "statements not read" in done.skipped[0]
    imported = read_civic(CIVIC)
    assert from_bytes(to_bytes(imported)) == replace(imported, skipped=())
    built_in, found, said = matched()
    own = found[len(built_in) :]
    assert 0 < len(own) <= MAX_IMPORTED and any("more match and are not shown" in s for s in said)
    assert {m.row.level_system for m in own} <= {"CIViC", "MOAlmanac"}
    osimertinib = next(m for m in found if m.row.row_id == "nsclc-egfr-l858r-osimertinib")
    assert MAX_LINKS <= len(osimertinib.links) <= MAX_LINKS + 1
    assert any("CIViC" in s or "MOAlmanac" in s for s in osimertinib.links)
