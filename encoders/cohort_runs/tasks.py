"""What is predicted of a cohort: survival, one label, several labels at once, or the response to treatment.

    read_task("OS")                          survival by that endpoint
    read_task("IDH=mutated")                 one label: its positive words; "stage=III|IV" takes several
    read_task("IDH=mutated,MGMT=methylated") several labels at once, each known in some patients
    read_task("response:BOR")                best response by RECIST in the label column BOR

What this module does not know: models, folds, figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from encoders.cohort_models.kernels import Array
from encoders.cohort_networks.outcomes import RESPONSE_GRADES
from encoders.cohorts.cohort import Cohort, ColumnType
from encoders.errors import ContractError, InputError

SURVIVAL = "survival"
"""Task name that stands for the cohort's main endpoint: OS where there is one, else its first."""
RESPONSE_PREFIX = "response:"
RESPONSE_WORDS: Mapping[str, str] = {
    **{grade.lower(): grade for grade in RESPONSE_GRADES},
    "progressive disease": "PD",
    "stable disease": "SD",
    "partial response": "PR",
    "partial remission": "PR",
    "partial remission/response": "PR",
    "complete response": "CR",
    "complete remission": "CR",
    "complete remission/response": "CR",
}
"""Words for the grades, lower case; the long ones are RECIST's and those of TCGA's clinical tables."""
NOT_EVALUABLE = frozenset(
    ("ne", "not evaluable", "inevaluable", "na", "n/a", "unknown", "not applicable", "not available")
)
"""Words that say that the response is not known; those patients are left out and counted."""
OBJECTIVE_RESPONSE = RESPONSE_GRADES.index("PR")
"""PR and CR, this grade and above, are an objective response."""
RARE = 5
"""A stratum of fewer patients than this cannot be in every fold and is pooled with others."""


class TaskKind(StrEnum):
    """Kinds of task; each has models and figures of its own."""

    SURVIVAL = "survival"
    LABEL = "label"
    LABELS = "labels"
    RESPONSE = "response"


@dataclass(frozen=True)
class Task:
    """What is predicted: an endpoint's survival, or whether a label has one of the words that count as positive.

    name : endpoint ("OS") or column of the cohort's labels ("IDH"); positive : () for survival
    """

    name: str
    positive: tuple[str, ...] = ()

    @property
    def kind(self) -> TaskKind:
        """Which kind it is."""
        return TaskKind.LABEL if self.positive else TaskKind.SURVIVAL

    @property
    def is_survival(self) -> bool:
        """Survival, not a label."""
        return self.kind is TaskKind.SURVIVAL


@dataclass(frozen=True)
class LabelsTask(Task):
    """Several labels at once (molecular status); name : as written, labels : one label task each."""

    labels: tuple[Task, ...] = ()

    def __post_init__(self) -> None:
        if len(self.labels) < 2 or any(task.kind is not TaskKind.LABEL for task in self.labels):
            raise ContractError(f"task {self.name!r} holds {len(self.labels)} labels; several label tasks are needed.")

    @property
    def kind(self) -> TaskKind:
        """Several labels."""
        return TaskKind.LABELS


@dataclass(frozen=True)
class ResponseTask(Task):
    """Best response to treatment, RECIST grades PD < SD < PR < CR; name : column of the cohort's labels."""

    @property
    def kind(self) -> TaskKind:
        """Treatment response."""
        return TaskKind.RESPONSE


def read_task(text: str) -> Task:
    """A task from one word of the command line; the forms are in this module's docstring.

    Raises
    ------
    InputError: no name, a label without words, the same label twice.
    """
    if text.strip().lower().startswith(RESPONSE_PREFIX):
        column = text.strip()[len(RESPONSE_PREFIX) :].strip()
        if not column:
            raise InputError(f"task {text!r}; name the label column that holds the response ({RESPONSE_PREFIX}BOR).")
        return ResponseTask(column)
    parts = _split_labels(text)
    if len(parts) == 1:
        return _read_label(parts[0], text)
    labels = tuple(_read_label(part, text) for part in parts)
    names = [label.name for label in labels]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"task {text!r} names {', '.join(twice)} twice; name each label once (words: IDH=a|b).")
    if any(not label.positive for label in labels):
        raise InputError(f"task {text!r}; several labels each need their positive words (IDH=mutated,MGMT=methylated).")
    return LabelsTask(",".join(f"{t.name}={'|'.join(t.positive)}" for t in labels), labels=labels)


