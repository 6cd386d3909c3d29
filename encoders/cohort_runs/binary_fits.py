"""Models of one yes/no label made to do several labels, or graded response: one fit a label, one fit a threshold.

What this module does not know: which model is fitted, files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from encoders.cohort_models.kernels import Array
from encoders.cohort_models.label_baselines import LEAST_IN_CLASS
from encoders.cohort_models.multi_kernel import Blocks
from encoders.cohort_networks.outcomes import RESPONSE_GRADES
from encoders.errors import InputError

BinaryFit = Callable[[Blocks, NDArray[np.bool_], Blocks, Array | None], Array]
"""(training blocks, label, new blocks, sample weights) -> (M,) log odds of the new patients."""


def rows(blocks: Blocks, index: NDArray[np.intp]) -> dict[str, Array]:
    """Some patients of every block."""
    return {name: values[index] for name, values in blocks.items()}


def labels_scores(
    fit: BinaryFit, train: Blocks, labels: Mapping[str, Array], new: Blocks, weight: Array | None
) -> dict[str, Array]:
    """Label -> (M,) log odds, each label fitted on the patients in which it is known; labels (N,) 0, 1 or NaN.

    Raises
    ------
    InputError: a label known in too few training patients of one kind.
    """
    found = {}
    for name, label in labels.items():
        known = np.flatnonzero(np.isfinite(label))
        truth = label[known] == 1
        if min(truth.sum(), (~truth).sum()) < LEAST_IN_CLASS:
            raise InputError(
                f"label {name} is positive in {int(truth.sum())} and negative in {int((~truth).sum())} training "
                f"patients; {LEAST_IN_CLASS} of each are needed. Leave the label out."
            )
        found[name] = fit(rows(train, known), truth, new, None if weight is None else weight[known])
    return found


def response_score(
    fit: BinaryFit, train: Blocks, grade: NDArray[np.int64], new: Blocks, weight: Array | None
) -> tuple[Array, tuple[str, ...]]:
    """(M,) mean log odds of "this grade or better" over the thresholds, higher = better response; thresholds left out.

    A threshold with fewer than ``LEAST_IN_CLASS`` training patients on one side is left out.

    Raises
    ------
    InputError: no threshold is left.

    References
    ----------
    Frank & Hall, ECML 2001, 10.1007/3-540-44795-4_13 (ordinal classes by binary ones). Deviation: log odds averaged,
    not differences of probabilities.
    """
    scores, left_out = [], []
    for k in range(1, len(RESPONSE_GRADES)):
        better = grade >= k
        if min(better.sum(), (~better).sum()) < LEAST_IN_CLASS:
            left_out.append(f"{RESPONSE_GRADES[k]} or better")
        else:
            scores.append(fit(train, better, new, weight))
    if not scores:
        counts = ", ".join(f"{name} {int((grade == k).sum())}" for k, name in enumerate(RESPONSE_GRADES))
        raise InputError(
            f"training patients by grade: {counts}; no threshold has {LEAST_IN_CLASS} on both sides. Give more."
        )
    return np.mean(scores, axis=0), tuple(left_out)
