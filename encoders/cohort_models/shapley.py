"""How much each block of features gave to a patient's score: Shapley values over the blocks.

The worth of some blocks is the score by the model of the same fitted patients that has those blocks alone, their shares
fitted anew: what a dropped block told is then told, as far as it can be, by those that are left. No block at all is
worth 0, the mean of the scores before anything is known of a patient; a patient's values add up to the score.

What this module does not know: what a score means, how outcomes follow. Attribution to a block is not causation.

References
----------
Shapley, in Contributions to the Theory of Games II, 1953; Castro, Gómez & Tejada, Comput Oper Res 2009,
10.1016/j.cor.2008.04.004 (sampled permutations);
Mitchell et al., JMLR 2022, arXiv 2104.12199 (each drawn with its reverse).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from encoders.cohort_models.kernels import Array
from encoders.cohort_models.multi_kernel import Blocks, MultiKernelModel

MOST_EXACT = 6
"""Up to this many blocks all 2^B subsets are made, above it permutations are drawn."""
PERMUTATIONS = 10
"""Drawn above ``MOST_EXACT`` blocks, half of them the other half's reverse."""
EMPTY = 0.0
"""Worth of no block: the prior mean of the score."""

Worth = Callable[[frozenset[str]], Array]


@dataclass(frozen=True)
class BlockShapley:
    """values : block -> (M,) in the unit of the score, 0 for a block the patient lacks; method : in words."""

    values: Mapping[str, Array]
    method: str
    empty: float = EMPTY


def exact_shapley(players: Sequence[str], worth: Worth) -> dict[str, Array]:
    """Shapley values of ``players`` from the worth (M,) of all 2^B sets."""
    found: dict[str, Array] = {}
    known = {s: worth(s) for k in range(len(players) + 1) for s in map(frozenset, itertools.combinations(players, k))}
    for player in players:
        others = [s for s in known if player not in s]
        share = {k: 1 / (len(players) * math.comb(len(players) - 1, k)) for k in range(len(players))}
        found[player] = sum(share[len(s)] * (known[s | {player}] - known[s]) for s in others)
    return found


def sampled_shapley(players: Sequence[str], worth: Worth, *, permutations: int, seed: int) -> dict[str, Array]:
    """Mean marginal worth over drawn orders of the players; every order adds up to the whole, so the mean does too."""
    rng, known = np.random.default_rng(seed), dict[frozenset[str], Array]()

    def of(names: frozenset[str]) -> Array:
        if names not in known:
            known[names] = worth(names)
        return known[names]

    found = {player: np.zeros_like(of(frozenset())) for player in players}
    drawn = [rng.permutation(list(players)).tolist() for _ in range((permutations + 1) // 2)]
    orders = [order for one in drawn for order in (one, one[::-1])][:permutations]
    for order in orders:
        for i, player in enumerate(order):
            found[player] = found[player] + (of(frozenset(order[: i + 1])) - of(frozenset(order[:i]))) / len(orders)
    return found


def block_shapley(
    model: MultiKernelModel, blocks: Blocks, *, permutations: int = PERMUTATIONS, seed: int = 0
) -> BlockShapley:
    """Shapley values of the blocks for M patients; they add up to ``model.score`` of each.

    Raises
    ------
    InputError: a patient without any fitted block.
    """
    size, sampled = len(next(iter(blocks.values()))), False
    values = {name: np.zeros(size) for name in model.scalers}
    for part, members, rows in model.by_pattern(blocks):
        players = list(dict.fromkeys(kernel.block for kernel in part.kernels))
        worth = _worth_under(part, rows, len(members))
        if len(players) > MOST_EXACT:
            sampled = True
            found = sampled_shapley(players, worth, permutations=permutations, seed=seed)
        else:
            found = exact_shapley(players, worth)
        for name, value in found.items():
            values[name][members] = value
    method = "exact over all subsets of the blocks"
    if sampled:
        method = f"{permutations} permutations drawn where a patient has more than {MOST_EXACT} blocks, else exact"
    return BlockShapley(values, method)


def _worth_under(model: MultiKernelModel, rows: Mapping[str, Array], size: int) -> Worth:
    """Worth of blocks for the patients ``rows`` (all of them have every block of ``model``)."""

    def worth(names: frozenset[str]) -> Array:
        if not names:
            return np.full(size, EMPTY)
        return model.restricted(names).score_of({name: rows[name] for name in names})

    return worth
