"""What if a fact of the record were different: which options would appear, which would go, and by which rule.

Nothing of the patient is changed; ``dataclasses.replace`` makes the other record. What this module does not know:
whether the change is possible, or what it would do to a prediction (assistant/what_if.py asks both).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from encoders.errors import InputError
from encoders.patient import Diagnosis, Patient
from retrieval.passage import TherapyRow
from retrieval.therapy_reasons import Explanation, Standing, explain_rows

DIAGNOSIS_FIELDS = frozenset(f.name for f in fields(Diagnosis))
PATIENT_FIELDS = frozenset(f.name for f in fields(Patient)) - {"patient_id", "outcome", "sources"}


@dataclass(frozen=True)
class OptionChange:
    """A row whose standing differs, with the sentences that decide it before and after."""

    row_id: str
    drugs: tuple[str, ...]
    before: Standing
    after: Standing
    sentences: tuple[str, ...]

    @property
    def appears(self) -> bool:
        """Whether the row becomes an option."""
        return self.after is Standing.OFFERED


def changed_options(patient: Patient, rows: Sequence[TherapyRow], **changes: Any) -> tuple[OptionChange, ...]:
    """Rows that become options or stop being options when fields of the record are replaced.

    Parameters
    ----------
    changes : fields of Patient (``ecog=3``, ``variants=(...)``) or of its diagnosis (``stage="IIIA"``)

    Raises
    ------
    InputError: no change, or a field that neither Patient nor Diagnosis has, named with those allowed.
    """
    other = change_record(patient, **changes)
    before = {e.row_id: e for e in explain_rows(patient, rows)}
    after = {e.row_id: e for e in explain_rows(other, rows)}
    differing = [r for r in rows if _is_option(before[r.row_id]) != _is_option(after[r.row_id])]
    return tuple(_change(row, before[row.row_id], after[row.row_id]) for row in differing)


def change_record(patient: Patient, **changes: Any) -> Patient:
    """A copy with other fields; fields of the diagnosis may be named as they are. Raises InputError as above."""
    unknown = sorted(set(changes) - DIAGNOSIS_FIELDS - PATIENT_FIELDS)
    if unknown or not changes:
        raise InputError(
            f"no field {unknown or 'was named'} to change; allowed are {', '.join(sorted(PATIENT_FIELDS))} and, of the "
            f"diagnosis, {', '.join(sorted(DIAGNOSIS_FIELDS))}."
        )
    own = {k: v for k, v in changes.items() if k in PATIENT_FIELDS}
    of_diagnosis = {k: v for k, v in changes.items() if k not in PATIENT_FIELDS}
    diagnosis = replace(own.get("diagnosis", patient.diagnosis), **of_diagnosis)
    return replace(patient, **{**own, "diagnosis": diagnosis})


def _is_option(explanation: Explanation) -> bool:
    return explanation.standing is Standing.OFFERED


def _change(row: TherapyRow, before: Explanation, after: Explanation) -> OptionChange:
    deciding = before if _is_option(after) else after
    sentences = tuple(r.sentence for r in deciding.decisive())
    return OptionChange(row.row_id, row.drugs, before.standing, after.standing, sentences)
