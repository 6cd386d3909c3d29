"""How far the default model of a run can be trusted: reliability, conformal sets, subgroups, from held-out predictions.

What this module does not know: models, folders, pages. A patient held out several times (folds drawn again) counts
once, with the mean of what was predicted, in reliability; once a fold in subgroups and conformal coverage.

Left out on purpose: a conformal lower bound on survival times (Candès, Lei & Ren, J R Stat Soc B 2023,
10.1093/jrsssb/qkac004) needs the censoring time of every patient, those with an event too, which these cohorts do not
tell; the coverage of the event-time intervals is measured instead (metrics.interval_coverage).
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binomtest

from encoders.cohort_runs.cross_validation import DEFAULT_MODEL, Outcome, Task
from encoders.cohort_runs.fold_checks import HORIZONS_MONTHS, horizon_column
from encoders.cohort_runs.reliability import (
    Estimate,
    label_reliability,
    label_slope_intercept,
    observed_over_expected,
    survival_reliability,
    survival_slope,
)
from encoders.cohort_runs.subgroups import Grouping, HeldOut, subgroup_table

COVERAGE = 0.9
TINY = 1e-12


def trust_of(
    predictions: pd.DataFrame, outcome: Outcome, task: Task, groupings: tuple[Grouping, ...], *, seed: int = 0
) -> dict[str, Any]:
    """Plain JSON values: "calibration", "reliability", "conformal" (labels), "subgroups".

    predictions : rows of the default model with the columns of fold_checks.py beside its own
    """
    own = predictions[predictions["model"] == DEFAULT_MODEL]
    place = pd.Index(outcome.patient_ids).get_indexer(own["patient_id"])
    months, event = outcome.months[place], outcome.event[place]
    once = own.groupby("patient_id", sort=False).mean(numeric_only=True)
    of_once = pd.Index(outcome.patient_ids).get_indexer(once.index)
    known = outcome.months[of_once], outcome.event[of_once]
    if task.is_survival:
        expected = -np.log(np.maximum(own["survival_at_last_time"].to_numpy(np.float64), TINY))
        found = _of_survival(once, *known)
    else:
        expected = own["probability"].to_numpy(np.float64)
        found = _of_label(once, known[1]) | {"conformal": conformal_figures(own, event)}
    held = HeldOut(
        own["patient_id"].to_numpy(str),
        own["fold"].to_numpy(str),
        own["score"].to_numpy(np.float64),
        months,
        event,
        expected,
        task.is_survival,
    )
    found["subgroups"] = [row.to_dict() for row in subgroup_table(held, groupings, seed=seed)]
    return found


def _of_survival(once: pd.DataFrame, months: NDArray[np.float64], event: NDArray[np.bool_]) -> dict[str, Any]:
    diagrams, too_short = {}, []
    for horizon in HORIZONS_MONTHS:
        predicted = once[horizon_column(horizon)].to_numpy(np.float64)
        told = np.isfinite(predicted)
        found = survival_reliability(predicted[told], months[told], event[told], horizon) if told.any() else None
        if found is None:
            too_short.append(horizon)
        else:
            diagrams[f"{horizon:g} months"] = found.to_dict()
    expected = -np.log(np.maximum(once["survival_at_last_time"].to_numpy(np.float64), TINY))
    return {
        "calibration": {
            "slope": _plain(survival_slope(once["score"].to_numpy(np.float64), months, event)),
            "observed_over_expected": _plain(observed_over_expected(event, expected)),
        },
        "reliability": diagrams,
        "horizons_beyond_the_follow_up": too_short,
    }


def _of_label(once: pd.DataFrame, label: NDArray[np.bool_]) -> dict[str, Any]:
    probability = once["probability"].to_numpy(np.float64)
    lines = label_slope_intercept(once["log_odds"].to_numpy(np.float64), label)
    return {
        "calibration": {
            "slope": _plain(lines[0] if lines else None),
            "intercept": _plain(lines[1] if lines else None),
            "observed_over_expected": _plain(observed_over_expected(label, probability)),
            "brier": float(np.mean((probability - label) ** 2)),
            "brier_of_the_prevalence": float(label.mean() * (1 - label.mean())),
            "out_of_distribution_share": float(once["out_of_distribution"].mean()),
        },
        "reliability": {"label": label_reliability(probability, label).to_dict()},
    }


def conformal_figures(own: pd.DataFrame, label: NDArray[np.bool_]) -> dict[str, Any]:
    """Coverage of the prediction sets of 90 %, all patients and class by class, and how many labels a set holds.

    own : p_no, p_yes of held-out patients; label (N,) True = yes
    """
    inside = own[["p_no", "p_yes"]].to_numpy(np.float64) > 1 - COVERAGE
    covered = inside[np.arange(len(label)), label.astype(int)]
    size = inside.sum(axis=1)
    return {
        "coverage_asked": COVERAGE,
        "method": "CV+ prediction sets, label by label (Romano, Sesia & Candès 2020; Vovk et al. 2005)",
        "coverage": _share(covered),
        "coverage_of_yes": _share(covered[label]),
        "coverage_of_no": _share(covered[~label]),
        "one_label": float((size == 1).mean()),
        "both_labels": float((size == 2).mean()),
        "no_label": float((size == 0).mean()),
    }


def _share(covered: NDArray[np.bool_]) -> dict[str, float] | None:
    if not len(covered):
        return None
    found = binomtest(int(covered.sum()), len(covered)).proportion_ci(0.95, method="wilson")
    return {
        "value": float(covered.mean()), "lower": float(found.low), "upper": float(found.high), "n": len(covered)
    }  # fmt: skip


def _plain(estimate: Estimate | None) -> dict[str, float] | None:
    return None if estimate is None else {k: float(v) for k, v in asdict(estimate).items()}
