"""What one file gives: the pieces a reader hands to encoders/read/folder.py, which assembles the Patient.

What this module does not know: any file format, and which of two disagreeing files is right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from encoders.patient import (
    Biomarker,
    Diagnosis,
    Lab,
    Medication,
    Note,
    Outcome,
    SourceLocator,
    Treatment,
    Variant,
)

T = TypeVar("T")


@dataclass(frozen=True)
class Reading(Generic[T]):
    """One value read from one file, with what was left out and what to know about it.

    sample_ids : names of the samples in the file (a sample name is not always a patient id)
    """

    value: T
    sample_ids: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """What a clinical record (FHIR or plain JSON) says about one patient; absent is None.

    ids : every identifier of the patient in this file, the record's own id first
    sources : Patient field path -> where it was read
    """

    ids: tuple[str, ...] = ()
    oncotree_code: str | None = None
    sex: str | None = None
    age_years: float | None = None
    diagnosis: Diagnosis = field(default_factory=Diagnosis)
    ecog: int | None = None
    treatments: tuple[Treatment, ...] = ()
    medications: tuple[Medication, ...] = ()
    labs: tuple[Lab, ...] = ()
    biomarkers: tuple[Biomarker, ...] = ()
    variants: tuple[Variant, ...] = ()
    notes: tuple[Note, ...] = ()
    outcome: Outcome | None = None
    sources: Mapping[str, SourceLocator] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    synthetic: bool = False
