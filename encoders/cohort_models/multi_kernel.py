"""The default model of a cohort: random effects for every block of features, weighed by the evidence of the data.

A patient's score is a sum of a linear and a Gaussian effect of every block (clinical, expression, mutations, image
features ...). Their weights are variances, the most probable ones given the training patients alone, so there is
nothing to tune. Every block is fitted for itself, and its score gets a share in the sum by what it told of patients
left out (stacking.py): a block that says nothing gets none, and one a patient lacks says nothing about that patient.

What this module does not know: cohorts on disk, splits, figures. Not checked: proportional hazards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from encoders.cohort_models.kernels import KERNELS, Array, BlockScaler, Kernel
from encoders.cohort_models.likelihoods import BernoulliLikelihood, CoxLikelihood, Likelihood
from encoders.cohort_models.stacking import KernelMatrices, SavedWeights, StackedFit, fit_stack
from encoders.errors import ContractError, InputError

Blocks = Mapping[str, NDArray[np.floating]]
"""Block name -> (N, P) values of the same N patients in the same order, NaN = absent."""


MOST_DENSE = 1600
"""Cohorts of up to this many patients are fitted over all pairs of patients, larger ones through landmarks."""
LANDMARKS = 600
SHARE = "share"
RIDGE = ("all blocks, penalty", "all blocks, share")
"""What the ridge of all blocks (components_ridge.py) is called among the weights, where it was let in."""


@dataclass(frozen=True)
class MultiKernelModel:
    """A fitted model; ``fit_survival`` and ``fit_label`` make it.

    kernels : their rows are the fitted patients, or the landmarks among them
    training : block -> (N, P) standardised rows of all fitted patients
    ignored : blocks without a column that varied among the fitted patients; they may be given and say nothing

    References
    ----------
    Gönen & Alpaydin, JMLR 2011 (multiple kernel learning); for the evidence see laplace.py.
    """

    scalers: Mapping[str, BlockScaler]
    kernels: tuple[Kernel, ...]
    fitted: StackedFit
    likelihood: Likelihood
    training: Mapping[str, Array]
    ignored: frozenset[str] = frozenset()
    _restricted: dict[frozenset[str], MultiKernelModel] = field(default_factory=dict, repr=False, compare=False)

    @property
    def weights(self) -> Mapping[str, float]:
        """ "expression, linear" -> variance of that effect in the block's own fit; "expression, share" -> its share;
        ``RIDGE``, where it was let in, the ridge's penalty and the factor of its score."""
        found = {}
        for name, fit in self.fitted.alone.items():
            found |= {f"{name}, {form}": float(w) for form, w in zip(KERNELS, fit.weights, strict=True)}
            found[f"{name}, {SHARE}"] = float(self.fitted.share[name])
        if self.fitted.ridge is not None:
            found |= zip(RIDGE, (self.fitted.ridge.penalty, self.fitted.ridge_share), strict=True)
        return found

    def score(self, blocks: Blocks) -> Array:
        """(M,) risk score (log relative hazard, higher = earlier event) or log odds less the prevalence's."""
        return self._by_pattern(blocks, lambda model, rows: model.score_of(rows))

    def score_variance(self, blocks: Blocks) -> Array:
        """(M,) posterior variance of ``score``, the weights taken as known."""

        def variance(model: MultiKernelModel, rows: Mapping[str, Array]) -> Array:
            across = [k.across(rows[k.block]) for k in model.kernels]
            return model.fitted.variance(across, [k.diagonal(rows[k.block]) for k in model.kernels], rows)

        return self._by_pattern(blocks, variance)

    def block_scores(self, blocks: Blocks) -> Mapping[str, Array]:
        """Block -> (M,) its part of ``score``; the parts add up to it exactly."""

        def part(model: MultiKernelModel, rows: Mapping[str, Array], name: str) -> Array:
            parts = zip(model.kernels, model.effects(rows), strict=True)
            return sum((effect for k, effect in parts if k.block == name), model.fitted.ridge_part(name, rows[name]))

        return {name: self._by_pattern(blocks, partial(part, name=name)) for name in self.scalers}

    def novelty(self, blocks: Blocks) -> Array:
        """(M,) how far a patient lies from the fitted ones: mean squared standardised value of a block's columns, the
        largest over blocks; 1 = a typical patient."""
        return largest_mean_square(self.standardised(blocks))

    def restricted(self, names: frozenset[str]) -> MultiKernelModel:
        """The model of the same fitted patients with the blocks ``names`` alone, made when first asked for.

        What an absent block told about the fitted patients is then told by those that are left: a patient without
        expression is scored by a model that never saw any.
        """
        if names >= set(self.scalers):
            return self
        if names not in self._restricted:
            kernels = tuple(k for k in self.kernels if k.block in names)
            fitted = self.fitted.restricted(names)
            self._restricted[names] = replace(self, kernels=kernels, fitted=fitted, _restricted={})
        return self._restricted[names]

    def by_pattern(self, blocks: Blocks) -> list[tuple[MultiKernelModel, NDArray[np.intp], dict[str, Array]]]:
        """(model of the blocks they have, which patients, their standardised rows) for every pattern of absent blocks.

        Raises
        ------
        InputError: a patient without any fitted block.
        """
        rows, found = self.standardised(blocks), []
        for names, members in _patterns(rows).items():
            if not names:
                raise InputError(
                    f"{len(members)} patients have none of the blocks {', '.join(self.scalers)}; drop them."
                )
            part = {name: values[members] for name, values in rows.items()}
            found.append((self.restricted(names), members, part))
        return found

    def _by_pattern(self, blocks: Blocks, of: Callable[[MultiKernelModel, Mapping[str, Array]], Array]) -> Array:
        out = np.zeros(len(next(iter(blocks.values()))))
        for model, members, rows in self.by_pattern(blocks):
            out[members] = of(model, rows)
        return out

    def score_of(self, rows: Mapping[str, Array]) -> Array:
        """(M,) score from standardised rows, by this very model whatever is absent; absent rows give 0."""
        straight = (self.fitted.ridge_part(name, row) for name, row in rows.items())
        return np.sum([*self.effects(rows), *straight], axis=0)

    def effects(self, rows: Mapping[str, Array]) -> list[Array]:
        """(M,) effect of every kernel on the score, from standardised rows."""
        return [k.across(rows[k.block]) @ self.fitted.coefficients(i) for i, k in enumerate(self.kernels)]

    def standardised(self, blocks: Blocks) -> dict[str, Array]:
        """Block -> (M, kept columns) standardised rows; all NaN for a block that is not given, or a patient without it.

        Raises
        ------
        InputError: a block that was not fitted, other columns than were fitted, or blocks of unequal length.
        """
        size = {len(v) for v in blocks.values()}
        if len(size) != 1 or not set(blocks) <= set(self.scalers) | self.ignored:
            raise InputError(
                f"blocks {sorted(blocks)} with {sorted(size)} patients; allowed blocks: {', '.join(self.scalers)}, "
                "all of the same number of patients."
            )
        count = size.pop()
        rows = {}
        for name, scaler in self.scalers.items():
            given = blocks.get(name)
            rows[name] = np.full((count, int(scaler.keep.sum())), np.nan) if given is None else scaler.transform(given)
        return rows


