"""Splits: given ones read and checked, own ones made; a patient in two parts of one fold stops the import.

What this module does not know: which endpoint a run will use; ``check_events`` is called with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedKFold

from encoders.cohorts.cohort import Cohort, ImportNote, Split
from encoders.errors import InputError

PART_NAMES: Mapping[str, str] = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}
"""Names of parts as files spell them (lower case) -> ours."""


def part_name(text: str, where: str) -> str:
    """Our name of a part.

    Raises
    ------
    InputError: a word that names no part.
    """
    name = PART_NAMES.get(text.strip().lower())
    if name is None:
        raise InputError(f"{where}: part {text!r} is not known; allowed: {', '.join(PART_NAMES)}.")
    return name


def split_of_pairs(fold: str, pairs: Sequence[tuple[str, str]], where: str) -> Split:
    """One fold from (patient id, part) pairs; the same pair twice (two slides of one patient) is one.

    Raises
    ------
    InputError: a patient in two parts (a leak), or a fold without a train part or with only that.
    """
    parts: dict[str, str] = {}
    leaked = []
    for patient, part in pairs:
        if parts.setdefault(patient, part) != part:
            leaked.append(patient)
    if leaked:
        raise InputError(
            f"{where}: fold {fold} has {len(set(leaked))} ids in two parts ({', '.join(sorted(set(leaked))[:5])}): "
            "a patient may stand in one part only, or the score is measured on training data. Correct the folds."
        )
    found = set(parts.values())
    if "train" not in found or len(found) < 2:
        raise InputError(
            f"{where}: fold {fold} has the parts {', '.join(sorted(found)) or 'none'}; train and one more are needed."
        )
    return Split(fold, parts)


def keep_known(split: Split, known: set[str], where: str) -> tuple[Split, ImportNote | None]:
    """The split without patients the cohort has not, and what was left out.

    Raises
    ------
    InputError: no id, or none of one part, is in the cohort.
    """
    foreign = [p for p in split.parts if p not in known]
    kept = {p: part for p, part in split.parts.items() if p in known}
    lost = set(split.parts.values()) - set(kept.values())
    if lost:
        raise InputError(
            f"{where}: none of the ids in part {', '.join(sorted(lost))} of fold {split.fold} is a patient of this "
            f"cohort (found {', '.join(foreign[:3])}; the cohort has ids like {', '.join(sorted(known)[:3])}). "
            "Check the id rule of the mapping."
        )
    if not foreign:
        return split, None
    what = f"ids of fold {split.fold} are not in the cohort and were left out"
    return Split(split.fold, kept), ImportNote("warning", where, what, len(foreign), tuple(foreign))


def check_events(cohort: Cohort, endpoint: str) -> tuple[ImportNote, ...]:
    """Look for folds in which an endpoint cannot be learned or measured.

    Returns
    -------
    Warnings: parts other than train in which every patient is censored (no C-index can be computed there).

    Raises
    ------
    InputError: the cohort has no such endpoint, or a train part holds no event.
    """
    if endpoint not in cohort.endpoints:
        raise InputError(
            f"cohort {cohort.name} has no endpoint {endpoint!r}; it has {', '.join(cohort.endpoints) or 'none'}."
        )
    found = cohort.endpoints[endpoint]
    event = dict(zip(found.patient_ids, found.event, strict=True))
    notes = []
    for name, folds in cohort.splits.items():
        for split in folds:
            for part in dict.fromkeys(split.parts.values()):
                ids = [p for p in split.ids(part) if p in event]
                if any(event[p] for p in ids):
                    continue
                where = f"split {name}"
                if part == "train":
                    raise InputError(
                        f"{where}: fold {split.fold} trains on {len(ids)} patients with {endpoint}, all censored; "
                        "at least one event is needed. Use other folds or another endpoint."
                    )
                what = f"patients of fold {split.fold}, {part}, are all censored for {endpoint}; no C-index there"
                notes.append(ImportNote("warning", where, what, len(ids)))
    return tuple(notes)


def make_splits(cohort: Cohort, endpoint: str | None, *, n_folds: int = 5, seed: int = 0) -> tuple[Split, ...]:
    """Folds by patient, stratified by the event of ``endpoint`` (None: not stratified), train / validation.

    Raises
    ------
    InputError: no such endpoint, or fewer patients (or events, or censored ones) than folds.
    """
    if endpoint is None:
        ids = np.array(cohort.patient_ids)
        strata = np.zeros(len(ids), dtype=int)
    else:
        check_events(cohort, endpoint)
        ids = np.array(cohort.endpoints[endpoint].patient_ids)
        strata = cohort.endpoints[endpoint].event.astype(int)
    fewest = int(pd.Series(strata).value_counts().min())
    if fewest < n_folds:
        raise InputError(
            f"cohort {cohort.name} has only {fewest} patients in its smaller group; {n_folds} folds need as many each."
        )
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=seed).split(ids, strata)
    return tuple(
        Split(
            str(k), {**dict.fromkeys(ids[train].tolist(), "train"), **dict.fromkeys(ids[held].tolist(), "validation")}
        )
        for k, (train, held) in enumerate(folds)
    )
