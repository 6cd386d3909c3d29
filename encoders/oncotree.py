"""OncoTree codes of the common tumours and blood cancers: is this a code, what is it called, what is it a kind of?

The table (encoders/oncotree.tsv) holds facts of the OncoTree tumour classification (code, name) and, as
``parent``, the nearest broader code we are sure of, so a level of the official tree may be skipped.

What this module does not know: rare blood cancers, OncoTree's codes of other years, therapies.

References
----------
Kundra R. et al., JCO Clinical Cancer Informatics 2021;5:221-230 (OncoTree), DOI 10.1200/CCI.20.00108.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType

from encoders.errors import InputError

BLOOD = frozenset(("MYELOID", "LYMPH"))
"""The tissues of the blood cancers; what is known of "any solid tumour" is not known of these."""


@dataclass(frozen=True)
class OncoTreeNode:
    """One tumour type: ``code`` ("LUAD"), ``name``, and the code it is a kind of (None for a tissue)."""

    code: str
    name: str
    parent: str | None


@lru_cache(maxsize=1)
def table() -> Mapping[str, OncoTreeNode]:
    """Every code known here -> its node."""
    text = files("encoders").joinpath("oncotree.tsv").read_text(encoding="utf-8")
    nodes = {
        row["code"]: OncoTreeNode(row["code"], row["name"], row["parent"] or None)
        for row in csv.DictReader(text.splitlines(), delimiter="\t")
    }
    return MappingProxyType(nodes)


def is_code(code: str) -> bool:
    """Whether ``code`` is in the table; codes are upper case ("LUAD", not "luad")."""
    return code in table()


def check_code(code: str, where: str) -> str:
    """Return ``code``, or raise InputError naming the value, where it stood and what is allowed."""
    if is_code(code):
        return code
    near = sorted(c for c in table() if c.startswith(code.strip().upper()[:2]))[:8]
    hint = f" Codes that start alike: {', '.join(near)}." if near else ""
    raise InputError(
        f"{where}: OncoTree code {code!r} is not known; the {len(table())} codes allowed are listed in "
        f"encoders/oncotree.tsv (upper case, e.g. LUAD, DIFG, CCRCC, BRCA).{hint} Correct the code, or leave it out."
    )


def name(code: str) -> str | None:
    """The tumour's name, or None for a code that is not in the table."""
    node = table().get(code)
    return node.name if node else None


def parent(code: str) -> str | None:
    """The nearest broader code in the table; None for a tissue ("LUNG") and for an unknown code."""
    node = table().get(code)
    return node.parent if node else None


def ancestors(code: str) -> tuple[str, ...]:
    """Every broader code, nearest first: ``ancestors("LUAD") == ("NSCLC", "LUNG")``; () when unknown."""
    found: list[str] = []
    above = parent(code)
    while above is not None:
        found.append(above)
        above = parent(above)
    return tuple(found)


def is_blood_cancer(code: str | None) -> bool:
    """Whether a code is a leukaemia, lymphoma, myeloma or another cancer of blood and marrow."""
    return code is not None and bool(BLOOD & {code, *ancestors(code)})
