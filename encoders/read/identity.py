"""Whose files are these? Every file's patient ids are compared; two people in one folder are refused.

What this module does not know: which person is right, and names (ids only are compared and printed).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from encoders.errors import InputError
from encoders.read.expression import belongs


@dataclass(frozen=True)
class FileIds:
    """The ids one file gives for its patient. rank: 0 record, 1 FHIR, 2 DICOM, 3 note, 4 sample name."""

    file: str
    ids: tuple[str, ...]
    rank: int


@dataclass(frozen=True)
class Identity:
    """The patient's id, every id found, and what to warn of."""

    patient_id: str | None
    known: tuple[str, ...]
    warnings: tuple[str, ...]


def one_patient(found: Sequence[FileIds], samples: Sequence[FileIds], *, allow_mixed_ids: bool) -> Identity:
    """Check that all files speak of one patient.

    Two files agree when they share an id (any case). A sample name (MAF barcode, table column) disagrees only when
    it is made like the patient's id with another number, or two tables' names differ in their number only; any
    other sample name is taken to be the laboratory's.

    Raises
    ------
    InputError: two files with different patients' ids (files and ids named, no names of people).
    """
    found = sorted((f for f in found if f.ids), key=lambda f: (f.rank, f.file))
    groups = _groups(found)
    warnings: list[str] = []
    if len(groups) > 1:
        a, b = groups[0][0], groups[1][0]
        if not allow_mixed_ids:
            raise InputError(
                f"the folder holds files of {len(groups)} patients: {a.file} has id {a.ids[0]!r}, {b.file} has id "
                f"{b.ids[0]!r}. Keep one patient's files in a folder. If they are one person's, say so with "
                "--allow-mixed-ids (allow_mixed_ids=True)."
            )
        listed = ", ".join(f"{g[0].ids[0]!r} ({g[0].file})" for g in groups)
        warnings.append(f"files with different patient ids were taken as one patient's, as asked: {listed}")
    known = tuple(dict.fromkeys(i for f in found for i in f.ids))
    _check_samples(samples, known, allow_mixed_ids, warnings)
    return Identity(_chosen(found), known, tuple(warnings))


def _groups(found: Sequence[FileIds]) -> list[list[FileIds]]:
    """Files joined where they share an id."""
    groups: list[tuple[set[str], list[FileIds]]] = []
    for file in found:
        ids = {i.strip().lower() for i in file.ids}
        touching = [g for g in groups if g[0] & ids]
        merged = (ids.union(*(g[0] for g in touching)), [f for g in touching for f in g[1]] + [file])
        groups = [g for g in groups if g not in touching]
        groups.append(merged)
    return sorted((files for _, files in groups), key=lambda files: found.index(files[0]))


def _check_samples(
    samples: Sequence[FileIds], known: Sequence[str], allow_mixed_ids: bool, warnings: list[str]
) -> None:
    strangers: list[tuple[str, str]] = []
    for file in samples:
        for sample in file.ids:
            if any(belongs(sample, patient) for patient in known):
                continue
            rival = next((p for p in known if _same_scheme(sample, p)), None)
            if rival is not None and not allow_mixed_ids:
                raise InputError(
                    f"the folder holds files of two patients: {file.file} has sample {sample!r}, other files have id "
                    f"{rival!r}. Keep one patient's files in a folder. If they are one person's, say so with "
                    "--allow-mixed-ids (allow_mixed_ids=True)."
                )
            other = next(((f, s) for f, s in strangers if s != sample and _shape(s) == _shape(sample)), None)
            if other is not None and not allow_mixed_ids:
                raise InputError(
                    f"{other[0]} has sample {other[1]!r}, {file.file} has sample {sample!r}, and no record says that "
                    "both are one patient's. Keep one of them. If they are one person's, say so with --allow-mixed-ids "
                    "(allow_mixed_ids=True)."
                )
            strangers.append((file.file, sample))
            if known:
                warnings.append(
                    f"{file.file}: sample {sample!r} is not named after the patient; taken to be this patient's"
                )


def _shape(name: str) -> str:
    """The name with every digit as 0: what two numbers of one scheme have in common."""
    return re.sub(r"\d", "0", name.strip().lower())


def _same_scheme(sample: str, patient: str) -> bool:
    """Whether a sample name begins like the patient's id but with another number ("SYN-0002-T" beside "SYN-0001")."""
    if not any(c.isdigit() for c in patient) or not any(c.isalpha() for c in patient):
        return False
    head = len(patient)
    return _shape(sample).startswith(_shape(patient)) and (len(sample) == head or not sample[head].isalnum())


def _chosen(found: Sequence[FileIds]) -> str | None:
    """The id most files give; of equals the one of the best source, in its order."""
    if not found:
        return None
    votes = Counter(i.strip() for f in found for i in dict.fromkeys(f.ids))
    order = list(dict.fromkeys(i.strip() for f in found for i in f.ids))
    return max(order, key=lambda i: (votes[i], -order.index(i)))
