"""Added documents on disk: idempotent, versioned, whole or not at all, one patient's out of every other's reach."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from encoders.errors import ContractError, InputError, SettingsError
from eval.retrieval_crash import kill_often
from eval.retrieval_made import WordEmbedder, made_text
from eval.retrieval_scope import query_beside_writers
from retrieval.added_documents import AddedDocuments, delete_patient
from retrieval.knowledge_add import Added, add_file, add_path, update_documents
from retrieval.knowledge_files import files_holding
from retrieval.knowledge_record import Details
from retrieval.knowledge_store import KnowledgeStore, Loaded
from retrieval.notes import note_passages
from retrieval.patient_scope import PatientPassages

OPEN_DATA = Path(__file__).parents[2].parent / "shared/data/open"
NONE = Details()


class CountingEmbedder(WordEmbedder):
    """Counts the texts it was asked to embed."""

    def __init__(self, name: str = "hashed words") -> None:
        self.model_name, self.embedded = name, 0
        self.weights_sha256 = name if name != "hashed words" else WordEmbedder.weights_sha256

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.embedded += len(texts)
        return super().encode(texts)


@pytest.fixture
def embedder() -> CountingEmbedder:
    return CountingEmbedder()


@pytest.fixture
def store(tmp_path: Path) -> KnowledgeStore:
    return KnowledgeStore(tmp_path / "knowledge")


def written(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def loaded(store: KnowledgeStore) -> Loaded:
    return store.load(WordEmbedder.weights_sha256)


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {str(p): (p.stat().st_mtime_ns, p.read_bytes()) for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_passage_keeps_where_it_is_from(store: KnowledgeStore, embedder: CountingEmbedder, tmp_path: Path) -> None:
    path = written(
        tmp_path, "nsclc.md", "# NSCLC\n\n## First line\n\nOsimertinib is preferred in EGFR-mutated disease.\n"
    )
    details = Details(disease=("NSCLC",), licence="CC BY 4.0", version="3.1", date="2025-02")
    done = add_file(store, path, embedder, details)
    (passage,) = loaded(store).passages
    assert passage.title == "NSCLC: First line"
    assert (passage.source, passage.section, passage.page) == ("NSCLC", "First line", None)
    assert passage.locator == "nsclc.md, section First line"
    assert (passage.version, passage.licence, passage.date, passage.oncotree) == (
        "3.1",
        "CC BY 4.0",
        "2025-02",
        ("NSCLC",),
    )
    assert passage.document_id == done.document_id
    assert passage.patient_id is None
    assert len(passage.sha256) == 64
    assert loaded(store).vectors.shape == (1, 128)


def test_adding_twice_changes_nothing_on_disk(
    store: KnowledgeStore, embedder: CountingEmbedder, tmp_path: Path
) -> None:
    path = written(tmp_path, "a.md", made_text("a", 0))
    first = add_file(store, path, embedder, NONE)
    before, count = files(store.folder), embedder.embedded
    again = add_file(KnowledgeStore(store.root), path, embedder, NONE)
    copy = add_file(store, written(tmp_path / "elsewhere", "copy.md", made_text("a", 0)), embedder, NONE)
    assert (first.outcome, again.outcome, copy.outcome) == ("added", "unchanged", "unchanged")
    assert copy.document_id == first.document_id
    assert files(store.folder) == before
    assert embedder.embedded == count


def test_an_edit_embeds_only_what_changed_and_hides_the_old_version(
    store: KnowledgeStore, embedder: CountingEmbedder, tmp_path: Path
) -> None:
    path = written(tmp_path, "a.md", made_text("a", 0))
    first = add_file(store, path, embedder, Details(disease=("LUAD",), version="1"))
    path.write_text(made_text("a", 1), encoding="utf-8")
    second = add_file(store, path, embedder, Details(version="2"))
    assert second.outcome == "new version"
    assert second.document_id == first.document_id
    assert second.embedded == 3  # made_text changes every other part of six
    (record,) = store.records()
    assert [v.details.version for v in record.versions] == ["1", "2"]
    assert record.current.details.disease == ("LUAD",)  # still holds; the version did not
    texts = " ".join(p.text for p in loaded(store).passages)
    assert "edition 1" in texts
    kept = {p.passage_id for p in loaded(store).passages}
    path.write_text(made_text("a", 0), encoding="utf-8")
    back = add_file(store, path, embedder, NONE)
    assert (back.outcome, back.embedded) == ("new version", 0)
    assert len(kept & {p.passage_id for p in loaded(store).passages}) == 3  # ids of what did not change


def test_details_change_without_embedding(store: KnowledgeStore, embedder: CountingEmbedder, tmp_path: Path) -> None:
    path = written(tmp_path, "a.md", made_text("a", 0))
    add_file(store, path, embedder, NONE)
    count = embedder.embedded
    assert add_file(store, path, embedder, Details(disease=("LUAD",))).outcome == "details changed"
    assert {p.oncotree for p in loaded(store).passages} == {("LUAD",)}
    assert (embedder.embedded, len(store.records()[0].versions)) == (count, 1)


def test_a_folder_is_added_with_a_counted_list_of_what_was_refused(
    store: KnowledgeStore, embedder: CountingEmbedder, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    written(folder, "a.md", made_text("a", 0))
    written(folder / "sub", "b.txt", "Osimertinib is a drug.")
    written(folder, "empty.md", "")
    (folder / "slides.pptx").write_bytes(b"PK")
    (folder / ".hidden.md").write_text("no", encoding="utf-8")
    added, refused = add_path(store, folder, embedder, NONE)
    assert [a.file for a in added] == ["a.md", "b.txt"]
    assert {r.file for r in refused} == {"empty.md", "slides.pptx"}
    with pytest.raises(InputError, match="is not there"):
        add_path(store, tmp_path / "nowhere", embedder, NONE)


def test_bad_details_are_refused_before_anything_is_read() -> None:
    with pytest.raises(InputError, match="'LUADX' is not known"):
        Details(disease=("LUADX",))
    for date in ("30.5.2024", "2024-13", "2023-02-30"):
        with pytest.raises(InputError, match="is not ISO"):
            Details(date=date)


def test_remove_deletes_the_bytes(store: KnowledgeStore, embedder: CountingEmbedder, tmp_path: Path) -> None:
    done = add_file(store, written(tmp_path, "a.md", made_text("secretname", 0)), embedder, NONE)
    assert files_holding(store.root, [b"secretname"])[0]
    with store.writing():
        store.remove(done.document_id)
    assert files_holding(store.root, [b"secretname"])[0] == ()
    assert loaded(store).passages == ()
    with pytest.raises(InputError, match="radomica knowledge list"), store.writing():
        store.remove(done.document_id)


def test_update_reads_the_files_again(store: KnowledgeStore, embedder: CountingEmbedder, tmp_path: Path) -> None:
    paths = [written(tmp_path, f"{n}.md", made_text(n, 0)) for n in ("a", "b", "c")]
    ids = [add_file(store, p, embedder, NONE).document_id for p in paths]
    paths[1].write_text(made_text("b", 1), encoding="utf-8")
    paths[2].unlink()
    done, refused = update_documents(store, (), embedder)
    assert {d.document_id: d.outcome for d in done} == {ids[0]: "unchanged", ids[1]: "new version"}
    assert [r.reason for r in refused] == ["is no longer where it was; kept as it is"]
    assert {p.document_id for p in loaded(store).passages} == set(ids)
    with pytest.raises(InputError, match="no document 'x'"):
        update_documents(store, ("x",), embedder)


def test_another_embedder_is_refused_until_the_vectors_are_made_again(
    store: KnowledgeStore, embedder: CountingEmbedder, tmp_path: Path
) -> None:
    path = written(tmp_path, "a.md", made_text("a", 0))
    add_file(store, path, embedder, NONE)
    path.unlink()
    other = CountingEmbedder("another")
    with pytest.raises(SettingsError, match="1 of 1 added documents have vectors of the embedder 'hashed words'"):
        store.load(other.weights_sha256)
    with pytest.raises(SettingsError, match="update --reembed"):
        add_path(store, written(tmp_path, "b.md", "Text of b."), other, NONE)
    done, refused = update_documents(store, (), other, reembed=True)
    assert ([d.outcome for d in done], refused) == (["embedded again"], ())
    assert len(store.load(other.weights_sha256).passages) == 6


def test_a_store_of_another_form_or_patient_is_not_opened(
    store: KnowledgeStore, embedder: CountingEmbedder, tmp_path: Path
) -> None:
    add_file(store, written(tmp_path, "a.md", "Text of a."), embedder, NONE)
    (store.folder / "store.json").write_text(json.dumps({"format": 9, "owner": ""}), encoding="utf-8")
    with pytest.raises(SettingsError, match="a knowledge store of form 9; this Radomica reads form 1"):
        KnowledgeStore(store.root)
    hers = KnowledgeStore(store.root, patient_id="A")
    add_file(hers, written(tmp_path, "l.md", "A letter about the patient."), embedder, NONE)
    hers.folder.rename(KnowledgeStore(store.root, patient_id="B").folder)
    with pytest.raises(ContractError, match="not the one of the patient asked for"):
        KnowledgeStore(store.root, patient_id="B")


def test_a_file_cut_short_is_left_out_said_and_mended(
    store: KnowledgeStore, embedder: CountingEmbedder, tmp_path: Path
) -> None:
    done = add_file(store, written(tmp_path, "a.md", made_text("a", 0)), embedder, NONE)
    add_file(store, written(tmp_path, "b.md", "Text of b stays."), embedder, NONE)
    vectors = next((store.folder / "documents" / done.document_id).glob("*.npy"))
    vectors.write_bytes(vectors.read_bytes()[:-8])
    found = loaded(KnowledgeStore(store.root))
    assert [p.text for p in found.passages] == ["Text of b stays."]
    assert "missing or cut short" in found.problems[0]
    update_documents(KnowledgeStore(store.root), (done.document_id,), embedder)
    assert loaded(KnowledgeStore(store.root)).problems == ()


def test_what_a_kill_left_is_not_served_and_swept_by_the_next_writer(
    store: KnowledgeStore, embedder: CountingEmbedder, tmp_path: Path
) -> None:
    done = add_file(store, written(tmp_path, "a.md", "Text of a."), embedder, NONE)
    documents = store.folder / "documents"
    (documents / done.document_id).rename(documents / ".removed-0123")  # killed between rename and delete
    written(documents / "half-000000", "0123.jsonl", "{}")  # killed before the record was written
    written(documents / "half-000000", ".document.json.7.part", "{")
    fresh = KnowledgeStore(store.root)
    assert loaded(fresh).passages == ()
    assert fresh.records() == ()
    add_file(fresh, written(tmp_path, "b.md", "Text of b."), embedder, NONE)
    assert [p.name for p in documents.iterdir()] == [r.document_id for r in fresh.records()]


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="the writer to kill is a fork")
def test_five_kills_lose_nothing_that_was_acknowledged() -> None:
    """The quick version of ``radomica eval retrieval --only crash``."""
    tally = kill_often(5, seed=3)
    assert (tally.broken, tally.lost, tally.half) == ([], [], [])
    assert tally.kills == 5
    assert tally.reads == 5


# ---- one patient's documents ----------------------------------------------------------------------------------


def letter(store_root: Path, folder: Path, patient: str, embedder: WordEmbedder) -> Added:
    path = written(
        folder / patient, "letter.md", f"# Letter\n\nThe biopsy of {patient}-name showed progression in May.\n"
    )
    return add_file(KnowledgeStore(store_root, patient_id=patient), path, embedder, NONE)


def test_a_patients_document_is_reached_by_that_patient_alone(tmp_path: Path, embedder: CountingEmbedder) -> None:
    root, sha = tmp_path / "knowledge", WordEmbedder.weights_sha256
    for patient in ("A", "B"):
        letter(root, tmp_path, patient, embedder)
    documents = AddedDocuments(root)
    assert [p.patient_id for p in documents.load("A", sha).passages] == ["A"]
    assert "A-name" in documents.load("A", sha).passages[0].statement
    assert documents.load(None, sha).passages == ()
    assert documents.load("C", sha).passages == ()
    assert not any("A" in p.name.split("-") for p in root.rglob("*"))  # the id is in no file name
    with pytest.raises(InputError, match="patient id is empty"):
        KnowledgeStore(root, patient_id=" ")


def test_deleting_a_patient_leaves_no_byte_and_no_memory(tmp_path: Path, embedder: CountingEmbedder) -> None:
    root, sha = tmp_path / "knowledge", WordEmbedder.weights_sha256
    for patient in ("A", "B"):
        letter(root, tmp_path, patient, embedder)
    documents, passages = AddedDocuments(root), PatientPassages()
    assert len(passages.index("A", documents, sha)) == 1
    done = delete_patient(root, "A")
    assert (done.documents, done.passages, done.traces) == (1, 1, ())
    assert done.files_read_bytes > 0
    assert files_holding(root, [b"A-name"])[0] == ()
    with pytest.raises(ContractError, match="no notes are indexed for patient 'A'"):
        passages.index("A", documents, sha)  # gone for a process that had it open
    assert len(passages.index("B", documents, sha)) == 1


def test_a_trace_left_behind_is_found(tmp_path: Path, embedder: CountingEmbedder) -> None:
    """The check can fail: a copy of the vectors, of the text, and a name."""
    root = tmp_path / "knowledge"
    done = letter(root, tmp_path, "A", embedder)
    folder = KnowledgeStore(root, patient_id="A").folder / "documents" / done.document_id
    (root / "cache.bin").write_bytes(b"\0" * 5 + next(folder.glob("*.npy")).read_bytes())
    (root / "log.txt").write_text(
        "the biopsy; " + next(folder.glob("*.jsonl")).read_text(encoding="utf-8"), encoding="utf-8"
    )
    (root / f"{done.document_id}.tmp").touch()
    traces = delete_patient(root, "A").traces
    assert {Path(t).name for t in traces} == {"cache.bin", "log.txt", f"{done.document_id}.tmp"}


def test_notes_of_another_patient_cannot_be_held(tmp_path: Path) -> None:
    from encoders.patient import Note, Patient, SourceLocator  # noqa: PLC0415

    notes = note_passages(Patient("A", notes=(Note("The tumour grew in May.", SourceLocator("a.txt")),)))
    with pytest.raises(ContractError, match="notes are held by patient"):
        PatientPassages().set_notes("B", notes, np.ones((1, 4), np.float32))


def test_a_needle_across_a_window_border_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from retrieval import knowledge_files  # noqa: PLC0415

    monkeypatch.setattr(knowledge_files, "CHUNK_BYTES", 7)
    (tmp_path / "x").write_bytes(b"0123456789abcdefghij")
    for start in range(14):
        needle = b"0123456789abcdefghij"[start : start + 6]
        assert [p.name for p in files_holding(tmp_path, [needle])[0]] == ["x"]
    assert files_holding(tmp_path, [b"zz"]) == ((), 20)


def test_two_hundred_queries_beside_writers_never_cross() -> None:
    """The quick version of ``radomica eval retrieval --only scope``."""
    tally = query_beside_writers(200, seed=5)
    assert (tally.leaks, tally.traces, tally.writer_errors) == ([], [], [])
    assert tally.own_found == tally.own == 20
    assert tally.answered > 50


# ---- a real corpus --------------------------------------------------------------------------------------------


def test_the_pdq_documents_are_added_once_and_for_all(tmp_path: Path, embedder: CountingEmbedder) -> None:
    folder = OPEN_DATA / "knowledge/nci_pdq_qa"
    if not folder.is_dir():
        pytest.skip("the shared real data are not beside this repository")
    store = KnowledgeStore(tmp_path / "knowledge")
    paths = sorted(folder.glob("*.xml"))[:6]
    first = [add_file(store, p, embedder, NONE) for p in paths]
    again = [add_file(store, p, embedder, NONE) for p in paths]
    assert {a.outcome for a in first} == {"added"}
    assert {a.outcome for a in again} == {"unchanged"}
    found = loaded(store)
    assert len(found.passages) == sum(a.passages for a in first) == len({p.passage_id for p in found.passages}) > 150
    assert all(p.url and p.statement in " ".join(p.text.split()) for p in found.passages)
