"""Figures of one ranking: recall and discounted gain among the first k. Labels are yes or no.

Not known here: how a ranking was made.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from encoders.errors import InputError


def recall_at(ranked: Sequence[int], gold: Collection[int], k: int) -> float:
    """Labelled passages among the first ``k``, as a share of the most that could be there: min(k, labelled).

    Raises
    ------
    InputError: nothing is labelled (recall of nothing is not 0).
    """
    if not gold:
        raise InputError("a question without labelled passages has no recall; leave it out.")
    return len(set(ranked[:k]) & set(gold)) / min(k, len(gold))


def ndcg_at(ranked: Sequence[int], gold: Collection[int], k: int) -> float:
    """Normalised discounted cumulative gain among the first ``k``; each labelled passage gains 1.

    Raises
    ------
    InputError: nothing is labelled.

    References
    ----------
    Jarvelin & Kekalainen, ACM TOIS 2002, DOI 10.1145/582415.582418.
    """
    if not gold:
        raise InputError("a question without labelled passages has no discounted gain; leave it out.")
    gained = sum(1 / math.log2(place + 1) for place, item in enumerate(ranked[:k], start=1) if item in gold)
    most = sum(1 / math.log2(place + 1) for place in range(1, min(k, len(gold)) + 1))
    return gained / most
