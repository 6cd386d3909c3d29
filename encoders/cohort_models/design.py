"""A cohort and a list of patients -> the blocks of numbers a model reads, with the name of every column.

Categories are spread over one column each, as seen among the fitted patients; a category first met later counts as
unknown and is told. A batch correction the cohort asks for (``Cohort.batch_columns``) is fitted on the fitted patients
alone (ComBat) and applied to any; the column of the batches is then no feature. What this module does not know:
outcomes, models, files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from encoders.cohort_models.batch_correction import BatchCorrection
from encoders.cohorts.cohort import NOT_STATED, BlockKind, Cohort, ColumnType
from encoders.errors import InputError

CLINICAL = "clinical"
"""Name of the block made of the clinical columns."""


@dataclass(frozen=True)
class Design:
    """Which columns a model reads, fixed on the fitted patients.

    blocks : block -> feature names (P,)
    numbers : clinical columns read as numbers
    categories : clinical column -> its words; of two words the first is told by the other's column
    units : block -> its unit, normalisation included ("log2(TPM + 1)"); values in another unit are refused
    batches : block -> its correction
    on_probation : blocks of image features, which a model lets in only where they add to the rest (stacking.py)
    """

    blocks: Mapping[str, tuple[str, ...]]
    numbers: tuple[str, ...]
    categories: Mapping[str, tuple[str, ...]]
    units: Mapping[str, str] = field(default_factory=dict)
    batches: Mapping[str, BatchCorrection] = field(default_factory=dict)
    on_probation: frozenset[str] = frozenset()

    @classmethod
    def fit(cls, cohort: Cohort, patient_ids: Sequence[str], blocks: Sequence[str] | None = None) -> Design:
        """Columns of the named blocks (default: every block and the clinical columns) as seen in ``patient_ids``.

        Raises
        ------
        InputError: a block that the cohort does not have, nothing to read at all, or batches that ComBat cannot fit.
        """
        wanted = [CLINICAL, *cohort.blocks] if blocks is None else list(blocks)
        unknown = [name for name in wanted if name != CLINICAL and name not in cohort.blocks]
        if unknown:
            raise InputError(
                f"cohort {cohort.name} has no block {', '.join(unknown)}; "
                f"allowed: {CLINICAL}, {', '.join(cohort.blocks)}."
            )
        numbers, categories = _clinical_columns(cohort, patient_ids) if CLINICAL in wanted else ((), {})
        names = {name: cohort.blocks[name].features for name in wanted if name != CLINICAL}
        if numbers or categories:
            spread = [f"{column}={word}" for column, words in categories.items() for word in _with_a_column(words)]
            names = {CLINICAL: (*numbers, *spread), **names}
        if not names:
            raise InputError(f"cohort {cohort.name} has neither blocks nor clinical columns; nothing can be read.")
        units = {name: cohort.blocks[name].unit for name in names if name != CLINICAL}
        asked = {name: column for name, column in cohort.batch_columns.items() if name in units}
        batches = {name: BatchCorrection.fit(cohort, name, column, patient_ids) for name, column in asked.items()}
        images = (n for n in units if cohort.blocks[n].kind is BlockKind.IMAGE_FEATURES)
        return cls(names, numbers, categories, units, batches, frozenset(images))

    def to_inputs(self) -> dict[str, Any]:
        """JSON-able form for the "inputs" of a model card; ``from_inputs`` reads it."""
        return {
            "blocks": {name: list(features) for name, features in self.blocks.items()},
            "numbers": list(self.numbers),
            "categories": {name: list(words) for name, words in self.categories.items()},
            "units": dict(self.units),
            "batches": {name: batch.to_card() for name, batch in self.batches.items()},
            "on_probation": sorted(self.on_probation),
        }

    @classmethod
    def from_inputs(cls, said: Mapping[str, Any]) -> Design:
        """The design a card's "inputs" say; cards written before units and batches were recorded have none."""
        return cls(
            blocks={name: tuple(features) for name, features in said["blocks"].items()},
            numbers=tuple(said["numbers"]),
            categories={name: tuple(words) for name, words in said["categories"].items()},
            units=said.get("units", {}),
            batches={name: BatchCorrection.from_card(card) for name, card in said.get("batches", {}).items()},
            on_probation=frozenset(said.get("on_probation", ())),
        )

    def values(self, cohort: Cohort, patient_ids: Sequence[str]) -> dict[str, NDArray[np.float64]]:
        """Block -> (N, P) float64, NaN = absent, rows as in ``patient_ids``; a block the cohort lacks is left out.

        Raises
        ------
        InputError: a block with other features or in another unit than were fitted, or a batch that was not fitted.
        """
        found: dict[str, NDArray[np.float64]] = {}
        for name, features in self.blocks.items():
            if name == CLINICAL:
                found[name] = self._clinical(cohort.clinical.loc[list(patient_ids)])
            elif name in cohort.blocks:
                _check_unit(cohort, name, self.units.get(name, NOT_STATED))
                found[name] = _in_order(cohort, name, features, patient_ids)
                if name in self.batches:
                    found[name] = self.batches[name].apply(found[name], cohort, patient_ids)
        return found

    def unknown_words(self, cohort: Cohort, patient_ids: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """Clinical column -> words of ``patient_ids`` that no fitted patient had."""
        table = cohort.clinical.loc[list(patient_ids)]
        met = {c: set(table[c].dropna().astype(str)) for c in self.categories if c in table}
        return {
            c: tuple(sorted(words - set(self.categories[c])))
            for c, words in met.items()
            if words - set(self.categories[c])
        }

    def _clinical(self, table: pd.DataFrame) -> NDArray[np.float64]:
        columns = [pd.to_numeric(table[c]).to_numpy(np.float64) for c in self.numbers]
        for name, words in self.categories.items():
            value = table[name].astype("string")
            known = value.isin(words).to_numpy(bool, na_value=False)
            columns += [
                np.where(known, (value == word).to_numpy(bool, na_value=False), np.nan)
                for word in _with_a_column(words)
            ]
        return np.stack(columns, axis=1)


def _with_a_column(words: tuple[str, ...]) -> tuple[str, ...]:
    """The words of a category that have a column; of two words one column tells both."""
    return words[1:] if len(words) == 2 else words


def _clinical_columns(cohort: Cohort, patient_ids: Sequence[str]) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    table = cohort.clinical.loc[list(patient_ids)]
    numbers = tuple(c for c, spec in cohort.columns.items() if spec.type is ColumnType.NUMBER)
    categories: dict[str, tuple[str, ...]] = {}
    for column, spec in cohort.columns.items():
        if spec.type not in (ColumnType.CATEGORY, ColumnType.FLAG) or column in cohort.batch_columns.values():
            continue
        words = tuple(sorted(set(table[column].dropna().astype(str))))
        if len(words) >= 2:  # a word all patients share tells nothing
            categories[column] = words
    return numbers, categories


def _check_unit(cohort: Cohort, name: str, fitted: str) -> None:
    given = cohort.blocks[name].unit
    if NOT_STATED not in (given, fitted) and given != fitted:
        raise InputError(
            f"block {name} of cohort {cohort.name} is in {given!r}, the model was fitted on {fitted!r}; import the "
            "cohort with the same unit and normalisation (--unit, --log2, --z)."
        )


def _in_order(cohort: Cohort, name: str, features: tuple[str, ...], patient_ids: Sequence[str]) -> NDArray[np.float64]:
    values = cohort.aligned(name, patient_ids).astype(np.float64)
    given = cohort.blocks[name].features
    if given == features:
        return values
    place = {feature: i for i, feature in enumerate(given)}
    absent = [feature for feature in features if feature not in place]
    if absent:
        raise InputError(
            f"block {name} of cohort {cohort.name} lacks {len(absent)} of the {len(features)} fitted features "
            f"({', '.join(absent[:5])}); give a cohort with the same features."
        )
    return values[:, [place[feature] for feature in features]]
