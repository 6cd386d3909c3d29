"""Gene sets over columns, the remainder counted, edges of a gene network, the graph layer against torch_geometric."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch_geometric.nn import GCNConv

from encoders.cohort_networks.gene_encoders import GeneGraphEncoder
from encoders.cohort_networks.gene_sets import REMAINDER, lay_out, named_edges, pathway_edges, read_edges, read_gmt
from encoders.cohort_networks.settings import NetworkSettings
from encoders.errors import InputError

SETS = {"a": ("G1", "G2", "G9"), "b": ("G2", "G3"), "absent": ("X", "Y"), "single": ("G4",)}


def test_layout_by_hand() -> None:
    layout = lay_out(["G1", "G2", "G3", "G4", "G2"], SETS)  # G2 twice: two blocks' columns side by side
    assert dict(zip(layout.names, layout.members, strict=True)) == {"a": (0, 1, 4), "b": (1, 4, 2), REMAINDER: (3,)}
    assert (layout.remainder, layout.in_sets) == (1, 4)
    assert layout.mask(5).sum() == 7


def test_edges_join_columns_that_share_sets_most_correlated_first() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(200, 4))
    rows[:, 2] = rows[:, 0] + 0.1 * rng.normal(size=200)  # column 2 follows column 0
    layout = lay_out(["G1", "G2", "G3", "G4"], {"all but one": ("G1", "G2", "G3")})
    edges = pathway_edges(layout, np.vstack([rows, np.full((1, 4), np.nan)]), neighbours=1)
    assert (0, 2) in edges
    assert all(3 not in pair for pair in edges)


def test_a_users_edges_by_name_and_how_many_are_foreign() -> None:
    assert named_edges(["G1", "G2", "G3"], [("G2", "G1"), ("G1", "G2"), ("G1", "Z"), ("G3", "G3")]) == (((0, 1),), 1)


def test_files_are_read_and_bad_lines_named(tmp_path: Path) -> None:
    gmt, edges = tmp_path / "sets.gmt", tmp_path / "edges.tsv"
    gmt.write_text("a\tabout a\tG1\tG2\tG1\n\nb\t\tG3\n", encoding="utf-8")
    edges.write_text("G1\tG2\t0.9\nG2 G3\n", encoding="utf-8")
    assert read_gmt(gmt) == {"a": ("G1", "G2"), "b": ("G3",)}
    assert read_edges(edges) == (("G1", "G2"), ("G2", "G3"))
    gmt.write_text("a\tabout\tG1\na\tabout\tG2\n", encoding="utf-8")
    with pytest.raises(InputError, match="line 2"):
        read_gmt(gmt)
    edges.write_text("G1\n", encoding="utf-8")
    with pytest.raises(InputError, match="line 1"):
        read_edges(edges)
    with pytest.raises(InputError, match="not there"):
        read_gmt(tmp_path / "none.gmt")


def test_the_graph_layer_is_torch_geometrics_gcn() -> None:
    torch.manual_seed(0)
    pairs = torch.tensor([[0, 1, 2, 5], [1, 2, 3, 6]])
    encoder = GeneGraphEncoder(8, NetworkSettings(channels=3), pairs)
    reference = GCNConv(3, 3)
    with torch.no_grad():
        reference.lin.weight.copy_(encoder.second.weight)
        reference.bias.copy_(encoder.second.bias)
        nodes = torch.randn(4, 6, 3)
        both = torch.searchsorted(encoder.nodes, torch.cat([pairs, pairs.flip(0)], 1))
        expected = torch.nn.functional.elu(reference(nodes, both))
        assert torch.allclose(encoder._convolve(nodes, encoder.second), expected, atol=1e-6)
    assert encoder.nodes.tolist() == [0, 1, 2, 3, 5, 6]
    assert encoder.others.tolist() == [4, 7]
