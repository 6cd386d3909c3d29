"""The closed lists of names: sizes, aliases, what is refused."""

from __future__ import annotations

import pytest

from encoders.errors import ContractError
from retrieval import lexicon


def test_lists_are_as_large_as_the_checker_needs() -> None:
    cancer = {g for g in lexicon.drug_names().values() if lexicon.is_cancer_drug(g)}
    other = set(lexicon.drug_names().values()) - cancer
    assert len(cancer) >= 150
    assert len(other) >= 40
    assert len(set(lexicon.gene_symbols().values())) >= 300


@pytest.mark.parametrize(
    ("written", "generic"),
    [
        ("Tagrisso", "osimertinib"),
        ("  OSIMERTINIB ", "osimertinib"),
        ("T-DXd", "trastuzumab deruxtecan"),
        ("fam-trastuzumab  deruxtecan-nxki", "trastuzumab deruxtecan"),
        ("T-DM1", "trastuzumab emtansine"),
        ("erlotinib hydrochloride", "erlotinib"),
        ("TMZ", "temozolomide"),
        ("rifampin", "rifampicin"),
    ],
)
def test_brand_alias_salt_and_case_lead_to_the_generic_name(written: str, generic: str) -> None:
    assert lexicon.canonical_drug(written) == generic


@pytest.mark.parametrize("word", ["", "osimertini", "trastuzumabs", "radomicinib", "hydrochloride", "EGFR"])
def test_a_word_that_is_no_known_drug_is_none(word: str) -> None:
    assert lexicon.canonical_drug(word) is None
    assert lexicon.drug_class(word) is None
    assert not lexicon.is_cancer_drug(word)


@pytest.mark.parametrize(
    ("written", "symbol"),
    [("HER2", "ERBB2"), ("her-2", "ERBB2"), ("p53", "TP53"), ("LKB1", "STK11"), ("egfr", "EGFR"), ("H3F3A", "H3-3A")],
)
def test_gene_aliases_lead_to_the_symbol(written: str, symbol: str) -> None:
    assert lexicon.canonical_gene(written) == symbol


@pytest.mark.parametrize("word", ["PD-L1", "PDL1", "MSI", "TMB", "ER", "PR", "HER2 IHC", "", "EGF-R"])
def test_biomarkers_are_not_gene_aliases(word: str) -> None:
    assert lexicon.canonical_gene(word) is None


def test_keys_are_normalised_and_values_are_their_own_names() -> None:
    assert all(alias == alias.lower().strip() for alias in lexicon.drug_names())
    assert all(alias == alias.upper().strip() for alias in lexicon.gene_symbols())
    assert all(lexicon.canonical_drug(generic) == generic for generic in lexicon.drug_names().values())
    assert all(lexicon.canonical_gene(symbol) == symbol for symbol in lexicon.gene_symbols().values())


def test_no_alias_is_both_a_drug_and_a_gene() -> None:
    assert not {a.upper() for a in lexicon.drug_names()} & set(lexicon.gene_symbols())


def test_an_alias_of_two_entries_stops_the_load() -> None:
    with pytest.raises(ContractError, match="stands for both 'A' and 'B'"):
        lexicon._alias_map("genes.tsv", [("X", "A"), ("X", "B")])


def test_oncotree_names_come_from_the_encoders_table() -> None:
    assert lexicon.is_oncotree_code("LUAD")
    assert not lexicon.is_oncotree_code("luad")
    assert lexicon.oncotree_parent("LUAD") == "NSCLC"
    assert lexicon.oncotree_name("CCRCC") == "Renal Clear Cell Carcinoma"


def test_drug_classes_of_interacting_medicines_are_named() -> None:
    assert lexicon.drug_class("clarithromycin") == "strong CYP3A inhibitor"
    assert lexicon.drug_class("Tagrisso") == "EGFR TKI"
