"""Why the default is the default: models compared inside training patients, the test fold not looked at.

Three-fold inner cross-validation within the training patients of official fold 0, for each of four cancers. Held-out
patients of that fold take no part: the cohort is cut down before anything is fitted. Not known here: how a run is made
(fusion_runs.py). Not checked: the best of several others is best partly by luck, which favours the others here.
"""

from __future__ import annotations

import numpy as np
from sklearn.model_selection import StratifiedKFold

from encoders.cohort_models.baselines import BASELINES
from encoders.cohort_runs.cross_validation import DEFAULT_MODEL, folds_of, outcome_of, parts_of
from encoders.cohorts.cohort import Block, Cohort, Endpoint, Split
from eval.benchmark import Better, Row
from eval.fusion_runs import DEATH, NO_BAR, FusionBench, Rows, finished_run, joined, mean_of_independent

CHOICE_CANCERS: tuple[str, ...] = ("blca", "gbmlgg", "kirc", "paad")
CHOICE_NETWORKS: tuple[str, ...] = (
    "SNN, early",
    "SNN, attention",
    "SNN, gated",
    "SNN, late",
    "SNN, hybrid",
    "pathway, late",
    "VAE, attention",
)
CANDIDATES: tuple[str, ...] = (DEFAULT_MODEL, *BASELINES, *CHOICE_NETWORKS)
INNER_FOLDS = 3


def choice_rows(bench: FusionBench) -> tuple[Row, ...]:
    """Mean inner C-index of each candidate, and the default less the best other one."""
    cancers = bench.subset(CHOICE_CANCERS)
    if not cancers:
        note = f"none of {', '.join(bench.cancers)} is among {', '.join(CHOICE_CANCERS)}"
        return (Row("fusion.choice.default_minus_best_other", None, NO_BAR, Better.HIGHER, 0, 0.0, note=note),)
    runs = {}
    for cancer in cancers:
        inner = inner_cohort(bench.porpoise(cancer), seed=bench.seed)
        runs[cancer] = finished_run(bench, inner, DEATH, f"choice-{cancer}", models=CANDIDATES)
    found, rows = list(runs.values()), Rows("choice")
    seconds, n = sum(r.seconds for r in found), sum(r.n for r in found)
    told = joined(*(r.note for r in found))
    mean = {}
    for name in CANDIDATES:
        mean[name], interval = mean_of_independent([r.mean(name) for r in found], [r.interval(name) for r in found])
        each = ", ".join(f"{c} {r.mean(name):.4f}" for c, r in runs.items())
        note = joined(f"C-index, inner folds; {each}; no bar; seconds are of all models", told)
        rows.add(Row(row_name(name), mean[name], NO_BAR, Better.HIGHER, n, seconds, interval=interval, note=note))
    best = max(CANDIDATES[1:], key=mean.__getitem__)
    said = [r.figures["models"][best] for r in found]
    gap, (low, high) = mean_of_independent(
        [s["default_minus_this"] for s in said], [tuple(s["default_minus_this_interval"]) for s in said]
    )
    rows.add(difference_row(best, gap, (low, high), n, seconds, told))
    return tuple(rows.rows)


def row_name(model: str) -> str:
    """ "pathway, late" -> "pathway_late"."""
    return "_".join(model.lower().replace(",", " ").replace("-", " ").split())


def difference_row(best: str, gap: float, interval: tuple[float, float], n: int, seconds: float, told: str) -> Row:
    """Ok where the default is the highest, or below the highest by less than the paired interval reaches upwards."""
    low, high = interval
    if gap >= 0:
        verdict = "the default is the highest" + ("" if low > 0 else f", within the noise of {best}")
    else:
        verdict = f"{best} is the highest; the default is {'' if high >= 0 else 'not '}within its noise"
    note = joined(f"{verdict}; best other: {best}; bar: less the upper reach of the paired interval", told)
    return Row(
        "default_minus_best_other", gap, min(0.0, gap - high), Better.HIGHER, n, seconds, interval=interval, note=note
    )


def inner_cohort(cohort: Cohort, *, seed: int) -> Cohort:
    """The training patients of official fold 0 with survival, alone, with three made folds by patient and event."""
    outcome = outcome_of(cohort, DEATH)
    fitted, _ = parts_of(folds_of(cohort, DEATH)[0], outcome)
    event = dict(zip(outcome.patient_ids, outcome.event, strict=True))
    ids, happened = np.array(fitted), np.array([event[p] for p in fitted])
    folds = StratifiedKFold(INNER_FOLDS, shuffle=True, random_state=seed).split(ids, happened)
    splits = tuple(
        Split(f"0.{k}", {str(p): "train" for p in ids[fit]} | {str(p): "test" for p in ids[held]})
        for k, (fit, held) in enumerate(folds)
    )
    return _only(cohort, frozenset(fitted), splits)


def _only(cohort: Cohort, ids: frozenset[str], splits: tuple[Split, ...]) -> Cohort:
    """The cohort of some patients, nothing of the others left in it."""

    def block(found: Block) -> Block:
        rows = [i for i, p in enumerate(found.patient_ids) if p in ids]
        return Block(
            found.kind, tuple(found.patient_ids[i] for i in rows), found.features, found.values[rows], found.unit
        )

    def endpoint(found: Endpoint) -> Endpoint:
        rows = [i for i, p in enumerate(found.patient_ids) if p in ids]
        members = tuple(found.patient_ids[i] for i in rows)
        return Endpoint(found.name, members, found.followup_months[rows], found.event[rows], found.source)

    return Cohort(
        name=f"{cohort.name}, training patients of fold 0",
        source=cohort.source,
        clinical=cohort.clinical[cohort.clinical.index.isin(ids)],
        columns=cohort.columns,
        blocks={name: block(found) for name, found in cohort.blocks.items()},
        endpoints={name: endpoint(found) for name, found in cohort.endpoints.items()},
        splits={"inner": splits},
        genome_build=cohort.genome_build,
        licence=cohort.licence,
        citation=cohort.citation,
    )
