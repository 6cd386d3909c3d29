"""Therapy rows of other sources in the store of added documents: written with source and version, read back.

A source (a CIViC file, a MOAlmanac folder, an OncoKB answer, a user's table) is a document without passages; its
statements lie beside its record, so that listing, new versions, removal and crash safety are the store's own.
Not known here: the files' forms (retrieval/importers), who is matched (retrieval/therapy_imported.py).
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from encoders.errors import InputError, SettingsError
from retrieval.corpus.builtin import load_therapy_rows
from retrieval.importers.read_source import read_source
from retrieval.importers.statements import Imported, SourceStatement
from retrieval.knowledge_record import DocumentRecord
from retrieval.knowledge_store import STATEMENTS, KnowledgeStore
from retrieval.passage import BiomarkerRule, Direction, TherapyRow

SUFFIXES = (".tsv", ".csv")
"""Endings that only therapy rows have among what is read; guidelines come in other forms."""

FORM = "therapy rows"


@dataclass(frozen=True)
class StoredSource:
    """One source as it was imported: ``label`` ("CIViC nightly.tsv") stands on every row of it."""

    document_id: str
    label: str
    imported: Imported


def is_therapy_source(path: Path) -> bool:
    """Whether a path is read as therapy rows: a table, a MOAlmanac folder, or a JSON file that is an OncoKB answer."""
    if path.is_dir():
        return any((folder / "propositions.json").is_file() for folder in (path, path / "referenced"))
    if path.suffix.lower() == ".json":
        try:
            found = json.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, UnicodeDecodeError, ValueError):
            return False
        return isinstance(found, dict) and {"query", "treatments"} <= found.keys()
    return path.suffix.lower() in SUFFIXES


def source_sha256(path: Path) -> str:
    """Hash of a file, or of the names and bytes of a folder's JSON files."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*.json")):
        digest.update(f"{file.name}\n".encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def read_statements(path: Path) -> Imported:
    """The statements of a source.

    Raises
    ------
    InputError: not readable (retrieval/importers), or no statement of it could be read, with the reasons counted.
    """
    imported = read_source(path)
    if not imported.statements:
        reasons = "; ".join(skipped_lines(imported)) or "the file is empty"
        raise InputError(f"{path.name}: no therapy statement could be read: {reasons}. Nothing was added.")
    return imported


def skipped_lines(imported: Imported) -> tuple[str, ...]:
    """One line a reason for statements that were not read, the commonest first."""
    counted = sorted(imported.skipped_by_reason().items(), key=lambda pair: -pair[1])
    return tuple(f"{number:,} statements not read: {reason}" for reason, number in counted)


def check_ids(store: KnowledgeStore, imported: Imported, document_id: str) -> None:
    """Raise InputError where a row has the id of a built-in row, or of a row of another source in the store."""
    own = {s.row.row_id for s in imported.statements}
    taken = sorted(own & {row.row_id for row in load_therapy_rows()})
    if taken:
        raise InputError(f"row_id {taken[0]!r} is that of a built-in row ({len(taken)} in all). Rename it in the file.")
    for other in stored_sources(store)[0]:
        taken = sorted(own & {s.row.row_id for s in other.imported.statements})
        if taken and other.document_id != document_id:
            raise InputError(
                f"row_id {taken[0]!r} ({len(taken)} in all) stands in {other.document_id} already. For a newer release "
                f"of it: radomica knowledge update {other.document_id} --from FILE; else rename the rows."
            )


# ---- on disk ------------------------------------------------------------------------------------------------------


def to_bytes(imported: Imported) -> bytes:
    """The stored form of a source's statements."""
    statements = [{"row": _filled(asdict(s.row)), "supports": s.supports} for s in imported.statements]
    said = {"source": imported.source, "version": imported.version, "statements": statements}
    return json.dumps(said, ensure_ascii=False).encode("utf-8")


def _filled(raw: Mapping[str, Any]) -> dict[str, Any]:
    """A dataclass as a mapping, without what is not filled."""
    kept = {name: _filled(value) if isinstance(value, Mapping) else value for name, value in raw.items()}
    kept = {name: value for name, value in kept.items() if value not in (None, ())}
    return kept | ({"also": [_filled(further) for further in kept["also"]]} if "also" in kept else {})


def from_bytes(data: bytes) -> Imported:
    """The other way round; raises ValueError where the form is another one."""
    try:
        raw = json.loads(data)
        statements = tuple(SourceStatement(_row(s["row"]), s["supports"]) for s in raw["statements"])
        return Imported(raw["source"], raw["version"], statements)
    except (KeyError, TypeError) as error:
        raise ValueError(f"therapy rows in another form ({error}); run radomica knowledge update") from error


def _row(raw: Mapping[str, Any]) -> TherapyRow:
    given = {k: _tuples(v) for k, v in raw.items()}
    return TherapyRow(**{**given, "rule": _rule(raw["rule"]), "direction": Direction(raw["direction"])})


def _rule(raw: Mapping[str, Any]) -> BiomarkerRule:
    names = {f.name for f in fields(BiomarkerRule)}
    if not raw.keys() <= names:
        raise ValueError(f"a biomarker rule has the fields {sorted(raw.keys() - names)}")
    given = {k: _tuples(v) for k, v in raw.items() if k != "also"}
    return BiomarkerRule(**given, also=tuple(_rule(r) for r in raw.get("also", ())))


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value


# ---- read back ----------------------------------------------------------------------------------------------------

_kept: dict[Path, tuple[str, tuple[StoredSource, ...], tuple[str, ...]]] = {}
_kept_lock = threading.Lock()


def stored_sources(store: KnowledgeStore) -> tuple[tuple[StoredSource, ...], tuple[str, ...]]:
    """Every source of the store as it is on disk now, and one line for each that could not be opened."""
    with _kept_lock:
        mark = store.change_mark()
        kept = _kept.get(store.folder)
        if kept is None or kept[0] != mark or kept[2]:
            kept = (mark, *_load(store, store.records()))
            _kept[store.folder] = kept
        return kept[1], kept[2]


def _load(store: KnowledgeStore, records: Iterable[DocumentRecord]) -> tuple[tuple[StoredSource, ...], tuple[str, ...]]:
    found, problems = [], []
    for record in records:
        if STATEMENTS not in record.current.sizes:
            continue
        try:
            imported = from_bytes(store.attached(record.document_id, record.current, STATEMENTS))
        except (OSError, ValueError) as error:
            problems.append(f"imported therapy rows, {record.document_id}: left out, {error}")
            continue
        label = source_label(imported.source, record.current.details.version, record.current.file)
        rows = [SourceStatement(replace(s.row, imported_from=label), s.supports) for s in imported.statements]
        found.append(StoredSource(record.document_id, label, replace(imported, statements=tuple(rows))))
    return tuple(found), tuple(problems)


def source_label(source: str, version: str | None, file: str) -> str:
    """ "CIViC 01-May-2026", or with the file's name where no version is known."""
    return " ".join(dict.fromkeys(part for part in (source, version or file) if part))


def sources_at(root: Path) -> tuple[tuple[StoredSource, ...], tuple[str, ...]]:
    """The sources of the store under ``root``; a store that cannot be opened is said, and none are used."""
    try:
        return stored_sources(KnowledgeStore(root))
    except (SettingsError, InputError) as error:
        return (), (f"imported therapy rows: not used, {error}",)
