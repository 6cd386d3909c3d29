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
    IMAGES_OFF,
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
from encoders.read.dicom import read_header, read_imaging
from encoders.read.dicom_directory import absent_files
from encoders.read.dicom_frame import DicomFile
from encoders.read.expression import read_expression
from encoders.read.fhir import load_resources, patient_ids, read_fhir
from encoders.read.fhir_fields import Resource
from encoders.read.fusions import read_fusions
from encoders.read.identity import FileIds, one_patient
from encoders.read.nifti import read_nifti
from encoders.read.notes import note_patient_id, read_note, read_pdf
from encoders.read.reading import Facts, Reading
from encoders.read.record import read_record
from encoders.read.rtstruct import attach_structures
from encoders.read.segments import attach_segments
from encoders.read.sniff import FileKind, read_text, sniff
from encoders.read.table_meta import BETA, LOG2, TableMeta, read_table_meta
from encoders.read.validity import with_verdict
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

    records: list[tuple[str, Facts]] = field(default_factory=list)
    resources: list[tuple[Resource, ...]] = field(default_factory=list)
    metas: dict[str, TableMeta] = field(default_factory=dict)
    dicom: list[DicomFile] = field(default_factory=list)
    series: list[ImagingSeries] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    expression: list[Expression] = field(default_factory=list)
    methylation: list[Expression] = field(default_factory=list)
    variants: list[tuple[Variant, ...]] = field(default_factory=list)
    copy_number: list[tuple[CopyNumber, ...]] = field(default_factory=list)
    fusions: list[tuple[Fusion, ...]] = field(default_factory=list)
    samples: list[FileIds] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    unread: dict[ModalityName, str] = field(default_factory=dict)


def read_patient(
    folder: Path, *, allow_mixed_ids: bool = False, images: bool = True, progress: Progress | None = None
) -> Patient:
    """Read everything a patient's folder (or a .zip of it) holds.

    Parameters
    ----------
    folder : the patient's folder, searched to any depth; or a zip file of it
    allow_mixed_ids : take files with different patient ids as one person's (research sets that were anonymised
        apart); the ids found are listed in ``Patient.warnings``
    images : False leaves DICOM and NIfTI files closed; they are counted in ``Patient.skipped``, and
        ``Patient.missing`` gives the setting as the reason why there is no imaging

    Raises
    ------
    InputError: no such folder, nothing readable in it, a damaged or impossible file (named), or two patients.
    """
    folder = Path(folder)
    if folder.is_file() and folder.suffix.lower() == ".zip":
        with tempfile.TemporaryDirectory(prefix="radomica-") as target:
            inside = extract_archive(folder, Path(target))
            return _read_folder(inside, folder.stem, allow_mixed_ids, images, progress or _silent)
    if not folder.is_dir():
        raise InputError(f"{folder.name}: not a folder; give the folder (or .zip) that holds one patient's files.")
    return _read_folder(folder, folder.resolve().name, allow_mixed_ids, images, progress or _silent)


def _silent(_: str) -> None:
    """Progress nobody asked for."""


def _read_folder(folder: Path, called: str, allow_mixed_ids: bool, images: bool, say: Progress) -> Patient:
    """Read a folder; ``called`` stands in for the patient's id where no file gives one."""
    paths = sorted(p for p in folder.rglob("*") if p.is_file())
    dangling = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_symlink() and not p.exists())
    say(f"{len(paths)} files found")
    found, tables = _read_records(folder, paths, images)
    found.skipped.extend(f"{name}: a link to a file that is not there" for name in dangling)
    before = _identities(found)
    known = one_patient(before, (), allow_mixed_ids=allow_mixed_ids).known
    for path, name, kind in tables:
        say(f"reading {name} ({kind.value})")
        _read_table(path, name, kind, known, allow_mixed_ids, found)
    identity = one_patient(before, found.samples, allow_mixed_ids=allow_mixed_ids)
    if found.dicom:
        say(f"reading {len(found.dicom)} DICOM files")
    _read_images(found)
    if not _anything(found):
        why = f" Not read: {'; '.join(found.skipped[:3])}" if found.skipped else ""
        raise InputError(
            f"{called}: nothing readable in the folder ({len(paths)} files). Put in DICOM, NIfTI, expression, "
            f"MAF, VCF, copy-number, FHIR or text files.{why}"
        )
    found.warnings[:0] = identity.warnings
    if identity.patient_id is None:
        found.warnings.append(f"no file gives a patient id; the folder's name {called!r} is used")
    return _assemble(found, identity.patient_id or called)


_IMAGE_KINDS = (FileKind.DICOM, FileKind.NIFTI)


