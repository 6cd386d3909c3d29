"""What the user asks of an imported cohort's blocks: log2, z against another cohort, a request for batch correction.

log2(x + 1) is the same for every patient and z is fitted on patients of ANOTHER cohort, so both are done at import.
A batch correction is fitted, so it is only asked for here and done by ``Design.fit`` on the training patients of each
fold (encoders/cohort_models/design.py). The block's unit says what was done, and a model's card repeats it.
What this module does not know: folds, models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from encoders.cohorts.cohort import Block, Cohort, ColumnType, ImportNote
from encoders.cohorts.normalise import fit_z_score, log2_plus_one
from encoders.cohorts.value_checks import LINEAR_UNITS
from encoders.errors import SettingsError


def with_log2(cohort: Cohort, blocks: Sequence[str]) -> Cohort:
    """The cohort with log2(x + 1) of the named blocks of amounts.

    Raises
    ------
    SettingsError: no such block, or one whose unit is no amount.
    """
    for name in blocks:
        block = _named(cohort, name, "--log2")
        if block.unit not in LINEAR_UNITS:
            raise SettingsError(
                f"--log2 {name}: its unit is {block.unit!r}; log2(x + 1) is for amounts "
                f"({', '.join(sorted(LINEAR_UNITS))}). Leave the option out, or say the unit in a mapping."
            )
        unit = f"log2({block.unit} + 1)"
        what = f"features are now {unit}"
        cohort = _changed(cohort, name, replace(block, values=log2_plus_one(block.values), unit=unit), what)
    return cohort


def with_z(cohort: Cohort, references: Mapping[str, Cohort]) -> Cohort:
    """The cohort with the named blocks as z-scores against the block of that name of another cohort.

    A feature the reference does not have, or that does not vary there, is left out and counted.

    Raises
    ------
    SettingsError: no such block here or there, other units, patients in both, or no feature in common.
    """
    for name, reference in references.items():
        block, there = _named(cohort, name, "--z"), _named(reference, name, "--z")
        if block.unit != there.unit:
            raise SettingsError(f"--z {name}: the unit is {block.unit!r} here and {there.unit!r} in {reference.name}.")
        both = sorted(set(cohort.patient_ids) & set(reference.patient_ids))
        if both:
            raise SettingsError(
                f"--z {name}: {len(both)} patients are in the reference {reference.name} too ({', '.join(both[:3])}); "
                "a reference of other patients is needed. Training standardises by its own training patients anyway."
            )
        fitted = fit_z_score(there.values, there.features, reference.name)
        place = {f: i for i, f in enumerate(there.features) if fitted.sd[i] > 0}
        kept = [i for i, f in enumerate(block.features) if f in place]
        if not kept:
            raise SettingsError(f"--z {name}: no feature that varies in {reference.name} is in {cohort.name}.")
        index = [place[block.features[i]] for i in kept]
        z = (block.values[:, kept] - fitted.mean[index]) / fitted.sd[index]
        names = tuple(block.features[i] for i in kept)
        unit = f"z-score of {block.unit} against {reference.name} ({len(there.patient_ids)} patients)"
        gone = [f for f in block.features if f not in place]
        new = Block(block.kind, block.patient_ids, names, z.astype(np.float32), unit)
        cohort = _changed(cohort, name, new, f"features are now {unit}")
        if gone:
            what = f"features are not in the reference {reference.name}, or do not vary there, and were left out"
            note = ImportNote("skipped", f"block {name}", what, len(gone), tuple(gone))
            cohort = replace(cohort, notes=(*cohort.notes, note))
    return cohort


def with_batch(cohort: Cohort, columns: Mapping[str, str]) -> Cohort:
    """The cohort with the request that training takes the batch of a clinical column out of a block (ComBat).

    Raises
    ------
    SettingsError: no such block or column of words, or patients of the block without a batch.
    """
    for name, column in columns.items():
        block = _named(cohort, name, "--batch")
        words = [c for c, spec in cohort.columns.items() if spec.type in (ColumnType.CATEGORY, ColumnType.FLAG)]
        if column not in words:
            raise SettingsError(
                f"--batch {name}={column}: no such clinical column of words; it has {', '.join(words) or 'none'}."
            )
        batch = cohort.clinical.loc[list(block.patient_ids), column]
        without = list(batch.index[batch.isna()])
        if without:
            raise SettingsError(
                f"--batch {name}={column}: {len(without)} patients of the block have no {column} "
                f"({', '.join(without[:5])}); each needs one."
            )
        sizes = ", ".join(f"{word} {n}" for word, n in batch.astype(str).value_counts().items())
        what = f"patients are to be batch-corrected by {column} ({sizes}), by ComBat on each fold's training patients"
        note = ImportNote("normalised", f"block {name}", what, len(batch))
        asked = {**cohort.batch_columns, name: column}
        cohort = replace(cohort, batch_columns=asked, notes=(*cohort.notes, note))
    return cohort


def with_linear_told(cohort: Cohort) -> Cohort:
    """The cohort with a warning that counts the blocks left on a linear scale of amounts."""
    linear = tuple(name for name, block in cohort.blocks.items() if block.unit in LINEAR_UNITS)
    if not linear:
        return cohort
    what = "blocks are amounts on a linear scale, which models read as they are; --log2 BLOCK takes log2(x + 1)"
    return replace(cohort, notes=(*cohort.notes, ImportNote("warning", "units", what, len(linear), linear)))


def _named(cohort: Cohort, name: str, option: str) -> Block:
    if name not in cohort.blocks:
        raise SettingsError(f"{option} {name}: {cohort.name} has no such block; it has {', '.join(cohort.blocks)}.")
    return cohort.blocks[name]


def _changed(cohort: Cohort, name: str, block: Block, what: str) -> Cohort:
    note = ImportNote("normalised", f"block {name}", what, len(block.features))
    return replace(cohort, blocks={**cohort.blocks, name: block}, notes=(*cohort.notes, note))
