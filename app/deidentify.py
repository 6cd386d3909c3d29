"""Who is named in a patient folder (``check_folder``), and a copy of it without them (``deidentify_folder``).

The check runs on every import and changes nothing. De-identification follows DICOM PS3.15's Basic Profile for images
and masks names, ids and dates of birth in texts, tables and FHIR; ids become one pseudonym everywhere in the folder.
What cannot be cleaned (PDF, structured reports, files nobody can read) is left out of the copy and said.
NOT done: text burned into pixels, faces in head scans, names nothing in the folder gives away, dates in notes and FHIR.
"""

from __future__ import annotations

import gzip
import json
import secrets
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from pydicom import FileDataset, dcmread

from app import deidentify_tags as tags
from app.deidentify_dicom import Options, Pseudonyms, clean, count_tags, identities
from app.deidentify_nifti import clear_header
from app.deidentify_text import Identities, Masker, clean_json, fhir_identities
from encoders.errors import InputError, RadomicaError
from encoders.read.dicom_tags import BROKEN, text
from encoders.read.sniff import FileKind, read_text, sniff

JSON_KINDS = (FileKind.FHIR, FileKind.RECORD, FileKind.SIDECAR)
TEXT_KINDS = (FileKind.NOTE, FileKind.MAF, FileKind.VCF, FileKind.EXPRESSION, FileKind.COPY_NUMBER, FileKind.FUSIONS,
              FileKind.TABLE_META)  # fmt: skip
NOT_DONE = (
    "text burned into the pixels was not looked for and not removed",
    "dates in notes and in the FHIR record were kept, but for the date of birth",
    "names that stand nowhere else in the folder and have no label were not found",
    "faces in scans of the head were not removed",
)
Progress = Callable[[str], None]


@dataclass
class FileLine:
    """What one file (or the like-found files of one folder) says about people: counts, never values."""

    file: str
    kind: str
    n_files: int = 1
    identifying: int = 0
    names: int = 0
    ids: int = 0
    births: int = 0
    dates: int = 0
    private: int = 0
    other: int = 0
    contacts: int = 0
    warning: str = ""


@dataclass
class Check:
    """What the check found; ``to_dict`` is what the store keeps with the case."""

    files: list[FileLine] = field(default_factory=list)

    @property
    def identified(self) -> int:
        """Files that alone can say who somebody is."""
        return sum(f.n_files for f in self.files if f.identifying or f.names or f.births or f.contacts)

    @property
    def burned_in(self) -> int:
        """Files whose pixels may hold text."""
        return sum(f.n_files for f in self.files if f.kind == FileKind.DICOM and f.warning)

    def to_dict(self) -> dict[str, Any]:
        """Counts and one line a file; like files of one folder share a line."""
        lines = [{k: v for k, v in asdict(f).items() if v} for f in self.files]
        return {"identified_files": self.identified, "burned_in_files": self.burned_in, "files": lines}


@dataclass
class Deidentified:
    """What de-identification did. left_out: file -> why; changed: elements and places changed, by kind."""

    files: int = 0
    changed: Counter[str] = field(default_factory=Counter)
    left_out: dict[str, str] = field(default_factory=dict)
    burned_in: int = 0
    options: Options = field(default_factory=Options)

    def to_dict(self) -> dict[str, Any]:
        """For the store, the API and ``--json``."""
        lost = () if self.options.keep_dates else ("dates in image headers are gone: no time points, no SUV",)
        return {
            "files": self.files, "changed": dict(self.changed), "left_out": self.left_out,
            "burned_in_files": self.burned_in, "options": asdict(self.options), "not_done": [*NOT_DONE, *lost],
        }  # fmt: skip


def check_folder(folder: Path, *, progress: Progress | None = None) -> Check:
    """Count in every file what says who somebody is; the files are only read."""
    files = list(_walk(folder))
    masker = Masker(_identities(files, progress), lambda _: "")
    lines = [_check_file(path, name, kind, masker) for path, name, kind in files]
    return Check(_grouped(lines))


def deidentify_folder(
    folder: Path, out: Path, options: Options | None = None, *, progress: Progress | None = None
) -> Deidentified:
    """Write a copy of ``folder`` without names into ``out``, which must be empty or not there.

    Raises
    ------
    InputError: ``out`` holds files already, or lies inside ``folder``.
    """
    if out.exists() and any(out.iterdir()):
        raise InputError(f"{out} holds files already; give a new folder.")
    if out.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"{out} lies inside {folder}; give a folder beside it.")
    pseudonyms = Pseudonyms(secrets.token_hex(32))
    files = list(_walk(folder))
    masker = Masker(_identities(files, progress), pseudonyms.patient)
    done = Deidentified(options=options or Options())
    for path, name, kind in files:
        shown, _ = masker.mask(name)
        target = _free(out / shown)
        target.parent.mkdir(parents=True, exist_ok=True)
        why = _copy(path, name, kind, target, masker, pseudonyms, done)
        if why:
            target.unlink(missing_ok=True)
            done.left_out[shown] = why
        else:
            done.files += 1
    if not done.files:
        raise InputError(
            f"nothing in {folder.name} can be de-identified: {'; '.join(sorted(set(done.left_out.values())))}."
        )
    return done


def deidentify_in_place(folder: Path, options: Options | None = None) -> dict[str, Any]:
    """De-identify an incoming folder before it is kept; a check for CaseFiles.add_zip. Says what was done and found."""
    whole = folder.with_name(f"{folder.name}.named")
    folder.rename(whole)
    done = deidentify_folder(whole, folder, options)
    shutil.rmtree(whole)
    return {**check_folder(folder).to_dict(), "deidentified": done.to_dict()}


