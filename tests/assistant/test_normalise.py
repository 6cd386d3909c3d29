"""Forms that mean the same compare equal; forms that do not, do not."""
# ruff: noqa: E501
# ruff: noqa: E501

from __future__ import annotations

import pytest

from assistant.normalise import hidden_characters, tokenise


def keys(text: str) -> list[str]:
    return [t.key for t in tokenise(text)]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("p.Leu858Arg", "L858R"), ("p.(L858R)", "p.L858R"), ("p.Arg213Ter", "p.R213*"), ("p.Glu746_Ala750del", "E746_A750del"),
        ("Tagrisso", "osimertinib"), ("HER2", "ERBB2"), ("3.8 cm", "38 mm"), ("12.40 mL", "12.4 cm3"), ("2 years", "24 months"),
        ("1 March 2024", "2024-03-01"), ("March 1st, 2024", "2024-03-01"), ("stage 3A", "Stage IIIA"), ("61-83 %", "61 % to 83 %"),
        ("wild-type", "wild type"), ("tumor", "tumours"), ("seven", "7"), ("first-line", "1st line"), ("PMID: 123", "pmid123"),
        ("EML4::ALK", "EML4-ALK"), ("doesn't", "does not"),
    ],
)  # fmt: skip
def test_equal_forms(first: str, second: str) -> None:
    assert keys(first) == keys(second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("p.L858R", "p.L861Q"), ("38 mm", "38 cm"), ("38 mm", "38"), ("stage IIIA", "stage IIIB"), ("EML4-ALK", "ALK-EML4"),
        ("-1.84", "1.84"), ("2024-03-01", "2024-01-03"), ("resectable", "unresectable"), ("FLAURA", "FLAURA2"),
        ("KEYNOTE-189", "KEYNOTE-407"), ("12.4", "124"), ("1,200 reads", "1.2 reads"),
    ],
)  # fmt: skip
def test_different_forms(first: str, second: str) -> None:
    assert keys(first) != keys(second)


@pytest.mark.parametrize("char", ["\u200b", "\u202e", "\ufeff", "\u0430", "\u0391", "\u00ad", "\x07", "ı"])
def test_characters_that_hide_or_imitate_are_named(char: str) -> None:
    assert "U+" in (hidden_characters(f"EGFR {char} found") or "")


@pytest.mark.parametrize("text", ["EGFR p.L858R (34 %) – 3.8 × 2 cm ≥ 1 µm, naïve", "it’s “quoted”"])
def test_ordinary_typography_is_clean(text: str) -> None:
    assert hidden_characters(text) is None


def test_the_hyphen_of_a_gene_symbol_is_no_range() -> None:
    tokens = tokenise("NKX2-1 amplification, log2 ratio 2.29, in 61-83 %")
    assert tokens[0].key == "gene:NKX2-1"
    assert [t.surface for t in tokens if t.number] == ["2.29", "61", "83 %"]
