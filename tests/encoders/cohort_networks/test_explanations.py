"""Explanations in one form: sums stay sums over gene sets, units reach their columns, attention is named as such."""

from __future__ import annotations

import numpy as np
import pytest

from encoders.cohort_networks.explanations import NOT_AN_EXPLANATION, by_set, described, explain, set_members, spread
from encoders.cohort_networks.fit import fit_network
from encoders.cohort_networks.outcomes import LabelsOutcome, SurvivalOutcome


def test_gene_sets_share_columns_evenly_and_add_up_to_the_whole():
    features = {"rna": ["A", "B", "C", "D"], "cnv": ["A", "B"], "clinical": ["age"]}
    names, members = set_members(features, {"one": ["A", "B"], "two": ["B", "C"]})
    assert names == ("one", "two", "genes in no set")  # D; a block without genes of sets is in none
    values = {"rna": np.array([[1.0, 4.0, 2.0, 8.0]]), "cnv": np.array([[3.0, 6.0]]), "clinical": np.array([[9.0]])}
    # one: A 1, B shared 2, cnv A 3, cnv B 6 ("two" has one column there and is no set); two: B shared 2, C 2
    np.testing.assert_allclose(by_set(values, members), [[12.0, 4.0, 8.0]])


def test_a_column_takes_the_largest_even_share_of_its_units():
    members = [{"x": np.array([0, 1])}, {"x": np.array([1]), "y": np.array([0])}]
    found = spread(np.array([[-4.0, 6.0]]), members, {"x": 3, "y": 1})
    assert found["x"].tolist() == [[2.0, 3.0, 0.0]]
    assert found["y"].tolist() == [[3.0]]


@pytest.mark.parametrize(
    ("encoder", "fusion", "expected"),
    [
        ("graph", "early", {"gradient x activation, graph nodes"}),
        ("pathway transformer", "early", {f"pathways of all blocks ({NOT_AN_EXPLANATION})"}),
        ("snn", "gated", {f"gates of blocks ({NOT_AN_EXPLANATION})"}),
    ],
)
def test_each_explanation_is_given_and_tested(encoder, fusion, expected, made, unseen, quick):
    outcome = SurvivalOutcome(made.months, made.event)
    model = fit_network(made.blocks, outcome, quick(encoder=encoder, fusion=fusion), knowledge=made.knowledge)
    few, features = {n: v[:60] for n, v in unseen.blocks.items()}, made.knowledge.features
    found = {e.name: e for e in explain(model, few, features, gene_sets=made.knowledge.gene_sets)}
    assert expected <= set(found)
    columns = found["integrated gradients, columns"]
    pathways = found["integrated gradients, pathways"]
    genes = columns.columns["expression"].sum(1)
    np.testing.assert_allclose(pathways.units.sum(1), genes, atol=1e-6)
    assert columns.completeness_error < 0.01
    assert columns.test(model, few, ["expression"], output=None, seed=0).ratio > 1.5
    for name in expected:
        said = described(found[name], features, found[name].test(model, few, ["expression"], output=None, seed=0))
        assert said["completeness_error"] is None
        assert {"top_over_random", "moved_by_top", "moved_by_random", "columns", "units"} <= set(said)


def test_each_label_is_explained_by_itself(made, quick):
    labels = np.stack([made.signal > 0, np.arange(400) % 2 == 0], 1).astype(float)
    model = fit_network(made.blocks, LabelsOutcome(labels, ("signal", "noise")), quick(encoder="snn"))
    few = {n: v[:30] for n, v in made.blocks.items()}
    first, *_ = explain(model, few, made.knowledge.features, output=0)
    moved = first.test(model, few, ["expression"], output=0, seed=0)
    np.testing.assert_allclose(moved.before, model.score(few)[:, 0])
