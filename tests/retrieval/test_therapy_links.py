"""Rows of different sources about one thing: linked by gene, alteration class, drugs and disease, never merged."""

from __future__ import annotations

from dataclasses import replace

import pytest

from retrieval.importers.statements import Imported, SourceStatement
from retrieval.passage import BiomarkerRule, Direction, TherapyRow
from retrieval.therapy_links import link_rows, names_same, same_alteration, same_disease

L858R = BiomarkerRule("mutation", "EGFR L858R", genes=("EGFR",), variants=("L858R",))


def row(row_id: str = "ours", **changes: object) -> TherapyRow:
    base = TherapyRow(
        row_id=row_id, drugs=("osimertinib",), disease="NSCLC", disease_name="Non-Small Cell Lung Cancer", rule=L858R,
        direction=Direction.SENSITIVITY, level="Tier I-A", level_system="AMP/ASCO/CAP", source="test", reviewed="2026",
    )  # fmt: skip
    return replace(base, **changes)


def mutation(gene: str, *variants: str, **more: object) -> BiomarkerRule:
    return BiomarkerRule("mutation", gene, genes=(gene,), variants=variants, **more)


ER = BiomarkerRule("biomarker", "ER", biomarker="ER", comparison="=", threshold="positive")
AMPLIFIED = BiomarkerRule("amplification", "ERBB2", genes=("ERBB2",))
RAS_WILD_TYPE = BiomarkerRule("wild_type", "RAS wild type", absent=("KRAS", "NRAS"))
EXON_19 = mutation("EGFR", exons=(19,), classes=("inframe_deletion",))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (L858R, L858R, True),
        (L858R, mutation("EGFR", "T790M"), False),
        (L858R, mutation("EGFR"), False),  # the whole gene says less than one change
        (L858R, mutation("ERBB2", "L858R"), False),
        (mutation("KRAS", "G12"), mutation("KRAS", "G12D"), True),
        (mutation("KRAS", "G12"), mutation("KRAS", "G120"), False),
        (mutation("BRCA1"), BiomarkerRule("loss", "x", genes=("BRCA1",)), True),
        (mutation("EGFR"), BiomarkerRule("loss", "x", genes=("EGFR",)), False),
        (EXON_19, EXON_19, True),
        (EXON_19, mutation("EGFR", exons=(19,), classes=("inframe_insertion",)), False),
        (AMPLIFIED, BiomarkerRule("fusion", "x", genes=("ERBB2",)), False),
        (AMPLIFIED, replace(AMPLIFIED, also=(ER,)), True),  # receptors beside it are named unevenly
        (AMPLIFIED, replace(AMPLIFIED, requires=("PIK3CA",)), False),
        (replace(AMPLIFIED, requires=("PIK3CA",)), mutation("PIK3CA", also=(AMPLIFIED,)), True),
        (ER, ER, True),
        (ER, replace(ER, threshold="negative"), False),
        (ER, AMPLIFIED, False),
        (RAS_WILD_TYPE, replace(RAS_WILD_TYPE, absent=("NRAS", "KRAS")), True),
        (RAS_WILD_TYPE, replace(RAS_WILD_TYPE, absent=("KRAS",)), False),
        (BiomarkerRule("none", "x"), BiomarkerRule("none", "y"), False),
    ],
)  # fmt: skip
def test_the_same_alteration_class(one: BiomarkerRule, other: BiomarkerRule, same: bool) -> None:
    assert same_alteration(one, other) is same
    assert same_alteration(other, one) is same


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("NSCLC", "LUAD", True),
        ("LUAD", "NSCLC", True),
        ("LUAD", "LUSC", False),
        ("ANY", "LUAD", False),
        ("ANY", "ANY", True),
    ],
)
def test_a_disease_is_the_same_as_one_that_contains_it(one: str, other: str, same: bool) -> None:
    assert same_disease(one, other) is same


def test_drugs_must_be_the_same_set() -> None:
    assert names_same(row(drugs=("a", "b")), row(drugs=("b", "a")))
    assert not names_same(row(drugs=("a", "b")), row(drugs=("a",)))


def test_links_keep_each_source_s_level_and_say_whether_they_agree() -> None:
    civic = row("civic:EID1:osimertinib", level="B", level_system="CIViC", disease="LUAD", pmid="12345678")
    against = replace(civic, row_id="civic:EID2:osimertinib")
    resistance = replace(civic, row_id="civic:EID3:osimertinib", direction=Direction.RESISTANCE)
    source = Imported(
        "CIViC", "1", (SourceStatement(civic), SourceStatement(against, supports=False), SourceStatement(resistance))
    )
    ours = row()
    links = link_rows([ours, row("other", drugs=("gefitinib",))], [source])
    assert set(links) == {"ours"}
    assert [link.agrees for link in links["ours"]] == [True, False, False]
    assert {link.statement.row.level for link in links["ours"]} == {"B"}
    assert ours.level == "Tier I-A"
    assert "CIViC B disagrees: no sensitivity to osimertinib" in links["ours"][1].sentence()
    assert "PMID 12345678" in links["ours"][0].sentence()
