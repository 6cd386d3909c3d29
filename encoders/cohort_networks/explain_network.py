"""Which columns and graph nodes made a network's score: integrated gradients with their error, node importance.

The baseline is the mean patient of the training cohort (standardised value 0) with the same blocks present. Computed
through all networks of the model at once, stacks too. Attention is not here: it is ``FittedNetwork.attention``.

What this module does not know: gene names, what a score means.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from captum.attr import IntegratedGradients, LayerGradientXActivation
from torch import Tensor

from encoders.cohort_models.attribution import FeatureAttribution
from encoders.cohort_models.kernels import Array
from encoders.cohort_models.multi_kernel import Blocks
from encoders.cohort_networks.fitted import FittedNetwork
from encoders.cohort_networks.gene_encoders import GeneGraphEncoder
from encoders.cohort_networks.network import CohortNetwork
from encoders.errors import InputError

STEPS = 64
"""Gauss-Legendre points on the path from the mean patient."""
POINTS_AT_ONCE = 2048


def integrated_gradients(
    model: FittedNetwork, blocks: Blocks, *, output: int | None = None, steps: int = STEPS
) -> FeatureAttribution:
    """Attributions of M patients' scores to every column of every block that was fitted.

    Parameters
    ----------
    output : which class or label, where ``model.score`` gives several

    Returns
    -------
    FeatureAttribution in the unit of the score; columns left out, and blocks a patient lacks, have 0

    Raises
    ------
    InputError: ``output`` missing where there are several scores, or given where there is one.

    References
    ----------
    Sundararajan, Taly & Yan, ICML 2017, arXiv 1703.01365; computed by captum (arXiv 2009.07896).
    """
    rows, present = model.rows_of(blocks)
    function = _score_of(model, output)
    inputs = tuple(rows[name] for name in model.block_names)
    start = tuple(torch.zeros_like(x) for x in inputs)
    found = IntegratedGradients(function).attribute(
        inputs, start, n_steps=steps, method="gausslegendre", additional_forward_args=(present,),
        internal_batch_size=max(POINTS_AT_ONCE, len(present)),
    )  # fmt: skip
    with torch.no_grad():
        explained = (function(*inputs, present).double() - function(*start, present).double()).numpy()
    values = {}
    for name, value in zip(model.block_names, found, strict=True):
        values[name] = np.zeros((len(present), len(model.scalers[name].keep)))
        values[name][:, model.scalers[name].keep] = value.detach().double().numpy()
    total = sum(value.sum(axis=1) for value in values.values())
    return FeatureAttribution(values, np.abs(total - explained), explained)


def _score_of(model: FittedNetwork, output: int | None) -> Callable[..., Tensor]:
    """(one tensor a block, present) -> (B,) the score to explain."""
    several = model.task.n_scores if model.task.kind in ("classes", "labels") else 1
    many = several > 1 or model.task.kind == "labels"
    if many != (output is not None) or (output is not None and not 0 <= output < several):
        allowed = f"0..{several - 1} ({', '.join(model.task.names)})" if many else "none, there is one score"
        raise InputError(f"output is {output}; allowed: {allowed}.")

    def score(*inputs: Tensor) -> Tensor:
        rows = dict(zip(model.block_names, inputs[:-1], strict=True))
        found = model.task.score(model.outputs_from(rows, inputs[-1]))
        return found if output is None else found[:, output]

    return score


def graph_node_importance(model: FittedNetwork, blocks: Blocks) -> dict[str, Array]:
    """Gradient x activation at the last graph layer, summed over a node's features, averaged over networks.

    Returns
    -------
    encoder's block ("all blocks" in early fusion: columns of all blocks side by side) -> (M, columns as given); 0 for
    columns that are no node. Sign: above 0 = raises that network's mean score.

    Raises
    ------
    InputError: no block of the model is read by a graph.

    References
    ----------
    Pope et al., CVPR 2019 (Grad-CAM on graph networks). Deviation: gradient x activation of each node and feature,
    without averaging the gradient over nodes; by captum's LayerGradientXActivation.
    """
    rows, present = model.rows_of(blocks)
    found: dict[str, list[Array]] = {}
    for member in model.members:
        for network in member.networks:
            for i, encoder in enumerate(network.encoders):
                if isinstance(encoder, GeneGraphEncoder):
                    values = _of_nodes(model, network, encoder, rows, present)
                    found.setdefault(network.plan.encoders[i].name, []).append(values)
    if not found:
        raise InputError("no block of this model is read by a graph network; fit one with encoder 'graph'.")
    return {name: np.mean(parts, axis=0) for name, parts in found.items()}


def _of_nodes(
    model: FittedNetwork, network: CohortNetwork, encoder: GeneGraphEncoder, rows: dict[str, Tensor], present: Tensor
) -> Array:
    """(M, columns as given) of one network and encoder."""
    names = [name for name, _ in network.plan.blocks]
    mine = present[:, [model.block_names.index(name) for name in names]]

    def score(*inputs: Tensor) -> Tensor:
        found = network(dict(zip(names, inputs, strict=True)), mine)
        return model.task.score(found.outputs).reshape(len(mine), -1).mean(1)

    layer = LayerGradientXActivation(score, encoder.node_activations)
    nodes = layer.attribute(tuple(rows[name] for name in names)).sum(2).detach().double().numpy()  # (M, G)
    read = names if encoder is network.encoders[0] and network.early_missing is not None else None
    name = network.plan.encoders[list(network.encoders).index(encoder)].name
    keep = np.concatenate([model.scalers[n].keep for n in (read or [name])])
    values = np.zeros((len(mine), len(keep)))
    values[:, np.flatnonzero(keep)[encoder.nodes.numpy()]] = nodes
    return values