def fit_survival(
    blocks: Blocks,
    months: NDArray[np.floating],
    event: NDArray[np.bool_],
    *,
    probation: frozenset[str] = frozenset(),
) -> MultiKernelModel:
    """Fit risk scores to follow-up (N,) months and event (N,) True = happened; probation : see stacking.py.

    Raises
    ------
    InputError: fewer than 2 events, impossible times, or no block with a column that varies.
    """
    return _fit(blocks, CoxLikelihood(months, event), probation)


def fit_label(blocks: Blocks, label: NDArray[np.bool_], *, probation: frozenset[str] = frozenset()) -> MultiKernelModel:
    """Fit log odds to a binary label (N,); probation : see stacking.py.

    Raises
    ------
    InputError: one class alone, or no block with a column that varies.
    """
    return _fit(blocks, BernoulliLikelihood(label), probation)


def _fit(blocks: Blocks, likelihood: Likelihood, probation: frozenset[str]) -> MultiKernelModel:
    scalers, rows = standardise(blocks)
    return assemble(scalers, rows, likelihood, ignored=frozenset(blocks) - frozenset(scalers), probation=probation)


def standardise(blocks: Blocks) -> tuple[dict[str, BlockScaler], dict[str, Array]]:
    """Scalers fitted on ``blocks``, and their standardised rows; a block without a column that varies is left out.

    Raises
    ------
    InputError: no block has a column that varies.
    """
    scalers = {name: BlockScaler.fit(values) for name, values in blocks.items()}
    scalers = {name: scaler for name, scaler in scalers.items() if scaler.keep.any()}
    if not scalers:
        raise InputError("no block has a column that varies; nothing can be fitted.")
    return scalers, {name: scaler.transform(blocks[name]) for name, scaler in scalers.items()}


