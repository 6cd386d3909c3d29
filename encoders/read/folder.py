"""A patient folder -> Patient: walk, tell files by content, read, check that it is one person, assemble.

    patient = read_patient(Path("patient-1"))

What this module does not know: which of two disagreeing records is right (the plain record goes before FHIR, and
a warning says so), and the files' formats (one reader each).
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType

from encoders.errors import InputError
from encoders.patient import (
    CopyNumber,
    Expression,
    Fusion,
    ImagingSeries,
    ModalityName,
    Note,
    Patient,
    Variant,
)
from encoders.read.archive import extract_archive
from encoders.read.combine import combine_facts, merge_variants
from encoders.read.copy_number import read_copy_number
from encoders.read.dicom import DicomFile, read_header, read_imaging
from encoders.read.expression import read_expression
from encoders.read.fhir import read_fhir
from encoders.read.fusions import read_fusions
from encoders.read.identity import FileIds, one_patient
from encoders.read.nifti import read_nifti
from encoders.read.notes import note_patient_id, read_note, read_pdf
from encoders.read.reading import Facts, Reading
from encoders.read.record import read_record
from encoders.read.sniff import FileKind, sniff
from encoders.read.variants import read_maf
from encoders.read.vcf import NO_ANNOTATION, read_vcf

Progress = Callable[[str], None]

ABSENT = {
    ModalityName.IMAGING: "no CT, MR or PET images in the folder",
    ModalityName.EXPRESSION: "no gene expression table in the folder",
    ModalityName.VARIANTS: "no MAF or VCF in the folder",
    ModalityName.COPY_NUMBER: "no copy-number table in the folder",
    ModalityName.FUSIONS: "no gene fusion table in the folder",
    ModalityName.METHYLATION: "no methylation table in the folder",
    ModalityName.PROTEINS: "no protein table in the folder",
    ModalityName.CLINICAL: "no FHIR record or JSON record in the folder",
    ModalityName.NOTES: "no text or PDF notes in the folder",
}
"""What Patient.missing says of a modality of which no file was found."""


@dataclass
class _Found:
    """What has been read so far."""

    facts: list[tuple[str, Facts]] = field(default_factory=list)
    dicom: list[DicomFile] = field(default_factory=list)
    series: list[ImagingSeries] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    expression: list[Expression] = field(default_factory=list)
    variants: list[tuple[Variant, ...]] = field(default_factory=list)
    copy_number: list[tuple[CopyNumber, ...]] = field(default_factory=list)
    fusions: list[tuple[Fusion, ...]] = field(default_factory=list)
    samples: list[FileIds] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    unread: dict[ModalityName, str] = field(default_factory=dict)


def read_patient(folder: Path, *, allow_mixed_ids: bool = False, progress: Progress | None = None) -> Patient:
    """Read everything a patient's folder (or a .zip of it) holds.

    Parameters
    ----------
    folder : the patient's folder, searched to any depth; or a zip file of it
    allow_mixed_ids : take files with different patient ids as one person's (research sets that were anonymised
        apart); the ids found are listed in ``Patient.warnings``

    Raises
    ------
    InputError: no such folder, nothing readable in it, a damaged or impossible file (named), or two patients.
    """
    folder = Path(folder)
    if folder.is_file() and folder.suffix.lower() == ".zip":
        with tempfile.TemporaryDirectory(prefix="radomica-") as target:
            inside = extract_archive(folder, Path(target))
            return read_patient(inside, allow_mixed_ids=allow_mixed_ids, progress=progress)
    if not folder.is_dir():
        raise InputError(f"{folder.name}: not a folder; give the folder (or .zip) that holds one patient's files.")
    say = progress or (lambda _: None)
    paths = sorted(p for p in folder.rglob("*") if p.is_file())
    say(f"{len(paths)} files found")
    found, tables = _read_records(folder, paths, allow_mixed_ids)
    before = _identities(found, folder)
    known = one_patient(before, (), allow_mixed_ids=allow_mixed_ids).known
    for path, name, kind in tables:
        say(f"reading {name} ({kind.value})")
        _read_table(path, name, kind, known, allow_mixed_ids, found)
    identity = one_patient(before, found.samples, allow_mixed_ids=allow_mixed_ids)
    if found.dicom:
        say(f"reading {len(found.dicom)} DICOM files")
    _read_images(found)
    if not _anything(found):
        raise InputError(
            f"{folder.name}: nothing readable in the folder ({len(paths)} files). Put in DICOM, NIfTI, expression, MAF, "
            f"VCF, copy-number, FHIR or text files.{' Not read: ' + '; '.join(found.skipped[:3]) if found.skipped else ''}"
        )
    found.warnings[:0] = identity.warnings
    return _assemble(found, identity.patient_id or folder.name)


def _read_records(
    folder: Path, paths: Sequence[Path], allow_mixed_ids: bool
) -> tuple[_Found, list[tuple[Path, str, FileKind]]]:
    """First pass: records, notes and DICOM headers, which say whose the files are; tables wait for that."""
    found, tables = _Found(), []
    junk: Counter[str] = Counter()
    for path in paths:
        name = path.relative_to(folder).as_posix()
        sniffed = sniff(path, name)
        if sniffed.kind is FileKind.JUNK:
            junk[sniffed.reason] += 1
        elif sniffed.kind is FileKind.UNKNOWN:
            found.skipped.append(f"{name}: {sniffed.reason}")
        elif sniffed.kind in (FileKind.SIDECAR, FileKind.TABLE_META):
            continue
        elif sniffed.kind in _TABLE_READERS:
            tables.append((path, name, sniffed.kind))
        else:
            _read_record(path, name, sniffed.kind, found)
    found.skipped.extend(f"{n} file(s): {reason}" for reason, n in sorted(junk.items()))
    return found, tables


def _read_record(path: Path, name: str, kind: FileKind, found: _Found) -> None:
    if kind is FileKind.DICOM:
        header = read_header(path, name)
        if header is None:
            found.skipped.append(f"{name}: a DICOM directory index; the images themselves are read")
        else:
            found.dicom.append(header)
    elif kind is FileKind.FHIR:
        found.facts.append((name, read_fhir(path, name)))
    elif kind is FileKind.RECORD:
        found.facts.insert(0, (name, read_record(path, name)))
    elif kind is FileKind.NIFTI:
        _keep(read_nifti(path, name), found.series, found, ModalityName.IMAGING)
    elif kind is FileKind.PDF:
        _keep(read_pdf(path, name), found.notes, found, ModalityName.NOTES)
    elif kind is FileKind.NOTE:
        found.notes.append(read_note(path, name))


def _keep(value: object, into: list, found: _Found, modality: ModalityName) -> None:
    """A value is kept; a text is the reason why there is none."""
    if isinstance(value, str):
        found.skipped.append(value)
        found.unread[modality] = value
    else:
        into.append(value)


def _identities(found: _Found, folder: Path) -> list[FileIds]:
    ids = [
        FileIds(name, facts.ids, 0 if facts.sources and name in str(facts.sources) and not facts.variants else 1)
        for name, facts in found.facts
    ]
    seen: set[str] = set()
    for file in found.dicom:
        if file.patient_id and file.patient_id not in seen:
            seen.add(file.patient_id)
            ids.append(FileIds(file.name, (file.patient_id,), 2))
    for note in found.notes:
        written = note_patient_id(note)
        if written:
            ids.append(FileIds(note.source.file, (written,), 3))
    return ids


_TABLE_READERS = {
    FileKind.EXPRESSION: read_expression,
    FileKind.MAF: read_maf,
    FileKind.VCF: None,
    FileKind.COPY_NUMBER: read_copy_number,
    FileKind.FUSIONS: read_fusions,
}


def _read_table(
    path: Path, name: str, kind: FileKind, known: tuple[str, ...], allow_mixed_ids: bool, found: _Found
) -> None:
    reader = _TABLE_READERS[kind]
    reading: Reading = (
        read_vcf(path, name)
        if reader is None
        else reader(path, name, patient_ids=known, allow_any_sample=allow_mixed_ids)
    )
    found.warnings.extend(reading.warnings)
    found.skipped.extend(reading.skipped)
    if reading.sample_ids:
        found.samples.append(FileIds(name, reading.sample_ids, 4))
    into = {
        FileKind.EXPRESSION: found.expression,
        FileKind.MAF: found.variants,
        FileKind.VCF: found.variants,
        FileKind.COPY_NUMBER: found.copy_number,
        FileKind.FUSIONS: found.fusions,
    }[kind]
    if reading.value is None:
        found.unread[ModalityName.VARIANTS] = f"{name}: {NO_ANNOTATION}"
    else:
        into.append(reading.value)


def _read_images(found: _Found) -> None:
    if not found.dicom:
        return
    from encoders.read.segments import attach_segments  # noqa: PLC0415  highdicom takes a second to import

    reading = read_imaging(found.dicom)
    series, unplaced = attach_segments(reading.series, reading.segmentations)
    found.series.extend(series)
    found.skipped.extend((*reading.skipped, *unplaced))
    if not found.series and reading.skipped:
        found.unread[ModalityName.IMAGING] = reading.skipped[0]


def _anything(found: _Found) -> bool:
    holders = (
        found.facts,
        found.series,
        found.notes,
        found.expression,
        found.variants,
        found.copy_number,
        found.fusions,
    )
    return any(holders)


def _assemble(found: _Found, patient_id: str) -> Patient:
    facts, disagreements = combine_facts(found.facts)
    found.warnings.extend((*disagreements, *facts.warnings))
    found.skipped.extend(facts.skipped)
    if len(found.expression) > 1:
        extra = ", ".join(e.source.file for e in found.expression[1:])
        found.warnings.append(f"{len(found.expression)} expression tables; {found.expression[0].source.file} is used")
        found.skipped.append(f"{extra}: a second expression table")
    variants, merged = merge_variants(found.variants, facts.variants)
    found.warnings.extend(merged)
    copy_number = tuple(c for table in found.copy_number for c in table) if found.copy_number else None
    fusions = tuple(f for table in found.fusions for f in table) if found.fusions else None
    notes = tuple(sorted((*found.notes, *facts.notes), key=lambda n: (n.date or "9999", n.source.file)))
    values = {f.name: getattr(facts, f.name) for f in fields(Facts) if f.name in _FROM_FACTS}
    present = {
        ModalityName.IMAGING: found.series,
        ModalityName.EXPRESSION: found.expression,
        ModalityName.VARIANTS: variants is not None,
        ModalityName.COPY_NUMBER: copy_number is not None,
        ModalityName.FUSIONS: fusions is not None,
        ModalityName.CLINICAL: found.facts,
        ModalityName.NOTES: notes,
    }
    missing = {m.value: found.unread.get(m, reason) for m, reason in ABSENT.items() if not present.get(m)}
    for series in found.series:
        found.warnings.extend(f"{series.source.file} ({series.role}): {w}" for w in series.warnings)
    return Patient(
        patient_id=patient_id,
        imaging=tuple(found.series),
        expression=found.expression[0] if found.expression else None,
        variants=variants,
        copy_number=copy_number,
        fusions=fusions,
        notes=notes,
        missing=MappingProxyType(missing),
        sources=MappingProxyType(dict(facts.sources)),
        skipped=tuple(found.skipped),
        warnings=tuple(found.warnings),
        **values,
    )


_FROM_FACTS = frozenset(
    ("oncotree_code", "sex", "age_years", "diagnosis", "ecog", "treatments", "medications", "labs", "biomarkers")
    + ("outcome", "synthetic")
)
