"""cBioPortal meta files: what the table beside them holds (log2 copy number, methylation, z-scores ...).

A gene-by-sample table of decimals looks the same whatever it measures; only such a meta file can tell.

What this module does not know: any meta key but data_filename, genetic_alteration_type and datatype.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Z_SCORE, BETA, LOG2 = "z-score", "beta value", "log2 ratio"


@dataclass(frozen=True)
class TableMeta:
    """alteration: cBioPortal's genetic_alteration_type; unit: of the values, where the datatype tells it."""

    data_file: str
    alteration: str
    unit: str | None


def read_table_meta(text: str) -> TableMeta | None:
    """Read one meta file; None when it names no data file."""
    keys: Mapping[str, str] = {
        key.strip(): value.strip() for key, _, value in (line.partition(":") for line in text.splitlines()) if value
    }
    alteration, datatype = keys.get("genetic_alteration_type", ""), keys.get("datatype", "").upper()
    unit = None
    if alteration == "METHYLATION":
        unit = BETA
    elif datatype == "Z-SCORE":
        unit = Z_SCORE
    elif alteration == "COPY_NUMBER_ALTERATION" and datatype in ("LOG2-VALUE", "CONTINUOUS"):
        unit = LOG2
    name = keys.get("data_filename", "")
    return TableMeta(name, alteration, unit) if name and alteration else None
