"""Batch correction of one block: ComBat fitted on the fitted patients, applied to any patient of a fitted batch.

Features that are missing in a fitted patient, or do not vary within batches, cannot be fitted and stay as they are; the
card says how many. What this module does not know: whether batch and outcome are confounded: no covariate is kept, so
an outcome that differs between batches is taken out with them.

References
----------
Johnson W.E., Li C., Rabinovic A., Biostatistics 2007;8:118-127, DOI 10.1093/biostatistics/kxj037.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from encoders.cohorts.cohort import Cohort
from encoders.cohorts.combat import ROUNDING, ComBat, fit_combat
from encoders.errors import InputError


@dataclass(frozen=True)
class BatchCorrection:
    """column : clinical column of the batches; corrected : (P,) bool, the block's features that ComBat changes."""

    column: str
    corrected: NDArray[np.bool_]
    combat: ComBat

    @classmethod
    def fit(cls, cohort: Cohort, block: str, column: str, patient_ids: Sequence[str]) -> BatchCorrection:
        """Fit on the patients of ``patient_ids`` that have the block.

        Raises
        ------
        InputError: a patient without a batch, fewer than two batches or a batch with one patient, or fewer than two
            features that can be fitted.
        """
        values = cohort.aligned(block, patient_ids).astype(np.float64)
        there = np.isfinite(values).any(axis=1)
        ids = [p for p, t in zip(patient_ids, there, strict=True) if t]
        batch, rows = _batches(cohort, block, column, ids), values[there]
        corrected = np.isfinite(rows).all(axis=0) & _varies(rows, batch)
        if corrected.sum() < 2:
            raise InputError(
                f"block {block}: {int(corrected.sum())} of {corrected.size} features are known and vary within the "
                f"batches of {column}; ComBat needs two or more. Leave the batch correction out."
            )
        names = [f for f, c in zip(cohort.blocks[block].features, corrected, strict=True) if c]
        reference = f"{cohort.name}, {len(ids)} fitted patients"
        return cls(column, corrected, fit_combat(rows[:, corrected], names, batch, reference))

    def apply(self, values: NDArray[np.float64], cohort: Cohort, patient_ids: Sequence[str]) -> NDArray[np.float64]:
        """(N, P) corrected; patients without the block stay NaN.

        Raises
        ------
        InputError: a patient without a batch, or of one that was not fitted.
        """
        there = np.isfinite(values).any(axis=1)
        ids = [p for p, t in zip(patient_ids, there, strict=True) if t]
        if not ids:
            return values
        batch = _batches(cohort, "of the model", self.column, ids)
        out = values.copy()
        out[np.ix_(there, self.corrected)] = self.combat.apply(values[np.ix_(there, self.corrected)], batch)
        return out

    def to_card(self) -> dict[str, Any]:
        """JSON-able form for a model card."""
        left = int((~self.corrected).sum())
        return {**self.combat.to_card(), "column": self.column, "not_corrected": left, "mask": self.corrected.tolist()}

    @classmethod
    def from_card(cls, card: Mapping[str, Any]) -> BatchCorrection:
        """The inverse of ``to_card``."""
        return cls(card["column"], np.array(card["mask"], dtype=bool), ComBat.from_card(card))


def _batches(cohort: Cohort, block: str, column: str, ids: Sequence[str]) -> list[str]:
    if column not in cohort.clinical:
        raise InputError(
            f"cohort {cohort.name} has no column {column!r}, whose batches block {block} is corrected for."
        )
    cells = cohort.clinical.loc[list(ids), column]
    without = list(cells.index[cells.isna()])
    if without:
        raise InputError(
            f"{len(without)} patients have no {column} ({', '.join(without[:5])}), whose batches block {block} is "
            "corrected for; give each one."
        )
    return cells.astype(str).tolist()


def _varies(rows: NDArray[np.float64], batch: Sequence[str]) -> NDArray[np.bool_]:
    """(P,) whether a feature varies within batches beyond rounding."""
    names = np.array(batch)
    inside = np.concatenate([rows[names == b] - rows[names == b].mean(axis=0) for b in dict.fromkeys(batch)])
    return np.sqrt((inside**2).mean(axis=0)) > ROUNDING * np.abs(rows).max(axis=0)
