"""Gene-level copy number: GISTIC calls -2..2, call words, a log2 ratio or absolute copies -> one call a gene.

Rules (stated because papers differ): GISTIC -2 deep deletion, -1 loss, 0 neutral, 1 gain, 2 amplification.
From log2 alone: >= 1.0 amplification, >= 0.3 gain, <= -1.0 deep deletion, <= -0.3 loss, else neutral. From
copies alone: 0 deep deletion, 1 loss, 2 neutral, 3-5 gain, >= 6 amplification (rounded; ploidy is not known here).

What this module does not know: segments (.seg), purity and ploidy.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from encoders.errors import InputError
from encoders.patient import CopyNumber, SourceLocator
from encoders.read.expression import choose_sample
from encoders.read.reading import Reading
from encoders.read.sniff import read_text
from encoders.read.table import Table, gene_column, numbers, read_table

CALLS = ("deep deletion", "loss", "neutral", "gain", "amplification")
"""The calls, in the order of GISTIC's -2 .. 2."""

WORDS = {
    **{word: word for word in CALLS},
    **dict.fromkeys(("amp", "amplified", "high amplification", "high-level amplification"), "amplification"),
    **dict.fromkeys(("duplication", "low gain", "low-level gain", "gained"), "gain"),
    **dict.fromkeys(("diploid", "normal", "copy neutral", "no change", "wild type", "wildtype"), "neutral"),
    **dict.fromkeys(("shallow deletion", "hetloss", "heterozygous loss", "hemizygous deletion"), "loss"),
    **dict.fromkeys(("homdel", "homozygous deletion", "deep loss", "deletion", "del"), "deep deletion"),
}
"""Word in a table (lower case) -> call. "deletion" alone means a called deletion, so deep deletion."""

AMPLIFICATION_LOG2, GAIN_LOG2 = 1.0, 0.3


def read_copy_number(
    path: Path, name: str, *, patient_ids: Sequence[str] = (), allow_any_sample: bool = False, log2_values: bool = False
) -> Reading[tuple[CopyNumber, ...]]:
    """Read one sample's gene-level copy number; log2_values: a sample column holds log2 ratios (a meta file says so).

    Raises
    ------
    InputError: a call word or number that is not allowed (line, gene and value named), or several
        samples of which none is this patient's.
    """
    table = read_table(path, read_text(path, name), name)
    table, samples, warnings = _one_sample(table, name, patient_ids, allow_any_sample)
    genes_in = gene_column(table.frame.columns)
    if genes_in is None:
        raise InputError(f"{name}: no gene column; name one of them gene or Hugo_Symbol.")
    genes = [g.strip() for g in table.frame[genes_in]]
    call_in = table.column("call", "copy_number_alteration", "cna", "gistic", "value")
    log2_in = table.column("log2", "log2_ratio", "log2ratio", "segment_mean")
    copies_in = table.column("copies", "copy_number", "total_copy_number")
    if not (call_in or log2_in or copies_in):
        column, more, warned = _sample_column(table, genes_in, name, patient_ids, allow_any_sample)
        call_in, log2_in = (None, column) if log2_values else (column, None)
        samples, warnings = (*samples, *more), [*warnings, *warned]
    log2 = numbers(table, log2_in, genes, name) if log2_in else None
    copies = numbers(table, copies_in, genes, name) if copies_in else None
    if call_in:
        calls = [_call(c, g, table, i, name) for i, (c, g) in enumerate(zip(table.frame[call_in], genes, strict=True))]
    elif log2 is not None:
        calls = [call_of_log2(float(v)) for v in log2]
        warnings.append(f"{name}: calls were made from log2 ratios (amplification >= 1.0, deep deletion <= -1.0).")
    else:
        calls = [call_of_copies(float(v)) for v in copies]
        warnings.append(f"{name}: calls were made from copies (amplification >= 6, deep deletion 0).")
    values = tuple(
        CopyNumber(
            gene=gene,
            call=call,
            source=SourceLocator(name, f"line {table.line(i)}"),
            log2_ratio=float(log2[i]) if log2 is not None else None,
            copies=float(copies[i]) if copies is not None else None,
        )
        for i, (gene, call) in enumerate(zip(genes, calls, strict=True))
        if gene
    )
    return Reading(values, sample_ids=tuple(samples), warnings=tuple(warnings))


def _one_sample(
    table: Table, name: str, patient_ids: Sequence[str], allow_any_sample: bool
) -> tuple[Table, tuple[str, ...], list[str]]:
    """Rows of one sample, of a long table (one row a gene and sample)."""
    frame = table.frame[(table.frame != "").any(axis=1)]
    column = table.column("sample_id", "tumor_sample_barcode", "sample")
    if column is None:
        return Table(frame, table.first_line, table.comments), (), []
    samples = [s for s in dict.fromkeys(frame[column].str.strip()) if s]
    if len(samples) <= 1:
        return Table(frame, table.first_line, table.comments), tuple(samples), []
    chosen, warnings = choose_sample(samples, name, patient_ids, allow_any_sample)
    return Table(frame[frame[column].str.strip() == chosen], table.first_line, table.comments), (chosen,), warnings


_NOT_SAMPLES = frozenset(("entrez_gene_id", "locus_id", "cytoband", "gene_id", "entrez", "chromosome", "start", "end"))


def _sample_column(
    table: Table, genes_in: str, name: str, patient_ids: Sequence[str], allow_any_sample: bool
) -> tuple[str, tuple[str, ...], list[str]]:
    """The one column of calls in a wide table (one column a sample)."""
    columns = [
        c for c in table.frame.columns if c != genes_in and c.strip().lower().replace(" ", "_") not in _NOT_SAMPLES
    ]
    if len(columns) == 1:
        return columns[0], (columns[0],), []
    if not columns:
        raise InputError(f"{name}: no column of copy-number calls; name one call, log2_ratio or copies.")
    chosen, warnings = choose_sample(columns, name, patient_ids, allow_any_sample)
    return chosen, (chosen,), warnings


def _call(cell: str, gene: str, table: Table, row: int, name: str) -> str:
    text = cell.strip().lower().replace("_", " ")
    if text in WORDS:
        return WORDS[text]
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if value in (-2, -1.5, -1, 0, 1, 2):
        return CALLS[int(np.floor(value)) + 2]
    raise InputError(
        f"{name}: line {table.line(row)}, gene {gene!r}: copy-number call {cell!r} is "
        f"not known; allowed are -2 -1 0 1 2 and {', '.join(CALLS)}. Log2 ratios belong in a column named log2_ratio."
    )


def call_of_log2(value: float) -> str:
    """The call of a log2 ratio (tumour over normal); thresholds in the module docstring."""
    if abs(value) >= AMPLIFICATION_LOG2:
        return "amplification" if value > 0 else "deep deletion"
    if abs(value) >= GAIN_LOG2:
        return "gain" if value > 0 else "loss"
    return "neutral"


def call_of_copies(value: float) -> str:
    """The call of an absolute copy number, read against two copies."""
    rounded = round(value)
    if rounded >= 6:
        return "amplification"
    return ("deep deletion", "loss", "neutral", "gain", "gain", "gain")[max(rounded, 0)]
