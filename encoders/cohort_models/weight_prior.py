"""What is believed of kernel weights before the data are seen: they share a scale, and one may still be far from it.

log v_m ~ N(mu, SPREAD^2) and mu ~ N(log TYPICAL_WEIGHT, CENTRE_SPREAD^2), mu at its most probable value. The evidence
of a few hundred patients hardly tells v = 0.05 from v = 2 for a block that others partly repeat; left alone it lets one
block rule by chance (partial pooling: Gelman & Hill, Cambridge University Press 2007, chapter 12).

What this module does not know: kernels, outcomes.
"""

from __future__ import annotations

import numpy as np

from encoders.cohort_models.likelihoods import Array

TYPICAL_WEIGHT = 0.1
SPREAD = 2.0
"""In log units: one weight in three is beyond a factor of 7 from the shared scale, so a block without a message still
gets next to none. Chosen inside the training patients of one fold of the PORPOISE cancers, never on held-out ones."""
CENTRE_SPREAD = 2.0
BOUNDS = (-9.0, 2.5)
"""Of log weights: a kernel of mean diagonal 1 may explain a variance of exp(-9), which is none, to about 12."""


def negative_log_prior(log_weights: Array) -> tuple[float, Array]:
    """(value less a constant, gradient (M,)) at log weights (M,)."""
    typical, count = np.log(TYPICAL_WEIGHT), len(log_weights)
    precision = count / SPREAD**2 + 1 / CENTRE_SPREAD**2
    centre = (log_weights.sum() / SPREAD**2 + typical / CENTRE_SPREAD**2) / precision
    away = log_weights - centre
    value = 0.5 * (away @ away) / SPREAD**2 + 0.5 * (centre - typical) ** 2 / CENTRE_SPREAD**2
    return float(value), away / SPREAD**2  # the centre is at its optimum: it adds nothing to the slope
