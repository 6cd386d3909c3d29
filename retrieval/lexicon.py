"""The closed lists behind every check: drugs, genes, OncoTree codes, each with the names people write.

The tables are retrieval/knowledge/drugs.tsv and genes.tsv (one row a name, aliases split by ";").
What this module does not know: doses, gene coordinates, which alias an author meant when a name is
shared (an alias claimed by two genes or drugs stops the load). PD-L1, MSI, TMB, ER, PR and HER2 IHC are
biomarkers, so "PD-L1" is no alias of CD274 and returns None here.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType

from encoders.errors import ContractError
from encoders.oncotree import is_code as is_oncotree_code
from encoders.oncotree import name as oncotree_name
from encoders.oncotree import parent as oncotree_parent

__all__ = [
    "canonical_drug",
    "canonical_gene",
    "drug_class",
    "drug_classes",
    "drug_names",
    "gene_symbols",
    "is_cancer_drug",
    "is_oncotree_code",
    "oncotree_name",
    "oncotree_parent",
]

# "gefitinib hydrochloride" and "gefitinib" are one drug to every reader of a report.
SALTS = frozenset(
    [
        "acetate",
        "besylate",
        "citrate",
        "dimaleate",
        "dihydrochloride",
        "ditosylate",
        "fumarate",
        "hydrochloride",
        "maleate",
        "malate",
        "mesylate",
        "phosphate",
        "sodium",
        "succinate",
        "sulfate",
        "sulphate",
        "tosylate",
    ]
)


def _rows(name: str) -> list[dict[str, str]]:
    text = files("retrieval").joinpath("knowledge", name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines(), delimiter="\t"))


def _alias_map(table: str, entries: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """(alias, canonical) pairs -> one map; an alias that would mean two things stops the load."""
    found: dict[str, str] = {}
    for alias, canonical in entries:
        if found.setdefault(alias, canonical) != canonical:
            raise ContractError(
                f"retrieval/knowledge/{table}: {alias!r} stands for both {found[alias]!r} and {canonical!r}; an alias "
                "may name one entry only. Remove it from one of them."
            )
    return MappingProxyType(found)


@lru_cache(maxsize=1)
def _drugs() -> Mapping[str, dict[str, str]]:
    return {row["generic"]: row for row in _rows("drugs.tsv")}


@lru_cache(maxsize=1)
def drug_names() -> Mapping[str, str]:
    """Lower-case generic name, brand or alias -> generic name, in lower case."""
    return _alias_map(
        "drugs.tsv",
        (
            (alias.strip().lower(), generic)
            for generic, row in _drugs().items()
            for alias in (generic, *(row["aliases"] or "").split(";"))
            if alias.strip()
        ),
    )


@lru_cache(maxsize=1)
def gene_symbols() -> Mapping[str, str]:
    """Upper-case symbol or alias -> HGNC symbol."""
    return _alias_map(
        "genes.tsv",
        (
            (alias.strip().upper(), row["symbol"])
            for row in _rows("genes.tsv")
            for alias in (row["symbol"], *(row["aliases"] or "").split(";"))
            if alias.strip()
        ),
    )


def canonical_drug(name: str) -> str | None:
    """The generic name of a drug written as generic, brand, alias or salt; None when it is not known."""
    words = name.strip().lower().split()
    names = drug_names()
    found = names.get(" ".join(words))
    if found is None and len(words) > 1 and words[-1] in SALTS:
        found = names.get(" ".join(words[:-1]))
    return found


def canonical_gene(name: str) -> str | None:
    """The HGNC symbol of a gene written as symbol or alias, any case ("HER2" -> "ERBB2"); None when not known."""
    return gene_symbols().get(name.strip().upper())


def drug_class(name: str) -> str | None:
    """What kind of drug it is ("EGFR TKI", "strong CYP3A inhibitor"); None when the drug is not known."""
    generic = canonical_drug(name)
    return _drugs()[generic]["class"] if generic else None


@lru_cache(maxsize=1)
def drug_classes() -> frozenset[str]:
    """Every class of cancer drug in the table ("EGFR TKI", "PARP inhibitor")."""
    return frozenset(row["class"] for row in _drugs().values() if row["group"] == "cancer")


def is_cancer_drug(name: str) -> bool:
    """True for a cancer drug, False for another medicine and for an unknown name."""
    generic = canonical_drug(name)
    return generic is not None and _drugs()[generic]["group"] == "cancer"
