"""`radomica knowledge ...`: guidelines and literature of your own, or documents of one patient.

What is added is searched beside the built-in passages by report, chat and serve. With --patient ID a document is
reached in that patient's case alone. Not known here: reading, splitting, storing (retrieval/knowledge_add.py).
Imports that take seconds stand inside the commands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.console import print_error, print_json, print_pairs, print_table, progress_line
from app.settings import apply_offline, read_settings
from encoders.errors import SettingsError

if TYPE_CHECKING:
    from retrieval.knowledge_add import Added, Refused
    from retrieval.knowledge_record import DocumentRecord, Version
    from retrieval.knowledge_store import KnowledgeStore

knowledge_app = typer.Typer(no_args_is_help=True, help="Your own guidelines, literature and patient documents.")

StoreOption = Annotated[
    Path | None, typer.Option("--store", metavar="DIR", help="Default: RADOMICA_KNOWLEDGE, else in the data home.")
]
PatientOption = Annotated[
    str | None, typer.Option("--patient", metavar="ID", help="Documents of this patient, seen in this case alone.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
IdsArgument = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="As listed.")]


@knowledge_app.command("add")
def add(
    path: Annotated[Path, typer.Argument(metavar="FILE|DIR", help="PDF, HTML, Markdown, text, JSONL, XML; CIViC")],
    *,
    disease: Annotated[
        list[str] | None, typer.Option("--disease", metavar="CODE", help="OncoTree code; may be given again.")
    ] = None,
    licence: Annotated[str | None, typer.Option(metavar="TEXT", help="Under which licence you may use it.")] = None,
    version: Annotated[str | None, typer.Option(metavar="V", help="The document's own version.")] = None,
    date: Annotated[str | None, typer.Option(metavar="ISO", help="2024, 2024-05 or 2024-05-30.")] = None,
    patient: PatientOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a file, or every readable file of a folder. Adding twice changes nothing."""
    from retrieval.knowledge_record import Details  # noqa: PLC0415

    details = Details(disease=tuple(disease) if disease else None, licence=licence, version=version, date=date)
    with progress_line("opening the embedder") as progress:
        from retrieval.embed import load_embedding  # noqa: PLC0415
        from retrieval.knowledge_add import add_path  # noqa: PLC0415

        opened = _store(store, patient)
        done, refused = add_path(opened, path, load_embedding(), details, progress=progress)
    _print_done(done, refused, as_json=as_json)


@knowledge_app.command("update")
def update(
    ids: IdsArgument = None,
    *,
    file: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="A newer file of the one document named.")
    ] = None,
    reembed: Annotated[
        bool, typer.Option("--reembed", help="Make the vectors again, with the embedder now in use.")
    ] = False,
    patient: PatientOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read the files again (all documents by default); what changed becomes a new version, the old one is hidden."""
    if file is not None and (len(ids or ()) != 1 or reembed):
        raise SettingsError("--from needs exactly one ID, and no --reembed.")
    with progress_line("opening the embedder") as progress:
        from retrieval.embed import load_embedding  # noqa: PLC0415
        from retrieval.knowledge_add import add_file, update_documents  # noqa: PLC0415
        from retrieval.knowledge_record import Details  # noqa: PLC0415

        opened, embedder = _store(store, patient), load_embedding()
        if file is not None and ids:
            done = (add_file(opened, file, embedder, Details(), document_id=ids[0], progress=progress),)
            refused: tuple[Refused, ...] = ()
        else:
            done, refused = update_documents(opened, ids or (), embedder, reembed=reembed, progress=progress)
    _print_done(done, refused, as_json=as_json)


@knowledge_app.command("list")
def list_documents(patient: PatientOption = None, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Every document and version: what it is, whether it is searched, what was skipped or looks like an instruction."""
    with progress_line("reading the list"):
        opened = _store(store, patient)
        records = opened.records()
    rows = [_row(record, version) for record in records for version in reversed(record.versions)]
    if as_json:
        print_json({"store": str(opened.root), "documents": rows})
        return
    print_pairs({_label(row): _line(row) for row in rows} or {"nothing": "no document has been added"})
    for row in rows:
        if row["status"] == "current" and row["flagged"]:
            said = f"{row['flagged']} passages talk to a language model; they are data and never followed"
            print_error(f"{row['id']}: {said}")
        for line in row["skipped"] if row["status"] == "current" else ():
            print_error(f"{row['id']}: {line}")


