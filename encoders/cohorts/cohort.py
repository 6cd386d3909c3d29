"""A cohort in memory: patients, outcomes, labels, a block of numbers per modality, given splits, what was left out.

Everything is keyed by patient id and joined by it; nothing is ever aligned by row order. A block holds only the
patients it was measured in, so a missing modality is a missing row, and NaN is a missing value.

What this module does not know: files (import_cohort.py, store.py), models, how values are scaled (normalise.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from encoders.errors import ContractError, InputError

NOT_STATED = "not stated"
"""The word for a unit, genome build or licence that no file tells."""

DAYS_PER_MONTH = 365.25 / 12
"""Mean length of a month; follow-up given in days or years is turned into months with it."""


class BlockKind(StrEnum):
    """What the numbers of a block are."""

    EXPRESSION = "expression"
    MUTATIONS = "mutations"
    FUSIONS = "fusions"
    COPY_NUMBER = "copy_number"
    COPY_NUMBER_LOG2 = "copy_number_log2"
    METHYLATION = "methylation"
    PROTEIN = "protein"
    MIRNA = "mirna"
    IMAGE_FEATURES = "image_features"
    CLINICAL = "clinical"
    RISK_SCORES = "risk_scores"
    OTHER = "other"


GENE_KINDS = frozenset(
    (
        BlockKind.EXPRESSION,
        BlockKind.MUTATIONS,
        BlockKind.FUSIONS,
        BlockKind.COPY_NUMBER,
        BlockKind.COPY_NUMBER_LOG2,
    )
)
"""Kinds whose features are genes, so that their names are brought to approved symbols."""


class ColumnType(StrEnum):
    """How a clinical column is to be read: a number, a word of a closed set, yes/no, or free text (never a feature)."""

    NUMBER = "number"
    CATEGORY = "category"
    FLAG = "flag"
    TEXT = "text"


@dataclass(frozen=True)
class ColumnSpec:
    """One clinical column: its type, its unit (numbers), and the column of the source it came from."""

    type: ColumnType
    unit: str | None = None
    source: str = ""


@dataclass(frozen=True)
class ImportNote:
    """Something that was skipped, renamed, reduced, defaulted, normalised or doubtful while importing; counted.

    kind : "skipped" | "renamed" | "reduced" | "defaulted" | "normalised" | "warning"
    where : the file, table or block it is about
    count : how many rows, cells, names or patients
    examples : the names or ids concerned (all of them up to ``MAX_EXAMPLES``)
    """

    kind: str
    where: str
    what: str
    count: int
    examples: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in NOTE_KINDS:
            raise ContractError(f"ImportNote.kind is {self.kind!r}; allowed: {', '.join(NOTE_KINDS)}.")
        object.__setattr__(self, "examples", tuple(self.examples[:MAX_EXAMPLES]))

    def text(self) -> str:
        """One line for people; the first five examples."""
        shown = ", ".join(self.examples[:5]) + (" ..." if self.count > 5 and len(self.examples) >= 5 else "")
        return f"{self.where}: {self.count} {self.what}" + (f" ({shown})" if shown else "")


NOTE_KINDS = ("skipped", "renamed", "reduced", "defaulted", "normalised", "warning")
MAX_EXAMPLES = 1000


@dataclass(frozen=True)
class Block:
    """One modality: values (P, F) float32 of P patients and F named features; NaN = not measured.

    unit : as the source states it ("TPM", "z-score", "beta value", "mutated 0/1" ...), else "not stated"
    """

    kind: BlockKind
    patient_ids: tuple[str, ...]
    features: tuple[str, ...]
    values: NDArray[np.float32]
    unit: str = NOT_STATED

    def __post_init__(self) -> None:
        shape = (len(self.patient_ids), len(self.features))
        if self.values.shape != shape or self.values.dtype != np.float32:
            raise ContractError(
                f"block values are {self.values.dtype} of shape {self.values.shape}; the ids and features ask for "
                f"float32 of shape {shape}."
            )
        for what, names in (("patient", self.patient_ids), ("feature", self.features)):
            if len(set(names)) != len(names):
                twice = pd.Index(names)[pd.Index(names).duplicated()][0]
                raise ContractError(
                    f"{what} {twice!r} stands twice in a block; one row a patient, one column a feature."
                )
        if np.isinf(self.values).any():
            raise ContractError("a block holds an infinite value; use NaN for what was not measured.")

    def frame(self) -> pd.DataFrame:
        """The block as a table: index patient ids, columns features."""
        return pd.DataFrame(self.values, index=pd.Index(self.patient_ids, name="patient_id"), columns=self.features)


@dataclass(frozen=True)
class Endpoint:
    """One survival endpoint (OS, PFS, DSS ...): what is known of each patient that has it.

    followup_months : (P,) float64 >= 0, time to the event or to the last contact
    event : (P,) bool, True = the event happened, False = censored
    source : columns and coding it was made from, in words
    """

    name: str
    patient_ids: tuple[str, ...]
    followup_months: NDArray[np.float64]
    event: NDArray[np.bool_]
    source: str = ""

    def __post_init__(self) -> None:
        n = len(self.patient_ids)
        if self.followup_months.shape != (n,) or self.event.shape != (n,) or self.event.dtype != bool:
            raise ContractError(f"endpoint {self.name}: {n} patients need {n} times and {n} True/False events.")
        if not np.isfinite(self.followup_months).all() or (self.followup_months < 0).any():
            raise ContractError(f"endpoint {self.name}: follow-up must be finite and not negative (months).")

    def frame(self) -> pd.DataFrame:
        """Columns followup_months and event, indexed by patient id."""
        index = pd.Index(self.patient_ids, name="patient_id")
        return pd.DataFrame({"followup_months": self.followup_months, "event": self.event}, index=index)


@dataclass(frozen=True)
class Split:
    """One fold as given or made: patient id -> part ("train", "validation", "test"); each patient in one part."""

    fold: str
    parts: Mapping[str, str]

    def ids(self, part: str) -> tuple[str, ...]:
        """Patients of one part, in the order given."""
        return tuple(p for p, name in self.parts.items() if name == part)


@dataclass(frozen=True)
class Cohort:
    """Everything training needs of one cohort.

    clinical : index patient id, one typed column per entry of ``columns``; every patient of the cohort has a row
    labels : index patient id; what may be predicted besides survival (text or NaN), never an input
    long_tables : "mutations", "segments", "structural_variants" ... : rows as read, first column patient_id
    batch_columns : block -> clinical column whose batches training is asked to take out of it (Design.fit)
    """

    name: str
    source: str
    clinical: pd.DataFrame
    columns: Mapping[str, ColumnSpec]
    blocks: Mapping[str, Block]
    endpoints: Mapping[str, Endpoint] = field(default_factory=lambda: MappingProxyType({}))
    labels: pd.DataFrame = field(default_factory=pd.DataFrame)
    oncotree_codes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    long_tables: Mapping[str, pd.DataFrame] = field(default_factory=lambda: MappingProxyType({}))
    splits: Mapping[str, tuple[Split, ...]] = field(default_factory=lambda: MappingProxyType({}))
    genome_build: str = NOT_STATED
    licence: str = NOT_STATED
    citation: str = ""
    notes: tuple[ImportNote, ...] = ()
    batch_columns: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        for block, column in self.batch_columns.items():
            if block not in self.blocks or column not in self.columns:
                raise ContractError(f"batch_columns names block {block!r} and column {column!r}; one is not there.")
        known = set(self.clinical.index)
        if len(known) != len(self.clinical):
            raise ContractError("a patient stands twice in the clinical table; one row a patient.")
        if list(self.clinical.columns) != list(self.columns):
            raise ContractError("the clinical columns and their descriptions differ.")
        for name, ids in self._id_lists().items():
            foreign = set(ids) - known
            if foreign:
                raise ContractError(f"{name} has patients the cohort has not: {', '.join(sorted(foreign)[:5])}.")

    def _id_lists(self) -> dict[str, Sequence[str]]:
        return {
            **{f"block {n}": b.patient_ids for n, b in self.blocks.items()},
            **{f"endpoint {n}": e.patient_ids for n, e in self.endpoints.items()},
            "the label table": tuple(self.labels.index),
            **{f"split {n}/{s.fold}": tuple(s.parts) for n, folds in self.splits.items() for s in folds},
        }

    @property
    def patient_ids(self) -> tuple[str, ...]:
        """Every patient of the cohort, sorted."""
        return tuple(self.clinical.index)

    def aligned(self, block: str, patient_ids: Sequence[str]) -> NDArray[np.float32]:
        """Rows of a block joined to ``patient_ids`` by id, (P, F) float32; a patient without the block is a row of NaN.

        Raises
        ------
        InputError: no block of that name, or an id that is not in the cohort.
        """
        if block not in self.blocks:
            raise InputError(f"cohort {self.name} has no block {block!r}; it has {', '.join(self.blocks) or 'none'}.")
        foreign = set(patient_ids) - set(self.clinical.index)
        if foreign:
            raise InputError(f"{len(foreign)} ids are not in cohort {self.name}: {', '.join(sorted(foreign)[:5])}.")
        found = self.blocks[block]
        row = {p: i for i, p in enumerate(found.patient_ids)}
        values = np.full((len(patient_ids), len(found.features)), np.nan, dtype=np.float32)
        there = [i for i, p in enumerate(patient_ids) if p in row]
        values[there] = found.values[[row[patient_ids[i]] for i in there]]
        return values

    def counts(self) -> dict[str, object]:
        """Patients, and per endpoint, block and label what there is."""
        return {
            "patients": len(self.clinical),
            "endpoints": {
                n: {"patients": len(e.patient_ids), "events": int(e.event.sum())} for n, e in self.endpoints.items()
            },
            "blocks": {
                n: {"kind": b.kind.value, "unit": b.unit, "patients": len(b.patient_ids), "features": len(b.features)}
                for n, b in self.blocks.items()
            },
            "labels": {str(c): {str(k): int(v) for k, v in self.labels[c].value_counts().items()} for c in self.labels},
            "long_tables": {n: len(t) for n, t in self.long_tables.items()},
            "splits": {n: len(folds) for n, folds in self.splits.items()},
        }