def assemble(
    scalers: Mapping[str, BlockScaler],
    rows: Mapping[str, Array],
    likelihood: Likelihood,
    weights: Mapping[str, float] | None = None,
    *,
    ignored: frozenset[str] = frozenset(),
    probation: frozenset[str] = frozenset(),
) -> MultiKernelModel:
    """A model of standardised rows at the kernel weights given (``weights`` of a saved one), or at the most probable.

    Raises
    ------
    ContractError: weights of other effects than the rows have.
    """
    size = len(next(iter(rows.values())))
    shown = np.arange(size)
    if size > MOST_DENSE:
        shown = np.sort(np.random.default_rng(0).choice(size, LANDMARKS, replace=False))
    kernels = tuple(Kernel.fit(name, form, row[shown]) for name, row in rows.items() for form in KERNELS)
    matrices = _matrices(kernels, rows)
    saved = None if weights is None else _saved_weights(tuple(rows), weights)
    fitted = fit_stack(matrices, likelihood, rows, saved=saved, probation=probation)
    return MultiKernelModel(scalers, kernels, fitted, likelihood, rows, ignored)


def _saved_weights(names: tuple[str, ...], weights: Mapping[str, float]) -> SavedWeights:
    """Named weights of a saved model, sorted by what they weigh."""
    effects = {name: [f"{name}, {form}" for form in KERNELS] for name in names}
    wanted = {e for block in effects.values() for e in block} | {f"{name}, {SHARE}" for name in names}
    if set(weights) - set(RIDGE) != wanted or len(set(RIDGE) & set(weights)) == 1:
        raise ContractError(
            f"weights of the effects {', '.join(weights) or 'none'}; these blocks have {', '.join(sorted(wanted))} "
            f"and perhaps {' and '.join(RIDGE)}. Fit the model again."
        )
    return SavedWeights(
        kernels={name: np.array([weights[e] for e in block]) for name, block in effects.items()},
        share={name: weights[f"{name}, {SHARE}"] for name in names},
        ridge=(weights[RIDGE[0]], weights[RIDGE[1]]) if RIDGE[0] in weights else None,
    )


def _matrices(kernels: tuple[Kernel, ...], training: Mapping[str, Array]) -> KernelMatrices:
    across = tuple(k.across(training[k.block]) for k in kernels)
    dense = across[0].shape[0] == across[0].shape[1]
    among = None if dense else tuple(k.across(k.rows) for k in kernels)
    return KernelMatrices(tuple(k.block for k in kernels), across, among)


def largest_mean_square(rows: Mapping[str, Array]) -> Array:
    """(M,) mean square of a block's standardised values (M, P), the largest over the blocks a patient has."""
    parts = [np.mean(row**2, axis=1) for row in rows.values()]
    return np.max(np.stack([np.where(np.isfinite(part), part, -np.inf) for part in parts]), axis=0)


def _patterns(rows: Mapping[str, Array]) -> dict[frozenset[str], NDArray[np.intp]]:
    """Blocks present -> the patients that have just those."""
    have = {name: np.isfinite(values).all(axis=1) for name, values in rows.items()}
    groups: dict[frozenset[str], list[int]] = {}
    for i in range(len(next(iter(have.values())))):
        groups.setdefault(frozenset(name for name in have if have[name][i]), []).append(i)
    return {names: np.array(members) for names, members in groups.items()}
