"""Gene names: previous symbols, aliases and Ensembl ids lead to one approved symbol or to none."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from encoders.gene_symbols import approved_symbol, gene_table, is_date, normalise_symbols

GENES = Path(__file__).parents[2] / "retrieval/knowledge/genes.tsv"


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("TP53", "TP53"),
        ("tp53", "TP53"),
        ("C1ORF43", "C1orf43"),
        ("MLL2", "KMT2D"),
        ("WHSC1", "NSD2"),
        ("HER2", "ERBB2"),
        ("MARCH1", "MARCHF1"),
        ("SEPT9", "SEPTIN9"),
        ("ENSG00000141510.18", "TP53"),
        ("QARS", None),  # QARS1 and EPRS1 both had it
        ("1-Mar", None),
        ("NOGENE", None),
        ("ENSG99999999999", None),
    ],
)
def test_a_name_leads_to_its_approved_symbol_or_to_none(name: str, symbol: str | None) -> None:
    assert approved_symbol(name) == symbol


def test_every_cancer_gene_the_project_knows_is_an_approved_symbol() -> None:
    with GENES.open(encoding="utf-8") as stream:
        symbols = [row["symbol"] for row in csv.DictReader(stream, delimiter="\t")]
    assert len(symbols) > 400
    assert [s for s in symbols if approved_symbol(s) != s] == []


def test_no_name_in_the_table_leads_anywhere_but_to_an_approved_symbol() -> None:
    table = gene_table()
    symbols = set(table.approved.values())
    assert len(symbols) == 43837
    for names in (table.ensembl, table.previous, table.alias):
        assert set(names.values()) <= symbols
    assert not table.ambiguous & set(table.previous)


def test_two_measured_rows_are_never_merged_by_name() -> None:
    report = normalise_symbols(["HER2", "ERBB2", "MLL2", "1-Mar", "QARS", "NOGENE", "TP53"])
    assert report.symbols == ("HER2", "ERBB2", "KMT2D", "1-Mar", "QARS", "NOGENE", "TP53")
    assert dict(report.renamed) == {"MLL2": "KMT2D"}
    assert dict(report.kept_apart) == {"HER2": "ERBB2"}
    assert (report.unknown, report.ambiguous, report.dates) == (("NOGENE",), ("QARS",), ("1-Mar",))


def test_two_old_names_of_one_gene_are_both_kept() -> None:
    report = normalise_symbols(["MLL2", "TNRC21"])
    assert report.symbols == ("MLL2", "TNRC21")
    assert not report.renamed


def test_dates_of_spreadsheets_are_told_from_genes() -> None:
    assert all(is_date(name) for name in ("1-Mar", "Sep-02", "15-SEP", "2023-09-01 00:00:00", "9/1/2023"))
    assert not any(is_date(name) for name in ("MARCH1", "HLA-A", "NKX2-1", "APR-2", "OCT-4"))