def _read_records(folder: Path, paths: Sequence[Path], images: bool) -> tuple[_Found, list[tuple[Path, str, FileKind]]]:
    """First pass: records, notes and DICOM headers, which say whose the files are; tables wait for that."""
    found, tables = _Found(), []
    junk: Counter[str] = Counter()
    if not images:
        found.unread[ModalityName.IMAGING] = IMAGES_OFF
    for path in paths:
        name = path.relative_to(folder).as_posix()
        sniffed = sniff(path, name)
        if sniffed.kind is FileKind.JUNK:
            junk[sniffed.reason] += 1
        elif not images and sniffed.kind in _IMAGE_KINDS:
            junk[IMAGES_OFF] += 1
        elif sniffed.kind is FileKind.UNKNOWN:
            found.skipped.append(f"{name}: {sniffed.reason}")
        elif sniffed.kind is FileKind.TABLE_META:
            meta = read_table_meta(read_text(path, name))
            if meta:
                found.metas[(path.parent / meta.data_file).relative_to(folder).as_posix()] = meta
        elif sniffed.kind is FileKind.SIDECAR:
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
            found.warnings.extend(absent_files(path, name))
        else:
            found.dicom.append(header)
    elif kind is FileKind.FHIR:
        found.resources.append(load_resources(path, name))
    elif kind is FileKind.RECORD:
        found.records.append((name, read_record(path, name)))
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


def _identities(found: _Found) -> list[FileIds]:
    """What each file says of whose it is, the plain record first."""
    ids = [FileIds(name, facts.ids, 0) for name, facts in found.records]
    ids.extend(FileIds(resources[0].file, patient_ids(resources), 1) for resources in found.resources)
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
    FileKind.VCF: read_vcf,
    FileKind.COPY_NUMBER: read_copy_number,
    FileKind.FUSIONS: read_fusions,
}


def _read_table(
    path: Path, name: str, kind: FileKind, known: tuple[str, ...], allow_mixed_ids: bool, found: _Found
) -> None:
    meta = found.metas.get(name)
    options: dict[str, object] = {}
    into: list = {
        FileKind.EXPRESSION: found.expression,
        FileKind.COPY_NUMBER: found.copy_number,
        FileKind.FUSIONS: found.fusions,
    }.get(kind, found.variants)
    if kind is FileKind.EXPRESSION and meta and meta.alteration == "COPY_NUMBER_ALTERATION":
        kind, into, options = FileKind.COPY_NUMBER, found.copy_number, {"log2_values": meta.unit == LOG2}
    elif kind is FileKind.EXPRESSION and meta:
        options = {"unit": meta.unit}
        into = found.methylation if meta.unit == BETA else into
    if kind is not FileKind.VCF:
        options |= {"patient_ids": known, "allow_any_sample": allow_mixed_ids}
    reading: Reading = _TABLE_READERS[kind](path, name, **options)
    found.warnings.extend(reading.warnings)
    found.skipped.extend(reading.skipped)
    if reading.sample_ids:
        found.samples.append(FileIds(name, reading.sample_ids, 4))
    if reading.value is None:
        found.unread[ModalityName.VARIANTS] = f"{name}: {NO_ANNOTATION}"
    else:
        into.append(reading.value)


def _read_images(found: _Found) -> None:
    reading = read_imaging(found.dicom)
    series, unplaced = attach_segments(reading.series, reading.segmentations)
    series, unfilled = attach_structures(series, reading.structure_sets)
    found.series.extend(series)
    found.skipped.extend((*reading.skipped, *unplaced, *unfilled))
    if not found.series and reading.skipped:
        found.unread[ModalityName.IMAGING] = reading.skipped[0]


def _anything(found: _Found) -> bool:
    read = (found.records, found.resources, found.series, found.notes, found.expression, found.methylation)
    return any((*read, found.variants, found.copy_number, found.fusions))


def _assemble(found: _Found, patient_id: str) -> Patient:
    records = list(found.records)
    if found.resources:
        resources = tuple(r for file in found.resources for r in file)
        records.append((resources[0].file, read_fhir(resources)))
    facts, disagreements = combine_facts(records)
    found.warnings.extend((*disagreements, *facts.warnings))
    found.skipped.extend(facts.skipped)
    found.skipped.extend(f"{e.source.file}: a second expression table" for e in found.expression[1:])
    found.skipped.extend(f"{e.source.file}: a second methylation table" for e in found.methylation[1:])
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
        ModalityName.METHYLATION: found.methylation,
        ModalityName.CLINICAL: records,
        ModalityName.NOTES: notes,
    }
    missing = {m.value: found.unread.get(m, reason) for m, reason in ABSENT.items() if not present.get(m)}
    found.series[:] = [with_verdict(s, facts.oncotree_code) for s in found.series]
    for series in found.series:
        found.warnings.extend(f"{series.source.file} ({series.role}): {w}" for w in series.warnings)
    return Patient(
        patient_id=patient_id,
        imaging=tuple(found.series),
        expression=found.expression[0] if found.expression else None,
        methylation=found.methylation[0] if found.methylation else None,
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
    (
        *("oncotree_code", "sex", "age_years", "diagnosis", "ecog", "treatments", "medications", "labs"),
        *("biomarkers", "outcome", "synthetic"),
    )
)