def _split_labels(text: str) -> list[str]:
    """Parts between commas; a part without "=" belongs to the words before it ("site=lung, left")."""
    parts: list[str] = []
    for piece in text.split(","):
        if parts and "=" not in piece:
            parts[-1] += "," + piece
        else:
            parts.append(piece)
    return parts


def _read_label(text: str, whole: str) -> Task:
    name, equals, words = text.partition("=")
    positive = tuple(word.strip() for word in words.split("|") if word.strip())
    if not name.strip() or (equals and not positive):
        raise InputError(
            f"task {whole!r}; give an endpoint (OS), a label and its positive words (IDH=mutated), several of them "
            f"between commas, or {RESPONSE_PREFIX}COLUMN."
        )
    return Task(name.strip(), positive)


@dataclass(frozen=True)
class Outcome:
    """What is known of the N patients that have the outcome.

    survival : months (N,), event (N,); label : positive (N,) in ``event``, months NaN
    labels : (N, L) 0, 1 or NaN = not known; ``event`` is any positive label
    grade : (N,) int into ``RESPONSE_GRADES``; ``event`` is objective response (PR or CR)
    weight : (N,) sample weights, 0 or more; None = all 1
    left_out : patients that have a word that says nothing (response not evaluable)
    """

    patient_ids: tuple[str, ...]
    months: Array
    event: NDArray[np.bool_]
    labels: Array | None = None
    grade: NDArray[np.int64] | None = None
    weight: Array | None = None
    left_out: int = 0

    def take(self, index: NDArray[np.intp]) -> Outcome:
        """The outcome of some of the patients."""

        def part(values: NDArray | None) -> NDArray | None:
            return None if values is None else values[index]

        return Outcome(
            tuple(self.patient_ids[i] for i in index),
            self.months[index],
            self.event[index],
            part(self.labels),
            part(self.grade),
            part(self.weight),
            self.left_out,
        )

    def strata(self) -> NDArray[np.int64]:
        """(N,) groups to stratify folds by: event, grade, or the pattern of labels; rare ones pooled."""
        if self.grade is not None:
            return _pool_rare(self.grade)
        if self.labels is None:
            return self.event.astype(np.int64)
        states = np.where(np.isfinite(self.labels), self.labels, 2).astype(np.int64)
        return _pool_rare(np.unique(states, axis=0, return_inverse=True)[1].ravel())

    def smallest_group(self) -> int:
        """Patients in the smallest group that every fold needs some of."""
        if self.labels is not None:
            return min(smaller_group(column) for column in self.labels.T)
        if self.grade is not None:
            return len(self.grade) - int(np.bincount(self.grade).max())
        return smaller_group(self.event.astype(np.float64))


