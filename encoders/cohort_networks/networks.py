"""The named configurations, so that an evaluation can run each on each cohort beside the linear and tree baselines.

    risk_scores("pathway, attention", GeneKnowledge(design.blocks))(train, months, event, new)

All share one training recipe; nothing is tuned to a cohort. What this module does not know: cohorts, figures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from encoders.cohort_models.kernels import Array
from encoders.cohort_models.multi_kernel import Blocks
from encoders.cohort_networks.fit import fit_network
from encoders.cohort_networks.outcomes import HAZARD, SurvivalOutcome
from encoders.cohort_networks.plan import GeneKnowledge
from encoders.cohort_networks.settings import (
    ATTENTION,
    EARLY,
    GATED,
    GRAPH,
    HYBRID,
    LATE,
    PATHWAY,
    PATHWAY_TRANSFORMER,
    SNN,
    VAE,
    NetworkSettings,
)
from encoders.errors import SettingsError

NETWORKS: Mapping[str, NetworkSettings] = MappingProxyType(
    {
        "SNN, early": NetworkSettings(encoder=SNN, fusion=EARLY),
        "SNN, attention": NetworkSettings(encoder=SNN, fusion=ATTENTION),
        "SNN, gated": NetworkSettings(encoder=SNN, fusion=GATED),
        "SNN, late": NetworkSettings(encoder=SNN, fusion=LATE),
        "SNN, hybrid": NetworkSettings(encoder=SNN, fusion=HYBRID),
        "pathway, attention": NetworkSettings(encoder=PATHWAY, fusion=ATTENTION),
        "pathway, late": NetworkSettings(encoder=PATHWAY, fusion=LATE),
        "VAE, attention": NetworkSettings(encoder=VAE, fusion=ATTENTION),
        "graph, attention": NetworkSettings(encoder=GRAPH, fusion=ATTENTION),
        "pathway transformer, attention": NetworkSettings(encoder=PATHWAY_TRANSFORMER, fusion=ATTENTION),
    }
)
"""Name -> settings, Cox loss by default."""

RiskScores = Callable[[Blocks, Array, NDArray[np.bool_], Blocks], Array]


def risk_scores(
    name: str, knowledge: GeneKnowledge | None = None, *, loss: str = "cox", seed: int | None = None
) -> RiskScores:
    """A function of the form of ``encoders.cohort_models.baselines.BASELINES``.

    Returns
    -------
    (training blocks, months, event, new blocks) -> (M,) risk scores, higher = earlier event

    Raises
    ------
    SettingsError: a name that is not in ``NETWORKS``, or a survival loss that is not known.
    """
    if name not in NETWORKS:
        raise SettingsError(f"network {name!r}; allowed: {'; '.join(NETWORKS)}.")
    if loss not in ("cox", HAZARD):
        raise SettingsError(f"survival loss {loss!r}; allowed: cox, {HAZARD}.")
    settings = NETWORKS[name]
    if seed is not None:
        settings = replace(settings, training=replace(settings.training, seed=seed))

    def fit_and_score(train: Blocks, months: Array, event: NDArray[np.bool_], new: Blocks) -> Array:
        outcome = SurvivalOutcome(months, event, loss)
        return fit_network(train, outcome, settings, knowledge=knowledge).score(new)

    return fit_and_score
