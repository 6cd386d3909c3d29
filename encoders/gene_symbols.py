"""Gene names in one spelling: approved HGNC symbols from previous symbols, aliases and Ensembl gene ids.

The table (encoders/hgnc_symbols.tsv) holds the facts of the HGNC complete set as of July 2024: every approved symbol,
its previous symbols, its aliases, its Ensembl gene id. A name is looked up as approved symbol first, then as
Ensembl id, then as previous symbol, then as alias; a name that leads to two genes is never resolved.

What this module does not know: which gene an author meant by an ambiguous alias, microRNA and probe ids, other species,
transcripts.

References
----------
Seal R.L. et al., Nucleic Acids Research 2023;51:D1003 (HGNC), DOI 10.1093/nar/gkac888. HGNC data are CC0.
Zeeberg B.R. et al., BMC Bioinformatics 2004;5:80 (gene names turned into dates), DOI 10.1186/1471-2105-5-80.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType

_ENSEMBL = re.compile(r"^(ENSG\d{11})(\.\d+)?(_PAR_Y)?$")
_MONTH = "(jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec)"
_DATE = re.compile(
    rf"^(\d{{1,2}}[- ]{_MONTH}([- ]\d{{2,4}})?|(mar|sep|dec)-\d{{1,4}}"
    r"|\d{4}-\d{2}-\d{2}([ T]00:00(:00)?)?|\d{1,2}/\d{1,2}(/\d{2,4})?|\d{1,2}\.\d{1,2}\.\d{2,4})$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class GeneTable:
    """Approved symbols and the names that lead to exactly one of them.

    approved : upper-cased symbol -> symbol as HGNC writes it ("C1orf43")
    ensembl, previous, alias : name (aliases and previous symbols upper-cased) -> symbol
    ambiguous : upper-cased names that lead to several genes and to no approved symbol
    """

    approved: Mapping[str, str]
    ensembl: Mapping[str, str]
    previous: Mapping[str, str]
    alias: Mapping[str, str]
    ambiguous: frozenset[str]


@dataclass(frozen=True)
class SymbolReport:
    """What became of a list of gene names; every name stands in exactly one of the groups, in the order given.

    symbols : the name to use for each name given (the name itself where it could not be resolved)
    renamed : name given -> approved symbol
    unknown, ambiguous, dates : names kept as given: in no table, leading to several genes, turned into a date
    kept_apart : names whose approved symbol is also there, or is claimed by two names; kept as given
    """

    symbols: tuple[str, ...]
    renamed: Mapping[str, str]
    unknown: tuple[str, ...]
    ambiguous: tuple[str, ...]
    dates: tuple[str, ...]
    kept_apart: Mapping[str, str]


def _claims(pairs: Iterable[tuple[str, str]]) -> tuple[dict[str, str], set[str]]:
    """(name, symbol) pairs -> names that lead to one symbol, names that lead to several."""
    found: dict[str, set[str]] = {}
    for name, symbol in pairs:
        found.setdefault(name.upper(), set()).add(symbol)
    single = {name: next(iter(symbols)) for name, symbols in found.items() if len(symbols) == 1}
    return single, set(found) - set(single)


@lru_cache(maxsize=1)
def gene_table() -> GeneTable:
    """The HGNC table, read once."""
    text = files("encoders").joinpath("hgnc_symbols.tsv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines(), delimiter="\t"))
    approved = {row["symbol"].upper(): row["symbol"] for row in rows}
    previous, shared_previous = _claims((p, r["symbol"]) for r in rows for p in r["previous"].split(";") if p)
    alias, shared_alias = _claims((a, r["symbol"]) for r in rows for a in r["alias"].split(";") if a)
    # A previous symbol outranks an alias, so an alias shared with a shared previous symbol stays ambiguous.
    ambiguous = shared_previous | (shared_alias - set(previous))
    return GeneTable(
        approved=MappingProxyType(approved),
        ensembl=MappingProxyType({r["ensembl"]: r["symbol"] for r in rows if r["ensembl"]}),
        previous=MappingProxyType(previous),
        alias=MappingProxyType({a: s for a, s in alias.items() if a not in shared_previous}),
        ambiguous=frozenset(ambiguous - set(approved)),
    )


def approved_symbol(name: str) -> str | None:
    """The approved HGNC symbol ``name`` leads to; None when it is unknown, ambiguous or a date.

    Upper and lower case are not told apart, because tables spell C1ORF43 and C1orf43 alike.
    """
    table, text = gene_table(), name.strip()
    upper = text.upper()
    if upper in table.approved:
        return table.approved[upper]
    ensembl = _ENSEMBL.match(upper)
    if ensembl:
        return table.ensembl.get(ensembl.group(1))
    return table.previous.get(upper) or (None if upper in table.ambiguous else table.alias.get(upper))


def is_date(name: str) -> bool:
    """Whether a spreadsheet made a date of the gene name ("1-Mar", "Sep-02", "2023-09-01"); which gene it was cannot be
    told ("1-Mar" was MARCHF1 or MTARC1)."""
    return bool(_DATE.match(name.strip()))


_PROBE = re.compile(r"^(cg\d{8}|ch\.\w+\.\d+[FR]|rs\d+|nv-.+)(_\w+)?$")


def of_probes(names: Sequence[str]) -> bool:
    """Whether most of the names are probes of a methylation array ("cg00000029"), which are no genes."""
    return 2 * sum(bool(_PROBE.match(name)) for name in names) > len(names)


def normalise_symbols(names: Sequence[str]) -> SymbolReport:
    """Rename every name that leads to one approved symbol, and report the rest.

    A name whose approved symbol stands in the list as well, or that two names claim, is kept as given: two measured
    rows are never merged because of a table of names.
    """
    table = gene_table()
    wanted = {name: approved_symbol(name) for name in dict.fromkeys(names)}
    claims: dict[str, list[str]] = {}
    for name, symbol in wanted.items():
        if symbol is not None:
            claims.setdefault(symbol, []).append(name)
    renamed: dict[str, str] = {}
    kept_apart: dict[str, str] = {}
    unknown, ambiguous, dates = [], [], []
    for name, symbol in wanted.items():
        if symbol == name:
            continue
        if symbol is not None:
            (renamed if len(claims[symbol]) == 1 else kept_apart)[name] = symbol
        elif is_date(name):
            dates.append(name)
        elif name.strip().upper() in table.ambiguous:
            ambiguous.append(name)
        else:
            unknown.append(name)
    return SymbolReport(
        symbols=tuple(renamed.get(name, name) for name in names),
        renamed=MappingProxyType(renamed),
        unknown=tuple(unknown),
        ambiguous=tuple(ambiguous),
        dates=tuple(dates),
        kept_apart=MappingProxyType(kept_apart),
    )
