"""Files -> documents in the store: read, split, embed what is new, write, and only then say so.

Adding a file twice changes nothing. A file that changed becomes a new version of its document; only passages whose
text is new are embedded. Not known here: commands (app/cli_knowledge.py), search.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from encoders.errors import InputError
from retrieval.chunk import sentence_windows
from retrieval.document_split import Piece, key_statement, split_record
from retrieval.documents.block import Document, Record
from retrieval.documents.read import READERS, read_document
from retrieval.index import embedded_text
from retrieval.instruction_like import INSTRUCTION_LIKE
from retrieval.knowledge_record import Details, DocumentRecord, Version, check_date
from retrieval.knowledge_rows import embedded_sha256, passage_of
from retrieval.knowledge_store import STATEMENTS, KnowledgeStore, TextEmbedder, check_embedder
from retrieval.notes import MIN_WORDS
from retrieval.therapy_store import (
    FORM,
    check_ids,
    is_therapy_source,
    read_statements,
    skipped_lines,
    source_sha256,
    to_bytes,
)

RULES = 1
"""Version of reading and splitting; a document split by another one is split again when it is added again."""

EMBEDDED_AT_ONCE = 256
Progress = Callable[[str], None] | None


@dataclass(frozen=True)
class Added:
    """What became of one file.

    outcome : "added", "new version", "unchanged", "details changed" or "embedded again"
    passages : of the document now; embedded : how many of them had to be embedded
    """

    outcome: str
    document_id: str
    title: str
    file: str
    passages: int
    embedded: int
    flagged: int
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True)
class Refused:
    """A file that was not added, and why."""

    file: str
    reason: str


def add_path(
    store: KnowledgeStore, path: Path, embedder: TextEmbedder, details: Details, *, progress: Progress = None
) -> tuple[tuple[Added, ...], tuple[Refused, ...]]:
    """Add a file, or every readable file of a folder; each is there for good once the next one begins.

    Raises
    ------
    InputError: no such path; a single file that cannot be read; a folder without a file of a known form.
    SettingsError: the documents there are embedded by another embedder.
    """
    if not path.exists():
        raise InputError(f"{path} is not there; give a file or a folder of documents.")
    if is_therapy_source(path):
        return (add_file(store, path, embedder, details, progress=progress),), ()
    check_embedder(store.records(), embedder.weights_sha256)
    if not path.is_dir():
        return (add_file(store, path, embedder, details, progress=progress),), ()
    files, refused = _files(path)
    if not files:
        raise InputError(f"{path}: no file to read; allowed endings: {', '.join(READERS)}.")
    added: list[Added] = []
    for number, file in enumerate(files, start=1):
        if progress:
            progress(f"file {number} of {len(files)}: {file.name}")
        try:
            added.append(add_file(store, file, embedder, details))
        except InputError as error:
            refused.append(Refused(str(file.relative_to(path)), str(error)))
    return tuple(added), tuple(refused)


def _files(folder: Path) -> tuple[list[Path], list[Refused]]:
    files, refused = [], []
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if any(part.startswith(".") for part in inside.parts) or not path.is_file():
            continue
        if path.suffix.lower() in READERS or is_therapy_source(path):
            files.append(path)
        else:
            refused.append(Refused(str(inside), f"the form {path.suffix or 'without ending'} is not read"))
    return files, refused


def add_file(
    store: KnowledgeStore,
    path: Path,
    embedder: TextEmbedder,
    details: Details,
    *,
    document_id: str | None = None,
    progress: Progress = None,
) -> Added:
    """Add one file, as a new version of ``document_id`` where that is given.

    Raises
    ------
    InputError: the file cannot be read (retrieval/documents/read.py); no document of that id.
    UnavailableError: another writer holds the store.

    Notes
    -----
    Therapy rows of another source (retrieval/therapy_store.py) are a document without passages.
    """
    if is_therapy_source(path):
        return _add_therapies(store, path, embedder, details, document_id=document_id)
    document, data = read_document(path)
    sha256 = hashlib.sha256(data).hexdigest()
    with store.writing():
        if document_id is None:
            record = store.record(_document_id(path)) or store.with_content(sha256)
        else:
            record = _known(store, document_id)
        whole = _details(details, document, record, sha256)
        if record is not None and (done := _known_content(store, record, sha256, whole)) is not None:
            return done
        rows = list(_rows(document, patient=store.patient_id is not None))
        if not rows:
            raise InputError(f"{path.name}: holds no text; nothing can be searched in it.")
        version = Version(
            sha256=sha256, title=document.title, form=document.form, file=path.name, path=str(path.resolve()),
            added=_now(), segment="", sizes={}, passages=len(rows), flagged=sum(r["instruction_like"] for r in rows),
            details=whole, embedder=embedder.model_name, weights_sha256=embedder.weights_sha256, rules=RULES,
            skipped=_skipped(document), url=document.url,
        )  # fmt: skip
        target = record or DocumentRecord(_document_id(path), ())
        return _write(store, target, version, rows, embedder, progress=progress)


def _add_therapies(
    store: KnowledgeStore, path: Path, embedder: TextEmbedder, details: Details, *, document_id: str | None
) -> Added:
    """Add the therapy rows of a source; they belong to no patient."""
    if store.patient_id is not None:
        raise InputError(f"{path.name}: therapy rows belong to no patient; add them without --patient.")
    imported, sha256 = read_statements(path), source_sha256(path)
    with store.writing():
        if document_id is None:
            record = store.record(_document_id(path)) or store.with_content(sha256)
        else:
            record = _known(store, document_id)
        stated = Details(version=imported.version if imported.version not in ("", path.name) else None)
        said = [details] if record is None else [details, record.current.details]
        whole = said[0].over(stated) if record is None or record.current.sha256 != sha256 else said[0].over(said[1])
        if record is not None and (done := _known_content(store, record, sha256, whole)) is not None:
            return done
        target = record or DocumentRecord(_document_id(path), ())
        check_ids(store, imported, target.document_id)
        version = Version(
            sha256=sha256, title=f"{imported.source}: {len(imported.statements):,} therapy rows", form=FORM,
            file=path.name, path=str(path.resolve()), added=_now(), segment="", sizes={}, passages=0, flagged=0,
            details=whole, embedder=embedder.model_name, weights_sha256=embedder.weights_sha256, rules=RULES,
            skipped=skipped_lines(imported),
        )  # fmt: skip
        nothing = np.zeros((0, 1), np.float32)
        segment = store.write_segment(target.document_id, (), nothing, {STATEMENTS: to_bytes(imported)})
        stored = replace(version, segment=segment, sizes=store.sizes(target.document_id, segment))
        others = tuple(v for v in target.versions if v.sha256 != sha256)
        new = DocumentRecord(target.document_id, (*others, stored))
        store.commit(new)
        return _added("new version" if target.versions else "added", new, 0)


def _known(store: KnowledgeStore, document_id: str) -> DocumentRecord:
    record = store.record(document_id)
    if record is None:
        raise InputError(f"no document {document_id!r}; radomica knowledge list shows the ids.")
    return record


def _details(given: Details, document: Document, record: DocumentRecord | None, sha256: str) -> Details:
    """What is said now, over what the file states, over what still holds from before.

    Of the same content everything said before holds; of an earlier version its diseases and licence alone.
    """
    stated = Details(licence=document.licence, version=document.version, date=_stated_date(document))
    if record is None:
        return given.over(stated)
    before = record.current.details
    if record.current.sha256 == sha256:
        return given.over(before)
    return given.over(stated.over(Details(disease=before.disease, licence=before.licence)))


def _known_content(store: KnowledgeStore, record: DocumentRecord, sha256: str, details: Details) -> Added | None:
    """What to do with content that the document has, or had: nothing, new details, or an earlier version again."""
    had = [v for v in record.versions if v.sha256 == sha256 and v.rules == RULES]
    had = [v for v in had if store.is_whole(record.document_id, v)]
    if not had:
        return None
    version = replace(had[-1], details=details)
    if version == record.current:
        return _added("unchanged", record, 0)
    others = tuple(v for v in record.versions if v is not had[-1])
    changed = DocumentRecord(record.document_id, (*others, version))
    store.commit(changed)
    return _added("details changed" if had[-1] is record.current else "new version", changed, 0)


def _write(
    store: KnowledgeStore,
    record: DocumentRecord,
    version: Version,
    rows: list[dict[str, Any]],
    embedder: TextEmbedder,
    *,
    progress: Progress = None,
    outcome: str | None = None,
) -> Added:
    """Embed what is new, write the segment, commit; versions of the same content are replaced."""
    known = store.vectors_by_text(record if record.versions else None, embedder.weights_sha256)
    passages = [passage_of(row, record.document_id, version, store.patient_id) for row in rows]
    for row, passage in zip(rows, passages, strict=True):
        row["embedded_sha256"] = embedded_sha256(passage)
    texts = {row["embedded_sha256"]: embedded_text(p) for row, p in zip(rows, passages, strict=True)}
    missing = [key for key in texts if key not in known]
    made = _embed([texts[key] for key in missing], embedder, progress)
    known |= dict(zip(missing, made, strict=True))
    segment = store.write_segment(record.document_id, rows, np.stack([known[r["embedded_sha256"]] for r in rows]))
    whole = replace(version, segment=segment, sizes=store.sizes(record.document_id, segment))
    others = tuple(v for v in record.versions if v.sha256 != version.sha256)
    new = DocumentRecord(record.document_id, (*others, whole))
    store.commit(new)
    return _added(outcome or ("new version" if record.versions else "added"), new, len(missing))


def _embed(texts: Sequence[str], embedder: TextEmbedder, progress: Progress) -> Iterator[NDArray[np.float32]]:
    for start in range(0, len(texts), EMBEDDED_AT_ONCE):
        if progress:
            progress(f"embedding passages {start} of {len(texts)}")
        yield from embedder.encode(texts[start : start + EMBEDDED_AT_ONCE])


def embed_again(store: KnowledgeStore, document_id: str, embedder: TextEmbedder) -> Added:
    """Vectors of the current version by another embedder, from the passages stored; the file is not needed."""
    with store.writing():
        record = _known(store, document_id)
        if not record.current.passages:
            return _added("unchanged", record, 0)
        rows = store.rows(record)
        version = replace(record.current, embedder=embedder.model_name, weights_sha256=embedder.weights_sha256)
        return _write(store, record, version, rows, embedder, outcome="embedded again")


def update_documents(
    store: KnowledgeStore,
    document_ids: Sequence[str],
    embedder: TextEmbedder,
    *,
    reembed: bool = False,
    progress: Progress = None,
) -> tuple[tuple[Added, ...], tuple[Refused, ...]]:
    """Read the files of documents again (all of them when none is named); what has no file any more is kept as it is.

    Raises
    ------
    InputError: no document of that id.
    """
    for document_id in document_ids:
        _known(store, document_id)
    added: list[Added] = []
    refused: list[Refused] = []
    for document_id in document_ids or [r.document_id for r in store.records()]:
        record = store.record(document_id)
        if record is None:  # removed by another command since it was listed
            continue
        if progress:
            progress(f"{document_id}: {record.current.file}")
        try:
            if reembed:
                added.append(embed_again(store, document_id, embedder))
            elif Path(record.current.path).exists():
                path = Path(record.current.path)
                added.append(add_file(store, path, embedder, Details(), document_id=document_id))
            else:
                refused.append(Refused(record.current.file, "is no longer where it was; kept as it is"))
        except InputError as error:
            refused.append(Refused(record.current.file, str(error)))
    return tuple(added), tuple(refused)


# ---- passages of a document ---------------------------------------------------------------------------------------


def _rows(document: Document, *, patient: bool) -> Iterator[dict[str, Any]]:
    """The passages of a document as they are stored; an id is made of what the passage says, so edits keep the rest."""
    seen: dict[str, int] = {}
    for record in document.records:
        for piece in split_record(record):
            for text, statement in _statements(piece) if patient else ((piece.text, key_statement(piece.text)),):
                section = [s for s in piece.section if s != record.title]
                said = "\n".join((record.record_id or "", record.title, *section, statement if patient else "", text))
                key = hashlib.sha256(said.encode()).hexdigest()[:12]
                seen[key] = seen.get(key, 0) + 1
                yield {
                    "id": key if seen[key] == 1 else f"{key}-{seen[key]}",
                    "record": record.record_id,
                    "title": f"{record.title}: {section[-1]}" if section else record.title,
                    "section": section,
                    "page": piece.page,
                    "line": piece.line,
                    "text": text,
                    "statement": statement,
                    "pmid": record.pmid,
                    "url": record.url,
                    "date": record.date,
                    "sha256": hashlib.sha256(text.encode()).hexdigest(),
                    "instruction_like": _is_instruction_like(record, piece),
                }


def _statements(piece: Piece) -> Iterator[tuple[str, str]]:
    """(window, sentence) of each sentence of a patient's document, as for the notes of a patient folder."""
    for sentence in sentence_windows(piece.text):
        if len(sentence.text.split()) >= MIN_WORDS:
            yield sentence.window, sentence.text


def _is_instruction_like(record: Record, piece: Piece) -> bool:
    whole = " ".join((record.title, *piece.section, piece.text))
    return INSTRUCTION_LIKE.search(" ".join(whole.split())) is not None


def _stated_date(document: Document) -> str | None:
    """The date the file states, where it is a date; anything else is left out rather than guessed (``_skipped``)."""
    try:
        return check_date(document.date) if document.date else None
    except InputError:
        return None


def _skipped(document: Document) -> tuple[str, ...]:
    if document.date and _stated_date(document) is None:
        return (*document.skipped, f"states the date {document.date[:40]!r}, which is not ISO; kept without a date")
    return document.skipped


def _document_id(path: Path) -> str:
    """Readable, and the same for the same place: "nccn-lung-3f9a1c"."""
    words = re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-")[:40].strip("-")
    return f"{words or 'document'}-{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:6]}"


def _added(outcome: str, record: DocumentRecord, embedded: int) -> Added:
    now = record.current
    return Added(outcome, record.document_id, now.title, now.file, now.passages, embedded, now.flagged, now.skipped)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