@knowledge_app.command("remove")
def remove(
    ids: IdsArgument = None, patient: PatientOption = None, store: StoreOption = None, as_json: JsonOption = False
) -> None:
    """Remove documents with all versions; with --patient and no ID all of that patient's, then look for traces."""
    if not ids and patient is None:
        raise SettingsError("name the documents to remove (radomica knowledge list), or --patient ID for all of one.")
    with progress_line("removing"):
        opened = _store(store, patient)
        found = _remove_patient(opened) if not ids else _remove_ids(opened, ids)
    if as_json:
        print_json(found)
    else:
        print_pairs({k: v for k, v in found.items() if v not in ([], None)})
    if found.get("traces"):
        raise typer.Exit(1)


def _remove_ids(store: KnowledgeStore, ids: Sequence[str]) -> dict[str, Any]:
    with store.writing():
        for document_id in ids:
            store.remove(document_id)
    return {"removed": list(ids)}


def _remove_patient(store: KnowledgeStore) -> dict[str, Any]:
    from retrieval.added_documents import delete_patient  # noqa: PLC0415
    from retrieval.embed import home_folder  # noqa: PLC0415

    cache = home_folder() / "passage_vectors"
    done = delete_patient(store.root, store.patient_id or "", searched=(cache,))
    return {
        "documents": done.documents,
        "passages": done.passages,
        "searched for traces": f"{done.files_read_bytes:,} bytes of {store.root} and {cache}",
        "traces": list(done.traces),
    }


def _store(folder: Path | None, patient: str | None) -> KnowledgeStore:
    apply_offline(read_settings())
    from retrieval.added_documents import knowledge_folder  # noqa: PLC0415
    from retrieval.knowledge_store import KnowledgeStore  # noqa: PLC0415

    return KnowledgeStore(folder or knowledge_folder(), patient_id=patient)


def _print_done(done: Sequence[Added], refused: Sequence[Refused], *, as_json: bool) -> None:
    if as_json:
        print_json({"documents": [asdict(d) for d in done], "refused": [asdict(r) for r in refused]})
        return
    columns = ("id", "outcome", "title", "passages", "embedded", "flagged")
    rows = [(d.document_id, d.outcome, d.title, str(d.passages), str(d.embedded), str(d.flagged)) for d in done]
    print_table(columns, rows)
    for one in done:
        for line in one.skipped:
            print_error(f"{one.document_id}: {line}")
    for one in refused:
        print_error(f"not added, {one.file}: {one.reason.removeprefix(f'{Path(one.file).name}: ')}")


def _label(row: dict[str, Any]) -> str:
    return row["id"] if row["status"] == "current" else f"{row['id']} superseded {row['sha256'][:6]}"


def _line(row: dict[str, Any]) -> str:
    """One version in words; what nobody said of it is left out."""
    version = f"version {row['version']}" if row["version"] else ""
    licence = f"licence {row['licence']}" if row["licence"] else ""
    passages = f"{row['passages']} passages" + (f" ({row['flagged']} flagged)" if row["flagged"] else "")
    said = (row["title"], row["form"], passages, version, row["date"], row["disease"], licence)
    return "; ".join(str(s) for s in said if s)


def _row(record: DocumentRecord, version: Version) -> dict[str, Any]:
    return {
        "id": record.document_id,
        "status": "current" if version is record.current else "superseded",
        "title": version.title,
        "form": version.form,
        "version": version.details.version,
        "date": version.details.date,
        "disease": ", ".join(version.details.disease or ()) or None,
        "licence": version.details.licence,
        "passages": version.passages,
        "flagged": version.flagged,
        "skipped": list(version.skipped),
        "file": version.file,
        "added": version.added,
        "sha256": version.sha256,
        "url": version.url,
    }
