"""Which column belongs to which gene set, and which genes are neighbours in a gene network.

Gene sets are the project's own programs (encoders/pathways.py) or any GMT file. A gene in no set is not dropped: all
of them together make one remainder set, and they are counted. What this module does not know: networks, outcomes.
Not checked: whether symbols are current (the cohort import brings them to approved symbols).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from encoders.errors import InputError

GeneSets = Mapping[str, Sequence[str]]
Edges = Sequence[tuple[str, str]]
REMAINDER = "genes in no set"
MIN_SET_COLUMNS = 2
"""A set with fewer columns than this in a block is no set there; its genes go to the remainder."""


@dataclass(frozen=True)
class Layout:
    """Sets over the columns of one block.

    names : (P,) of the sets; the last is ``REMAINDER`` where any column is in none
    members : column indices of each set
    remainder : how many columns are in no set
    """

    names: tuple[str, ...]
    members: tuple[tuple[int, ...], ...]
    remainder: int

    @property
    def in_sets(self) -> int:
        """Columns that are in at least one set."""
        real = self.members[:-1] if self.remainder else self.members
        return len({i for members in real for i in members})

    def mask(self, columns: int) -> NDArray[np.bool_]:
        """(P, columns), True where the column belongs to the set."""
        mask = np.zeros((len(self.names), columns), bool)
        for row, members in enumerate(self.members):
            mask[row, list(members)] = True
        return mask


def read_gmt(path: Path) -> dict[str, tuple[str, ...]]:
    """Gene sets of a GMT file: name, description, genes, between tabs.

    Raises
    ------
    InputError: no file, a line without genes, or a name that stands twice.
    """
    if not path.is_file():
        raise InputError(f"{path} is not there; give a GMT file (name, description, genes; tabs between).")
    found: dict[str, tuple[str, ...]] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        cells = [cell.strip() for cell in line.split("\t")]
        if not line.strip():
            continue
        genes = tuple(dict.fromkeys(cell for cell in cells[2:] if cell))
        if not cells[0] or not genes or cells[0] in found:
            raise InputError(f"{path.name}, line {number}: set {cells[0]!r} has {len(genes)} genes or stands twice.")
        found[cells[0]] = genes
    if not found:
        raise InputError(f"{path.name} holds no gene set.")
    return found


def read_edges(path: Path) -> tuple[tuple[str, str], ...]:
    """A gene network: two symbols a line between tabs or blanks; further columns are left alone.

    Raises
    ------
    InputError: no file, or a line with fewer than two words.
    """
    if not path.is_file():
        raise InputError(f"{path} is not there; give two gene symbols a line.")
    edges = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        words = line.split()
        if words and len(words) < 2:
            raise InputError(f"{path.name}, line {number}: {line!r} is not two gene symbols.")
        if words:
            edges.append((words[0], words[1]))
    return tuple(edges)


def lay_out(features: Sequence[str], gene_sets: GeneSets) -> Layout:
    """Sets over columns named by gene (one gene may have several columns)."""
    at: dict[str, list[int]] = {}
    for i, gene in enumerate(features):
        at.setdefault(gene, []).append(i)
    sets = {
        name: tuple(i for gene in dict.fromkeys(genes) for i in at.get(gene, ())) for name, genes in gene_sets.items()
    }
    sets = {name: members for name, members in sets.items() if len(members) >= MIN_SET_COLUMNS}
    inside = {i for members in sets.values() for i in members}
    rest = tuple(i for i in range(len(features)) if i not in inside)
    if rest:
        sets[REMAINDER] = rest
    return Layout(tuple(sets), tuple(sets.values()), len(rest))


def pathway_edges(layout: Layout, rows: NDArray[np.floating], neighbours: int) -> tuple[tuple[int, int], ...]:
    """Each column's ``neighbours`` nearest columns: most sets shared, then most correlated among the patients of rows.

    Parameters
    ----------
    rows : (N, P) standardised values of the training patients; rows of NaN are left out

    Returns
    -------
    pairs (i, j) with i < j, sorted; columns in no set have none
    """
    columns = rows.shape[1]
    mask = layout.mask(columns)[: len(layout.names) - bool(layout.remainder)].astype(np.float32)
    have = rows[np.isfinite(rows).all(axis=1)].astype(np.float32)
    centred = have - have.mean(0)
    unit = centred / np.maximum(np.linalg.norm(centred, axis=0), 1e-12)
    pairs: set[tuple[int, int]] = set()
    for i in np.flatnonzero(mask.any(0)):
        shared = mask[:, i] @ mask
        shared[i] = 0
        near = shared + 0.999 * np.abs(unit[:, i] @ unit) * (shared > 0)
        best = np.argsort(-near, kind="stable")[:neighbours]
        pairs |= {(min(i, j), max(i, j)) for j in best.tolist() if shared[j] > 0}
    return tuple(sorted((int(i), int(j)) for i, j in pairs))


def named_edges(features: Sequence[str], edges: Edges) -> tuple[tuple[tuple[int, int], ...], int]:
    """A user's gene pairs as column pairs (i < j), and how many of them have a gene the block lacks."""
    at: dict[str, list[int]] = {}
    for i, gene in enumerate(features):
        at.setdefault(gene, []).append(i)
    known = [(a, b) for a, b in edges if a in at and b in at and a != b]
    pairs = {(min(i, j), max(i, j)) for a, b in known for i in at[a] for j in at[b]}
    return tuple(sorted(pairs)), sum(a not in at or b not in at for a, b in edges)