def _pool_rare(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Groups of fewer than ``RARE`` patients become one; if that is still rare, it joins the largest."""
    names, of, count = np.unique(groups, return_inverse=True, return_counts=True)
    pooled = np.where(count[of] < RARE, len(names), of)
    if 0 < (pooled == len(names)).sum() < RARE:
        pooled[pooled == len(names)] = int(np.argmax(count))
    return pooled


def smaller_group(label: Array) -> int:
    """Patients in the smaller of the two groups of a label (N,) 0, 1 or NaN."""
    return int(min((label == 1).sum(), (label == 0).sum()))


def outcome_of(cohort: Cohort, task: Task) -> Outcome:
    """The patients that have the outcome.

    Raises
    ------
    InputError: no such endpoint or label, words that no patient has, or a word that is no grade of response.
    """
    if task.kind is TaskKind.SURVIVAL:
        return _survival(cohort, task)
    if isinstance(task, LabelsTask):
        return _labels(cohort, task)
    if task.kind is TaskKind.RESPONSE:
        return _response(cohort, task)
    label = _label_column(cohort, task.name)
    positive = _is_positive(cohort, task, label)
    return Outcome(tuple(label.index), np.full(len(label), np.nan), positive)


def _survival(cohort: Cohort, task: Task) -> Outcome:
    if task.name == SURVIVAL and cohort.endpoints:
        task = Task("OS" if "OS" in cohort.endpoints else next(iter(cohort.endpoints)))
    if task.name not in cohort.endpoints:
        raise InputError(
            f"cohort {cohort.name} has no endpoint {task.name!r}; it has {', '.join(cohort.endpoints) or 'none'}."
        )
    end = cohort.endpoints[task.name]
    return Outcome(end.patient_ids, end.followup_months, end.event)


def _label_column(cohort: Cohort, name: str) -> pd.Series:
    if name not in cohort.labels:
        known = ", ".join(str(c) for c in cohort.labels) or "none"
        hint = " A clinical column is an input: import it as a label instead." if name in cohort.columns else ""
        raise InputError(f"cohort {cohort.name} has no label {name!r}; it has {known}.{hint}")
    return cohort.labels[name].dropna().astype(str)


def _is_positive(cohort: Cohort, task: Task, label: pd.Series) -> NDArray[np.bool_]:
    strange = set(task.positive) - set(label)
    if strange:
        found = ", ".join(sorted(set(label)))
        raise InputError(f"no patient of {cohort.name} has {task.name} {', '.join(sorted(strange))}; found: {found}.")
    return label.isin(task.positive).to_numpy(bool)


def _labels(cohort: Cohort, task: LabelsTask) -> Outcome:
    columns = {}
    for one in task.labels:
        label = _label_column(cohort, one.name)
        columns[one.name] = pd.Series(_is_positive(cohort, one, label).astype(np.float64), index=label.index)
    table = pd.DataFrame(columns).sort_index()
    values = table.to_numpy(np.float64)
    return Outcome(tuple(table.index), np.full(len(table), np.nan), (values == 1).any(axis=1), labels=values)


def _response(cohort: Cohort, task: Task) -> Outcome:
    label = _label_column(cohort, task.name)
    word = label.str.strip().str.lower()
    strange = sorted(set(label[~word.isin(set(RESPONSE_WORDS) | NOT_EVALUABLE)]))
    if strange:
        raise InputError(
            f"label {task.name} of {cohort.name} holds {', '.join(strange[:5])}; allowed: "
            f"{', '.join(RESPONSE_GRADES)}, their RECIST words, or {', '.join(sorted(NOT_EVALUABLE))} (left out). "
            "Map the words when importing."
        )
    word = word[~word.isin(NOT_EVALUABLE)]
    grade = np.array([RESPONSE_GRADES.index(RESPONSE_WORDS[w]) for w in word], dtype=np.int64)
    if len(set(grade.tolist())) < 2:
        raise InputError(
            f"label {task.name} of {cohort.name} has {len(grade)} graded patients of "
            f"{len(set(grade.tolist()))} grades; two grades or more are needed."
        )
    return Outcome(
        tuple(word.index),
        np.full(len(grade), np.nan),
        grade >= OBJECTIVE_RESPONSE,
        grade=grade,
        left_out=len(label) - len(word),
    )


def with_weights(outcome: Outcome, cohort: Cohort, column: str) -> Outcome:
    """The outcome with the sample weights in a clinical number column.

    Raises
    ------
    InputError: no such number column, a patient without a weight, a negative one, or none above 0.
    """
    numbers = [name for name, spec in cohort.columns.items() if spec.type is ColumnType.NUMBER]
    if column not in numbers:
        raise InputError(
            f"cohort {cohort.name} has no clinical number column {column!r} for the weights; it has "
            f"{', '.join(numbers) or 'none'}."
        )
    weight = pd.to_numeric(cohort.clinical[column]).reindex(list(outcome.patient_ids)).to_numpy(np.float64)
    absent, negative = int((~np.isfinite(weight)).sum()), int((weight < 0).sum())
    if absent or negative or not (weight > 0).any():
        raise InputError(
            f"weights in {column}: {absent} patients have none, {negative} are negative, {int((weight > 0).sum())} are "
            "above 0; every patient with the outcome needs one, 0 or more. Mend the column."
        )
    return replace(outcome, weight=weight)


def without_column(cohort: Cohort, column: str) -> Cohort:
    """The cohort without a clinical column, so that no model reads it (sample weights are no input)."""
    columns = {name: spec for name, spec in cohort.columns.items() if name != column}
    return replace(cohort, clinical=cohort.clinical[list(columns)], columns=columns)
