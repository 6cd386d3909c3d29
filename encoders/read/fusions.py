"""Gene fusions: STAR-Fusion output, cBioPortal structural variants, or a table with two gene columns.

What this module does not know: whether a fusion is expressed or drives anything; read counts are not used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from encoders.errors import InputError
from encoders.patient import Fusion, SourceLocator
from encoders.read.expression import choose_sample
from encoders.read.reading import Reading
from encoders.read.sniff import read_text
from encoders.read.table import Table, read_table

_FIVE = ("leftgene", "gene5", "site1_hugo_symbol", "genea", "gene1")
_THREE = ("rightgene", "gene3", "site2_hugo_symbol", "geneb", "gene2")


def read_fusions(
    path: Path, name: str, *, patient_ids: Sequence[str] = (), allow_any_sample: bool = False
) -> Reading[tuple[Fusion, ...]]:
    """Read one sample's gene fusions, each pair once.

    The pair is the fusion's own name ("EML4--ALK") where the table has one, else its two gene columns.

    Raises
    ------
    InputError: several samples of which none is this patient's, or a table without gene pairs.
    """
    table = read_table(path, read_text(path, name), name)
    sample_in = table.column("sample_id", "tumor_sample_barcode", "sample")
    rows = list(range(len(table.frame)))
    samples: tuple[str, ...] = ()
    warnings: list[str] = []
    if sample_in:
        cells = table.frame[sample_in].str.strip()
        named = [s for s in dict.fromkeys(cells) if s]
        samples = tuple(named)
        if len(named) > 1:
            chosen, warnings = choose_sample(named, name, patient_ids, allow_any_sample)
            samples, rows = (chosen,), [i for i in rows if cells.iloc[i] == chosen]
    if not (table.column("fusionname", "fusion") or (table.column(*_FIVE) and table.column(*_THREE))):
        raise InputError(f"{name}: no gene pair; name the columns gene5 and gene3, or one FusionName.")
    found: dict[tuple[str, str], Fusion] = {}
    left_out: Counter[str] = Counter()
    for row in rows:
        pair = _pair(table, row)
        if pair is None:
            left_out["rows without two different genes were left out"] += 1
        elif pair in found:
            left_out["rows repeat a fusion (another breakpoint) and were merged"] += 1
        else:
            place = SourceLocator(name, f"line {table.line(row)}")
            found[pair] = Fusion(*pair, source=place, in_frame=_in_frame(table, row))
    skipped = tuple(f"{name}: {n} {what}" for what, n in sorted(left_out.items()))
    return Reading(tuple(found.values()), sample_ids=samples, warnings=tuple(warnings), skipped=skipped)


def _pair(table: Table, row: int) -> tuple[str, str] | None:
    named = table.column("fusionname", "fusion")
    if named:
        text = table.frame[named].iloc[row].strip()
        for mark in ("--", "::", "-"):
            if mark in text:
                five, three = text.split(mark, 1)
                return _checked(five, three)
    five, three = table.column(*_FIVE), table.column(*_THREE)
    if five and three:
        return _checked(table.frame[five].iloc[row], table.frame[three].iloc[row])
    return None


def _checked(five: str, three: str) -> tuple[str, str] | None:
    """STAR-Fusion writes SYMBOL^ENSEMBL; the symbol is kept. One gene with itself is no fusion here."""
    a, b = five.split("^", maxsplit=1)[0].strip(), three.split("^", maxsplit=1)[0].strip()
    if not a or not b or a == b or "intragenic" in (a.lower(), b.lower()) or "NA" in (a, b):
        return None
    return a, b


def _in_frame(table: Table, row: int) -> bool | None:
    column = table.column("prot_fusion_type", "site2_effect_on_frame", "in_frame", "frame")
    text = table.frame[column].iloc[row].strip().lower().replace("-", "").replace("_", "") if column else ""
    return {"inframe": True, "true": True, "yes": True, "frameshift": False, "outofframe": False, "false": False}.get(
        text
    )
