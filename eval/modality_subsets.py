"""Every way a patient can lack modalities: the same patient with any subset removed, each with a reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from types import MappingProxyType
from typing import Any

from encoders.patient import Diagnosis, ModalityName, Patient

REMOVED = "removed to test that no modality is required"
_EMPTY: dict[str, dict[str, Any]] = {
    ModalityName.IMAGING: {"imaging": ()},
    ModalityName.EXPRESSION: {"expression": None},
    ModalityName.VARIANTS: {"variants": None},
    ModalityName.COPY_NUMBER: {"copy_number": None},
    ModalityName.FUSIONS: {"fusions": None},
    ModalityName.METHYLATION: {"methylation": None},
    ModalityName.PROTEINS: {"proteins": None},
    ModalityName.NOTES: {"notes": ()},
    ModalityName.CLINICAL: {
        "oncotree_code": None,
        "sex": None,
        "age_years": None,
        "diagnosis": Diagnosis(),
        "ecog": None,
        "treatments": (),
        "medications": (),
        "labs": (),
        "biomarkers": (),
    },
}


def without(patient: Patient, names: tuple[str, ...]) -> Patient:
    """The patient with these modalities gone and REMOVED as the reason in ``missing``."""
    changes: dict[str, Any] = {}
    for name in names:
        changes |= _EMPTY[ModalityName(name)]
    missing = dict(patient.missing) | {str(ModalityName(n).value): REMOVED for n in names}
    return replace(patient, **changes, missing=MappingProxyType(missing))


def present(patient: Patient) -> tuple[str, ...]:
    """Names of the modalities this patient has, in the contract's order."""
    return tuple(m.value for m in ModalityName if m.value not in patient.missing)


def every_subset(patient: Patient) -> Iterator[tuple[tuple[str, ...], Patient]]:
    """(removed names, patient without them) for every non-empty subset of what the patient has, all of it included."""
    names = present(patient)
    for size in range(1, len(names) + 1):
        for removed in combinations(names, size):
            yield removed, without(patient, removed)
