"""Encoders that know which gene a column is: pathway-sparse network, transformer over pathway tokens, gene graph.

Same interface as block_encoders.py. What this module does not know: gene names (it gets column indices), outcomes.
"""

from __future__ import annotations

import math
import warnings

import torch
from torch import Tensor, nn

from encoders.cohort_networks.block_encoders import BlockEncoder, Encoded
from encoders.cohort_networks.settings import NetworkSettings


class PathwayLayer(nn.Module):
    """Columns (B, G) -> ``channels`` units of each pathway (B, P, C); a unit reads its pathway's columns alone."""

    mask: Tensor

    def __init__(self, mask: Tensor, channels: int) -> None:
        super().__init__()
        self.channels = channels
        spread = mask.repeat_interleave(channels, dim=0).float()  # (P * C, G)
        self.register_buffer("mask", spread, persistent=False)
        # Starts 0 outside the mask and gets no gradient there, so weight decay keeps it 0 exactly.
        self.weight = nn.Parameter(torch.randn(spread.shape) * spread / spread.sum(1, keepdim=True).sqrt())
        self.bias = nn.Parameter(torch.zeros(len(spread)))

    def forward(self, values: Tensor) -> Tensor:
        """(B, G) -> (B, P, C)."""
        units = nn.functional.linear(values, self.weight * self.mask, self.bias)
        return units.view(len(values), -1, self.channels)


class PathwaySparseEncoder(BlockEncoder):
    """Gene -> pathway units through masked weights -> a hidden layer -> the embedding.

    References
    ----------
    Hao et al., BMC Bioinformatics 2018, 10.1186/s12859-018-2500-z (PASNet); Elmarakeby et al., Nature 2021,
    10.1038/s41586-021-03922-4 (P-NET). Deviation: one pathway layer, and genes in no set keep units of their own.
    """

    def __init__(self, columns: int, settings: NetworkSettings, mask: Tensor) -> None:
        super().__init__(columns)
        self.pathways = PathwayLayer(mask, settings.channels)
        self.rest = nn.Sequential(
            nn.Tanh(), nn.Dropout(settings.dropout),
            nn.Linear(len(mask) * settings.channels, settings.hidden), nn.Tanh(), nn.Dropout(settings.dropout),
            nn.Linear(settings.hidden, settings.width),
        )  # fmt: skip

    def encode(self, values: Tensor, present: Tensor) -> Encoded:
        """(B, G) -> (B, D)."""
        return Encoded(self.rest(self.pathways(values).flatten(1)))


class PathwayTransformerEncoder(BlockEncoder):
    """One token a pathway, self-attention over them, and a learned query that reads them.

    The attention returned is the query's, averaged over heads: where it looked, not why.

    References
    ----------
    Vaswani et al., NeurIPS 2017, arXiv 1706.03762; pathway tokens as in Jaume et al., CVPR 2024, arXiv 2304.06819
    (SurvPath). Deviation: masked linear tokens, no image.
    """

    def __init__(self, columns: int, settings: NetworkSettings, mask: Tensor) -> None:
        super().__init__(columns)
        width = settings.width
        self.pathways = PathwayLayer(mask, width)
        self.which = nn.Parameter(torch.randn(len(mask), width) * 0.1)
        self.layer = nn.TransformerEncoderLayer(
            width, settings.heads, 2 * width, settings.dropout, activation="gelu", batch_first=True, norm_first=True
        )
        self.query = nn.Parameter(torch.randn(width) * 0.1)
        self.read = nn.MultiheadAttention(width, settings.heads, batch_first=True)

    def encode(self, values: Tensor, present: Tensor) -> Encoded:
        """(B, G) -> (B, D) and attention (B, P)."""
        tokens = self.layer(self.pathways(values) + self.which)
        query = self.query.expand(len(values), 1, -1)
        read, attention = self.read(query, tokens, tokens)
        return Encoded(read.squeeze(1), attention=attention.squeeze(1))


class GeneGraphEncoder(BlockEncoder):
    """Two graph convolutions over a gene network, then a dense reading of all nodes; genes without an edge beside it.

    A layer is elu(A X W + b) with A = D^-1/2 (edges + I) D^-1/2: torch_geometric's ``gcn_norm`` and ``LGConv``
    (propagation alone) with a linear layer. That is its ``GCNConv``, with all patients propagated in one sparse
    product, several times faster on a CPU. ELU, because with
    few channels a layer of ReLUs is easily dead from the start.

    References
    ----------
    Kipf & Welling, ICLR 2017, arXiv 1609.02907; He et al., SIGIR 2020, arXiv 2002.02126 (LightGCN's propagation).
    """

    adjacency: Tensor
    nodes: Tensor
    others: Tensor

    def __init__(self, columns: int, settings: NetworkSettings, edges: Tensor) -> None:
        from torch_geometric.nn import LGConv  # noqa: PLC0415 - seconds to import; needed by this encoder alone

        super().__init__(columns)
        nodes = edges.unique()  # (G,)
        inside = torch.zeros(columns, dtype=torch.bool)
        inside[nodes] = True
        self.register_buffer("nodes", nodes, persistent=False)
        self.register_buffer("others", (~inside).nonzero().squeeze(1), persistent=False)
        self.register_buffer(
            "adjacency", normalised_adjacency(torch.searchsorted(nodes, edges.contiguous())), persistent=False
        )
        self.propagate = LGConv(normalize=False)
        channels = settings.channels
        self.first, self.second = nn.Linear(1, channels), nn.Linear(channels, channels)
        nn.init.normal_(self.first.weight)
        self.dropout = nn.Dropout(settings.dropout)
        self.node_activations = nn.Identity()  # a place for attribution to hook
        self.remainder = nn.Linear(len(self.others), channels) if len(self.others) else None
        read = len(nodes) * channels + (channels if self.remainder else 0)
        self.out = nn.Linear(read, settings.width)
        nn.init.normal_(self.out.weight, std=math.sqrt(1 / read))

    def _convolve(self, nodes: Tensor, layer: nn.Linear) -> Tensor:
        """(B, G, C) -> (B, G, C')."""
        mixed = nodes @ layer.weight.T
        batch, genes, channels = mixed.shape
        flat = mixed.transpose(0, 1).reshape(genes, batch * channels)
        spread = self.propagate(flat, self.adjacency).view(genes, batch, channels).transpose(0, 1)
        return torch.nn.functional.elu(spread + layer.bias)

    def encode(self, values: Tensor, present: Tensor) -> Encoded:
        """(B, P) -> (B, D)."""
        nodes = self._convolve(values[:, self.nodes].unsqueeze(2), self.first)
        nodes = self.node_activations(self._convolve(nodes, self.second))
        parts = [nodes.flatten(1)]
        if self.remainder is not None:
            parts.append(torch.selu(self.remainder(values[:, self.others])))
        return Encoded(self.out(self.dropout(torch.cat(parts, 1))))


def normalised_adjacency(edges: Tensor) -> Tensor:
    """Undirected edges (2, E) of node indices -> (G, G) sparse CSR, self loops added, symmetrically normalised."""
    from torch_geometric.nn.conv.gcn_conv import gcn_norm  # noqa: PLC0415 - as above

    both = torch.cat([edges, edges.flip(0)], 1)
    count = int(edges.max()) + 1
    index, weight = gcn_norm(both, num_nodes=count)
    loops = torch.sparse_coo_tensor(index.flip(0), weight, (count, count), check_invariants=True).coalesce()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")  # torch says so once; the test agrees
        return loops.to_sparse_csr()