def _copy(
    path: Path,
    name: str,
    kind: FileKind | None,
    target: Path,
    masker: Masker,
    pseudonyms: Pseudonyms,
    done: Deidentified,
) -> str:
    """Write one clean file; "" or why it is left out."""
    if kind is FileKind.DICOM:
        return _copy_dicom(path, target, pseudonyms, done)
    if kind is FileKind.NIFTI:
        return clear_header(path, target)
    if kind not in (*JSON_KINDS, *TEXT_KINDS):
        return f"a file of kind {kind or 'unreadable'} cannot be cleaned"
    try:
        content = read_text(path, name)
    except RadomicaError:
        return "unreadable"
    cleaned = _clean_json_text(content, masker, done.changed) if kind in JSON_KINDS else None
    if cleaned is None:
        cleaned, counts = masker.mask(content)
        done.changed.update(counts)
    data = cleaned.encode("utf-8")
    target.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
    return ""


def _copy_dicom(path: Path, target: Path, pseudonyms: Pseudonyms, done: Deidentified) -> str:
    try:
        dataset = dcmread(path, force=True)
        if "SOPInstanceUID" not in dataset:
            return "no image: a directory or a damaged file"
        if text(dataset, "Modality") in tags.STRUCTURED:
            return "structured text cannot be cleaned"
        done.burned_in += _check_dicom("", dataset).warning != ""
        done.changed["tags"] += clean(dataset, pseudonyms, done.options)
        dataset.save_as(target, enforce_file_format=True)
    except BROKEN as error:
        return f"damaged ({type(error).__name__})"
    return ""


def _clean_json_text(content: str, masker: Masker, changed: Counter[str]) -> str | None:
    """Cleaned JSON or NDJSON; None where it is neither."""
    counts: dict[str, int] = {}
    found = _parsed(content)
    if not found:
        return None
    cleaned = [json.dumps(clean_json(f, masker, counts), ensure_ascii=False) for f in found]
    changed.update(counts)
    return "\n".join(cleaned) + "\n"


def _parsed(content: str) -> list[Any]:
    """The JSON values of a file: one, or one a line."""
    try:
        return [json.loads(content)]
    except ValueError:
        try:
            return [json.loads(line) for line in content.splitlines() if line.strip()]
        except ValueError:
            return []


def _walk(folder: Path) -> Iterator[tuple[Path, str, FileKind | None]]:
    """(path, name inside the folder, kind); None where a reader refuses the file."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink()):
        name = path.relative_to(folder).as_posix()
        try:
            yield path, name, sniff(path, name).kind
        except RadomicaError:
            yield path, name, None


def _identities(files: Iterable[tuple[Path, str, FileKind | None]], progress: Progress | None) -> Identities:
    known = Identities()
    for path, name, kind in files:
        if progress:
            progress(f"looking for names: {kind or 'unreadable'}")
        if kind is FileKind.DICOM and (dataset := _header(path)) is not None:
            names, ids, birth = identities(dataset)
            for one in names:
                known.add_name(one)
            for one in ids:
                known.add_id(one)
            known.add_birth(birth)
        elif kind in (FileKind.FHIR, FileKind.RECORD):
            for found in _parsed(_text_or_nothing(path, name)):
                fhir_identities(found, known)
                if isinstance(found, dict) and kind is FileKind.RECORD:
                    known.add_id(str(found.get("patient_id") or ""))
    return known


def _check_file(path: Path, name: str, kind: FileKind | None, masker: Masker) -> FileLine:
    if kind is FileKind.DICOM:
        dataset = _header(path)
        return _check_dicom(name, dataset) if dataset is not None else FileLine(name, "DICOM", warning="damaged")
    if kind in (FileKind.FHIR, FileKind.RECORD, FileKind.NOTE, FileKind.SIDECAR):
        known = Identities()
        for found in _parsed(_text_or_nothing(path, name)) if kind is FileKind.FHIR else ():
            fhir_identities(found, known)
        counts = masker.mask(_text_or_nothing(path, name))[1]
        births = max(counts["births"], len(known.births))
        return FileLine(name, str(kind), names=counts["names"], ids=counts["ids"] + len(known.ids), births=births,
                        contacts=counts["contacts"])  # fmt: skip
    warning = "not looked into" if kind in (FileKind.PDF, FileKind.UNKNOWN, None) else ""
    return FileLine(name, str(kind or "unreadable"), warning=warning)


def _check_dicom(name: str, dataset: FileDataset) -> FileLine:
    found = count_tags(dataset)
    return FileLine(
        name, str(FileKind.DICOM), identifying=found.identifying, names=found.names, dates=found.dates,
        private=found.private, other=found.other, warning=found.burned_in,
    )  # fmt: skip


def _header(path: Path) -> FileDataset | None:
    try:
        return dcmread(path, stop_before_pixels=True, force=True)
    except BROKEN:
        return None


def _text_or_nothing(path: Path, name: str) -> str:
    try:
        return read_text(path, name)
    except RadomicaError:
        return ""


def _grouped(lines: list[FileLine]) -> list[FileLine]:
    """DICOM files of one folder that say the same as one line."""
    made: dict[tuple[Any, ...], FileLine] = {}
    for line in lines:
        if line.kind != FileKind.DICOM:
            made[(line.file,)] = line
            continue
        folder = str(PurePosixPath(line.file).parent)
        key = (folder, *(v for k, v in asdict(line).items() if k not in ("file", "n_files")))
        if key in made:
            made[key].n_files += 1
            made[key].file = f"{folder}/"
        else:
            made[key] = line
    return list(made.values())


def _free(path: Path) -> Path:
    """A path nothing has yet: masking may make two names one."""
    number = 2
    free = path
    while free.exists():
        free = path.with_name(f"{number}-{path.name}")
        number += 1
    return free
