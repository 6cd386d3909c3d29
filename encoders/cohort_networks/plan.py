"""Which encoder reads which block, fixed on the training patients and told: the part of a network that is data.

A wide block gets the chosen encoder; an encoder that needs gene sets is given only to a block with enough genes in
them, and the block that gets another one is named in ``notes``. What this module does not know: torch, outcomes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from encoders.cohort_models.kernels import Array, BlockScaler
from encoders.cohort_models.multi_kernel import Blocks
from encoders.cohort_networks.gene_sets import Edges, GeneSets, lay_out, named_edges, pathway_edges
from encoders.cohort_networks.settings import EARLY, GENE_ENCODERS, GRAPH, MLP, NetworkSettings
from encoders.errors import InputError, SettingsError
from encoders.pathways import PATHWAYS

ALL = "all blocks"
"""Name of the one block that early fusion makes of all."""
MIN_COLUMNS_IN_SETS = 10
"""A block with fewer columns than this in gene sets (or the graph) gets an MLP instead of a gene encoder, noted."""


@dataclass(frozen=True)
class GeneKnowledge:
    """What is known of columns beside their values.

    features : block -> names of its columns (genes, where they are genes); needed by gene encoders
    gene_sets : name -> genes
    edges : a gene network; None = from shared membership in the gene sets
    """

    features: Mapping[str, Sequence[str]] = field(default_factory=dict)
    gene_sets: GeneSets = field(default_factory=lambda: PATHWAYS)
    edges: Edges | None = None


@dataclass(frozen=True)
class BlockPlan:
    """One encoder: the kept columns it reads, its kind, and for gene encoders the sets or the graph over them."""

    name: str
    encoder: str
    columns: int
    sets: tuple[tuple[str, tuple[int, ...]], ...] = ()
    edges: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Plan:
    """blocks : as given, in order, with their kept columns; encoders : what reads them (early: one of all columns).

    notes : what was left out or replaced, in words
    """

    blocks: tuple[tuple[str, int], ...]
    encoders: tuple[BlockPlan, ...]
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For a model card; ``plan_from_json`` reads it back."""
        return asdict(self)


def plan_from_json(data: Mapping[str, Any]) -> Plan:
    """A plan from a model card."""
    encoders = tuple(
        BlockPlan(
            b["name"],
            b["encoder"],
            b["columns"],
            tuple((name, tuple(members)) for name, members in b["sets"]),
            tuple((i, j) for i, j in b["edges"]),
        )
        for b in data["encoders"]
    )
    return Plan(tuple((name, columns) for name, columns in data["blocks"]), encoders, tuple(data["notes"]))


def fit_scalers(blocks: Blocks) -> tuple[dict[str, BlockScaler], tuple[str, ...]]:
    """Scaler of every block with a column that varies, and notes on the others and on columns left out.

    Raises
    ------
    InputError: no block, blocks of unequal length, or none with a column that varies.
    """
    sizes = {name: len(values) for name, values in blocks.items()}
    if len(set(sizes.values())) != 1:
        raise InputError(f"blocks have {sizes} patients; one or more blocks of the same patients are needed.")
    scalers, notes = {}, []
    for name, values in blocks.items():
        scaler = BlockScaler.fit(values)
        left = int((~scaler.keep).sum())
        if left:
            notes.append(f"{name}: {left} of {len(scaler.keep)} columns are constant or never known and were left out")
        if scaler.keep.any():
            scalers[name] = scaler
    if not scalers:
        raise InputError("no block has a column that varies; nothing can be fitted.")
    return scalers, tuple(notes)


def make_plan(rows: Mapping[str, Array], features: Mapping[str, Sequence[str]] | None, settings: NetworkSettings,
              knowledge: GeneKnowledge) -> Plan:  # fmt: skip
    """Plan the encoders of standardised blocks.

    Parameters
    ----------
    rows : block -> (N, kept columns); features : block -> names of the kept columns, None = not known

    Raises
    ------
    SettingsError: a gene encoder without the names of the columns, or ``align`` naming no such block.
    """
    if settings.align is not None and not set(settings.align) <= set(rows):
        raise SettingsError(f"align names {settings.align}; the blocks are {', '.join(rows)}.")
    if settings.encoder in GENE_ENCODERS and not features:
        raise SettingsError(
            f"encoder {settings.encoder!r} needs the names of the columns; give features of each block."
        )
    names = {name: tuple((features or {}).get(name, ())) for name in rows}
    blocks = tuple((name, values.shape[1]) for name, values in rows.items())
    if settings.fusion == EARLY:
        together = np.hstack(list(rows.values()))
        named = tuple(n for name, values in rows.items() for n in (names[name] or ("",) * values.shape[1]))
        plan, notes = _plan_block(ALL, together, named, settings, knowledge)
        return Plan(blocks, (plan,), notes)
    plans, notes = [], []
    for name, values in rows.items():
        plan, told = _plan_block(name, values, names[name], settings, knowledge)
        plans.append(plan)
        notes += told
    return Plan(blocks, tuple(plans), tuple(notes))


def _plan_block(name: str, rows: Array, features: Sequence[str], settings: NetworkSettings,
                knowledge: GeneKnowledge) -> tuple[BlockPlan, tuple[str, ...]]:  # fmt: skip
    columns = rows.shape[1]
    if columns <= settings.wide:
        return BlockPlan(name, settings.narrow_encoder, columns), ()
    if settings.encoder not in GENE_ENCODERS:
        return BlockPlan(name, settings.encoder, columns), ()
    layout = lay_out(features, knowledge.gene_sets)
    if settings.encoder == GRAPH:
        return _plan_graph(name, rows, features, settings, knowledge)
    if layout.in_sets < MIN_COLUMNS_IN_SETS:
        return BlockPlan(name, MLP, columns), (_too_few(name, layout.in_sets, columns, settings.encoder),)
    notes = (f"{name}: {layout.remainder} of {columns} columns are in no gene set and share remainder units",)
    sets = tuple(zip(layout.names, layout.members, strict=True))
    return BlockPlan(name, settings.encoder, columns, sets), notes if layout.remainder else ()


def _plan_graph(name: str, rows: Array, features: Sequence[str], settings: NetworkSettings,
                knowledge: GeneKnowledge) -> tuple[BlockPlan, tuple[str, ...]]:  # fmt: skip
    columns, notes = rows.shape[1], []
    if knowledge.edges is None:
        edges = pathway_edges(lay_out(features, knowledge.gene_sets), rows, settings.neighbours)
    else:
        edges, foreign = named_edges(features, knowledge.edges)
        if foreign:
            notes.append(f"{name}: {foreign} of {len(knowledge.edges)} edges name a gene the block has not")
    inside = len({i for pair in edges for i in pair})
    if inside < MIN_COLUMNS_IN_SETS:
        return BlockPlan(name, MLP, columns), (*notes, _too_few(name, inside, columns, GRAPH))
    if inside < columns:
        notes.append(f"{name}: {columns - inside} of {columns} columns have no edge and share remainder units")
    return BlockPlan(name, GRAPH, columns, edges=edges), tuple(notes)


def _too_few(name: str, inside: int, columns: int, encoder: str) -> str:
    return f"{name}: {inside} of {columns} columns are in gene sets, under {MIN_COLUMNS_IN_SETS}; {MLP}, not {encoder}"
