"""Attributions add up, find the genes of the signal, and attention is told apart from them."""

from __future__ import annotations

import numpy as np
import pytest

from encoders.cohort_networks.explain_network import graph_node_importance, integrated_gradients
from encoders.cohort_networks.fit import fit_network
from encoders.cohort_networks.outcomes import ClassOutcome, SurvivalOutcome
from encoders.errors import InputError


@pytest.fixture(scope="module")
def outcome(made):
    return SurvivalOutcome(made.months, made.event)


@pytest.mark.parametrize(
    ("encoder", "fusion"),
    [
        ("snn", "early"),
        ("pathway", "gated"),
        ("graph", "attention"),
        ("pathway transformer", "attention"),
        ("snn", "hybrid"),
    ],
)
def test_integrated_gradients_add_up_to_the_score_and_find_the_genes(
    encoder, fusion, made, unseen, outcome, quick
) -> None:
    model = fit_network(made.blocks, outcome, quick(encoder=encoder, fusion=fusion), knowledge=made.knowledge)
    few = {name: values[:40] for name, values in unseen.blocks.items()}
    found = integrated_gradients(model, few)
    assert found.completeness_error.mean() < 0.01 * np.abs(found.explained).mean()
    assert found.values["expression"].shape == (40, 50)
    importance = np.abs(found.values["expression"]).mean(0)
    assert importance[:10].mean() > 1.5 * importance[10:].mean()
    lacking = ~np.isfinite(few["expression"]).all(1)
    assert lacking.any()
    assert (found.values["expression"][lacking] == 0).all()
    mean = {name: model.scalers[name].mean[None] for name in few}
    absent = {name: np.isfinite(values).all(1) for name, values in few.items()}
    whole = np.flatnonzero(np.all(list(absent.values()), axis=0))
    np.testing.assert_allclose(found.explained[whole], (model.score(few) - model.score(mean))[whole], atol=1e-4)


@pytest.mark.parametrize("fusion", ["attention", "early"])
def test_graph_nodes_of_the_signal_matter_most_and_columns_off_the_graph_have_none(
    fusion, made, unseen, outcome, quick
):
    model = fit_network(made.blocks, outcome, quick(encoder="graph", fusion=fusion), knowledge=made.knowledge)
    found = graph_node_importance(model, unseen.blocks)
    (values,) = found.values()
    assert values.shape == (150, 50 if fusion == "attention" else 57)
    importance = np.abs(values).mean(0)
    assert importance[:8].mean() > 1.5 * importance[10:25].mean()
    assert (importance[25:] == 0).all()


def test_attention_is_returned_as_attention_and_gates_as_gates(made, unseen, outcome, quick) -> None:
    settings = quick(encoder="pathway transformer")
    found = fit_network(made.blocks, outcome, settings, knowledge=made.knowledge).attention(unseen.blocks)
    assert found.block_names == ("expression", "clinical", "protein")
    np.testing.assert_allclose(found.blocks.sum(1), 1, atol=1e-5)
    assert found.gates is None
    names, looked = found.pathways["expression"]
    assert names == ("signal", "noise", "genes in no set")
    np.testing.assert_allclose(looked.sum(1), 1, atol=1e-5)
    found = fit_network(made.blocks, outcome, quick(fusion="gated")).attention(unseen.blocks)
    assert found.blocks is None
    assert ((found.gates > 0) & (found.gates < 1)).all()
    assert not found.pathways


def test_which_of_several_scores_is_explained_must_be_said(made, quick) -> None:
    thirds = ClassOutcome(np.digitize(made.signal, [-0.5, 0.5]), ("low", "middle", "high"))
    model = fit_network(made.blocks, thirds, quick())
    few = {name: values[:5] for name, values in made.blocks.items()}
    with pytest.raises(InputError, match=r"0\.\.2 \(low, middle, high\)"):
        integrated_gradients(model, few)
    found = integrated_gradients(model, few, output=2)
    assert found.completeness_error.max() < 0.01 * np.abs(found.explained).max()
    with pytest.raises(InputError, match="read by a graph"):
        graph_node_importance(model, few)
