"""Join the parts of a cohort by patient id: checks, gene names, mismatching ids listed, folds checked for leaks.

Every source (mapped tables, cBioPortal, GDC, h5ad) ends here, so that the same rules hold for all of them.
What this module does not know: file formats.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from encoders.cohorts.cohort import (
    GENE_KINDS,
    NOT_STATED,
    Block,
    BlockKind,
    Cohort,
    ColumnSpec,
    Endpoint,
    ImportNote,
    Split,
)
from encoders.cohorts.id_checks import id_notes, split_notes
from encoders.cohorts.mapped_table import BlockPart, TableParts
from encoders.cohorts.splits import check_events, keep_known
from encoders.cohorts.value_checks import check_block
from encoders.errors import InputError
from encoders.gene_symbols import normalise_symbols, of_probes
from encoders.oncotree import is_code


@dataclass
class CohortParts:
    """What a reader found; lists grow while it reads. Frames are indexed by patient id, one row a patient."""

    name: str
    source: str
    clinical: list[pd.DataFrame] = field(default_factory=list)
    columns: dict[str, ColumnSpec] = field(default_factory=dict)
    endpoints: list[Endpoint] = field(default_factory=list)
    labels: list[pd.DataFrame] = field(default_factory=list)
    oncotree: dict[str, str] = field(default_factory=dict)
    blocks: list[BlockPart] = field(default_factory=list)
    long_tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    splits: dict[str, list[Split]] = field(default_factory=dict)
    genome_build: str = NOT_STATED
    licence: str = NOT_STATED
    citation: str = ""
    notes: list[ImportNote] = field(default_factory=list)

    def add_table(self, parts: TableParts) -> None:
        """Take over what a mapped table gave."""
        self.clinical.append(parts.clinical)
        self.columns |= parts.columns
        self.endpoints += parts.endpoints
        self.labels.append(parts.labels)
        self.oncotree |= parts.oncotree
        self.blocks += parts.blocks
        self.notes += parts.notes

    def note(self, kind: str, where: str, what: str, names: Sequence[str]) -> None:
        """Add a counted note unless there is nothing to count."""
        if names:
            self.notes.append(ImportNote(kind, where, what, len(names), tuple(map(str, names))))


def assemble(parts: CohortParts) -> Cohort:
    """The checked cohort of what a reader found.

    Raises
    ------
    InputError: no patients, impossible values, ids that match nowhere, a leak between parts of a fold, a train part of
        the only endpoint without an event.
    """
    notes = list(parts.notes)
    blocks: dict[str, Block] = {}
    for part in parts.blocks:
        if part.name in blocks:
            raise InputError(f"block {part.name!r} is given twice; give each a name of its own.")
        frame, found = check_block(part.name, part.kind, part.unit, part.frame)
        notes += found
        if part.kind in GENE_KINDS or (part.kind is BlockKind.METHYLATION and not of_probes(frame.columns)):
            frame, found = with_approved_symbols(part.name, frame)
            notes += found
        blocks[part.name] = _block(part, frame)
    clinical = _joined(parts.clinical)
    labels = _joined(parts.labels)
    groups = {f"block {n}": set(b.patient_ids) for n, b in blocks.items()}
    groups |= {f"endpoint {e.name}": set(e.patient_ids) for e in parts.endpoints}
    if len(clinical.columns) or not groups:
        groups["clinical table"] = set(clinical.index)
    everyone = sorted(set().union(*groups.values(), labels.index, clinical.index))
    if not everyone:
        raise InputError(f"{parts.source}: no patients found.")
    notes += id_notes(groups, everyone, parts.source)
    oncotree, found = _known_codes(parts.oncotree)
    splits, more = _known_splits(parts.splits, set(everyone))
    more += [*split_notes(splits, everyone), *_unit_notes(blocks), *_time_notes(parts.endpoints)]
    columns = {name: parts.columns[name] for name in clinical.columns}
    cohort = Cohort(
        name=parts.name,
        source=parts.source,
        clinical=clinical.reindex(everyone).rename_axis("patient_id"),
        columns=columns,
        blocks=blocks,
        endpoints={e.name: e for e in parts.endpoints},
        labels=labels.loc[labels.notna().any(axis=1)] if len(labels.columns) else pd.DataFrame(),
        oncotree_codes=oncotree,
        long_tables=parts.long_tables,
        splits=splits,
        genome_build=parts.genome_build,
        licence=parts.licence,
        citation=parts.citation,
    )
    notes += [*found, *more, *_event_notes(cohort)]
    return Cohort(**{**cohort.__dict__, "notes": tuple(notes)})


def _block(part: BlockPart, frame: pd.DataFrame) -> Block:
    values = np.ascontiguousarray(frame.to_numpy(dtype=np.float32))
    return Block(part.kind, tuple(map(str, frame.index)), tuple(map(str, frame.columns)), values, part.unit)


def _joined(frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Frames side by side, joined by patient id."""
    filled = [f for f in frames if len(f.columns)]
    if not filled:
        ids = sorted({p for f in frames for p in f.index})
        return pd.DataFrame(index=pd.Index(ids, name="patient_id", dtype=str))
    return pd.concat(filled, axis=1, join="outer", sort=True)


