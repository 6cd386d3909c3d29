"""Concordance for a cohort of several cancers: pairs are compared within a cancer only.

Across cancers a model that merely knows that one cancer is deadlier than another looks good; within
cancers it has to know the patient.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sksurv.metrics import concordance_index_censored

from encoders.errors import InputError


def stratified_concordance(
    risk_score: NDArray[np.floating],
    followup_months: NDArray[np.floating],
    event: NDArray[np.bool_],
    strata: Sequence[str],
) -> float:
    """Harrell's C-index over the comparable pairs inside each stratum, pooled by pair counts.

    Parameters
    ----------
    risk_score : (N,) float; higher = earlier event
    followup_months : (N,) float > 0
    event : (N,) bool; True = happened
    strata : (N,) labels, e.g. OncoTree codes

    Returns
    -------
    float in [0, 1], or nan when no pair in any stratum is comparable.

    Raises
    ------
    InputError: lengths differ, or a risk is not finite.

    References
    ----------
    Harrell et al., Stat Med 1996, 10.1002/(SICI)1097-0258(19960229)15:4<361::AID-SIM168>3.0.CO;2-4.
    """
    risk, time = np.asarray(risk_score, dtype=float), np.asarray(followup_months, dtype=float)
    happened, labels = np.asarray(event, dtype=bool), np.asarray(strata)
    if not len(risk) == len(time) == len(happened) == len(labels):
        raise InputError(
            f"lengths differ: {len(risk)}, {len(time)}, {len(happened)}, {len(labels)}; give one per patient."
        )
    if not np.isfinite(risk).all():
        raise InputError(
            f"{int((~np.isfinite(risk)).sum())} risk scores are not finite; drop those patients and say so."
        )
    concordant = pairs = 0.0
    for label in np.unique(labels):
        members = labels == label
        if not _comparable(time[members], happened[members]):
            continue
        _, agree, disagree, tied, _ = concordance_index_censored(happened[members], time[members], risk[members])
        concordant += agree + tied / 2
        pairs += agree + disagree + tied
    return concordant / pairs if pairs else float("nan")


def _comparable(time: NDArray[np.floating], event: NDArray[np.bool_]) -> bool:
    """True when someone outlived someone else's event (scikit-survival raises otherwise)."""
    return bool(event.any()) and bool((time > time[event].min()).any())
