"""Another cohort's columns brought to those a fitted model reads; what is missing, strange or in another unit is told.

A column that the cohort lacks is not known for any of its patients and counts as the mean of the training patients. A
block with fewer than half of its fitted features is left out whole, as if it had not been measured. What this module
does not know: models. Not checked: whether z-scores were taken against the same reference; an out-of-distribution flag
may show it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from encoders.cohort_models.design import CLINICAL, Design
from encoders.cohorts.cohort import NOT_STATED, Block, Cohort, ColumnSpec, ColumnType
from encoders.errors import InputError

LEAST_SHARE = 0.5
NAMED = 20
"""As many missing names are listed; all are counted."""


@dataclass(frozen=True)
class Adapted:
    """cohort : with the columns the model reads; said : plain JSON values of what was missing or strange."""

    cohort: Cohort
    said: Mapping[str, Any]


def clinical_units(cohort: Cohort) -> dict[str, str]:
    """Clinical number column -> its unit, to be kept with a model (``Design.units`` keeps those of the blocks)."""
    return {n: s.unit or NOT_STATED for n, s in cohort.columns.items() if s.type is ColumnType.NUMBER}


def adapt(cohort: Cohort, design: Design, units: Mapping[str, str], patient_ids: Sequence[str]) -> Adapted:
    """``cohort`` as ``design`` can read it; units : as kept by ``clinical_units`` with the model.

    Raises
    ------
    InputError: a clinical column in another unit than the model was fitted to (``Design.values`` checks the blocks).
    """
    here = clinical_units(cohort)
    _check_units(here, units, design)
    blocks_here = {name: block.unit for name, block in cohort.blocks.items()}
    read, missing = _with_clinical(cohort, design)
    absent, left_out = {}, {}
    blocks = dict(read.blocks)
    for name, features in design.blocks.items():
        if name == CLINICAL or name not in blocks:
            continue
        lacking = sorted(set(features) - set(blocks[name].features))
        if len(features) - len(lacking) < LEAST_SHARE * len(features):
            left_out[name] = f"{len(lacking)} of {len(features)} fitted features are missing"
            del blocks[name]
        elif lacking:
            absent[name] = {"count": len(lacking), "of": len(features), "names": lacking[:NAMED]}
            blocks[name] = _widened(blocks[name], lacking)
    read = replace(read, blocks=blocks)
    not_given = [n for n in design.blocks if n != CLINICAL and n not in cohort.blocks]
    return Adapted(
        read,
        {
            "missing_clinical_columns": missing,
            "missing_features": absent,
            "blocks_left_out": left_out,
            "blocks_not_given": not_given,
            "unknown_words": {c: list(w) for c, w in design.unknown_words(read, patient_ids).items()},
            "units_not_compared": _not_compared({**here, **blocks_here}, {**units, **design.units}, design),
        },
    )


def _check_units(here: Mapping[str, str], fitted: Mapping[str, str], design: Design) -> None:
    for name in design.numbers:
        if name in here and name in fitted and here[name] != fitted[name]:
            if NOT_STATED in (here[name], fitted[name]):
                continue
            raise InputError(
                f"column {name} is in {here[name]!r}, the model was fitted to {fitted[name]!r}; import it in that unit."
            )


def _not_compared(here: Mapping[str, str], fitted: Mapping[str, str], design: Design) -> list[str]:
    """What the model reads whose unit is not stated on one side."""
    reads = {*design.blocks, *design.numbers} & set(here)
    return sorted(name for name in reads if NOT_STATED in (here[name], fitted.get(name, NOT_STATED)))


def _with_clinical(cohort: Cohort, design: Design) -> tuple[Cohort, list[str]]:
    missing = [c for c in (*design.numbers, *design.categories) if c not in cohort.columns]
    added = {c: np.nan if c in design.numbers else pd.Series(pd.NA, cohort.clinical.index, "string") for c in missing}
    kinds = {c: ColumnSpec(ColumnType.NUMBER if c in design.numbers else ColumnType.CATEGORY) for c in missing}
    return replace(cohort, clinical=cohort.clinical.assign(**added), columns={**cohort.columns, **kinds}), missing


def _widened(block: Block, lacking: list[str]) -> Block:
    empty = np.full((len(block.patient_ids), len(lacking)), np.nan, np.float32)
    return replace(block, features=(*block.features, *lacking), values=np.hstack([block.values, empty]))