def with_approved_symbols(name: str, frame: pd.DataFrame) -> tuple[pd.DataFrame, list[ImportNote]]:
    """Gene columns under their approved HGNC symbols, with counts of what was renamed and what is unknown."""
    report = normalise_symbols(list(frame.columns))
    where = f"block {name}"
    found = {
        ("renamed", "gene names were brought to their approved symbol"): [
            f"{a} -> {b}" for a, b in report.renamed.items()
        ],
        ("warning", "gene names are not known to HGNC and were kept as written"): report.unknown,
        ("warning", "gene names lead to several genes and were kept as written"): report.ambiguous,
        ("warning", "gene names were turned into dates by a spreadsheet and were kept as written"): report.dates,
        ("warning", "gene names mean a gene that is there under another name too and were kept as written"): [
            f"{a} -> {b}" for a, b in report.kept_apart.items()
        ],
    }
    notes = [ImportNote(kind, where, what, len(names), tuple(names)) for (kind, what), names in found.items() if names]
    return frame.set_axis(list(report.symbols), axis=1), notes


def _unit_notes(blocks: Mapping[str, Block]) -> list[ImportNote]:
    names = [name for name, block in blocks.items() if block.unit == NOT_STATED]
    what = "blocks have no stated unit; their values are checked for no range"
    return [ImportNote("defaulted", "units", what, len(names), tuple(names))] if names else []


def _time_notes(endpoints: Sequence[Endpoint]) -> list[ImportNote]:
    """Follow-up of 0 is allowed, and often a missing value in disguise."""
    notes = []
    for endpoint in endpoints:
        zero = [p for p, t in zip(endpoint.patient_ids, endpoint.followup_months, strict=True) if t == 0]
        if zero:
            what = "patients have a follow-up time of 0; kept"
            notes.append(ImportNote("warning", f"endpoint {endpoint.name}", what, len(zero), tuple(zero)))
    return notes


def _known_codes(given: Mapping[str, str]) -> tuple[dict[str, str], list[ImportNote]]:
    bad = {p: c for p, c in given.items() if not is_code(c)}
    notes = []
    if bad:
        what = f"patients have an OncoTree code that is not known ({', '.join(sorted(set(bad.values())))}); left empty"
        notes.append(ImportNote("skipped", "oncotree_code", what, len(bad), tuple(bad)))
    return {p: c for p, c in given.items() if p not in bad}, notes


def _known_splits(
    given: Mapping[str, Sequence[Split]], known: set[str]
) -> tuple[dict[str, tuple[Split, ...]], list[ImportNote]]:
    splits, notes = {}, []
    for name, folds in given.items():
        kept = [keep_known(split, known, f"split {name}") for split in folds]
        splits[name] = tuple(split for split, _ in kept)
        notes += [note for _, note in kept if note is not None]
    return splits, notes


def _event_notes(cohort: Cohort) -> list[ImportNote]:
    """All-censored parts; an error only where no endpoint could be trained on."""
    notes: list[ImportNote] = []
    failures = []
    for endpoint, known in cohort.endpoints.items():
        if not known.event.any():
            what = "patients are all censored; nothing can be learned from this endpoint"
            notes.append(ImportNote("warning", f"endpoint {endpoint}", what, len(known.patient_ids)))
        try:
            notes += check_events(cohort, endpoint)
        except InputError as error:
            failures.append(error)
            notes.append(ImportNote("warning", f"endpoint {endpoint}", str(error), 1))
    if failures and len(failures) == len(cohort.endpoints):
        raise failures[0]
    return notes
