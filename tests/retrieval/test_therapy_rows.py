"""Hand-made patients against hand-made rows: what matches, what nearly does, and why a row is not offered."""

from __future__ import annotations

from dataclasses import replace

import pytest

from encoders.errors import ContractError
from encoders.patient import (
    Biomarker,
    CopyNumber,
    Diagnosis,
    Fusion,
    Lab,
    Medication,
    Patient,
    SourceLocator,
    Treatment,
    Variant,
)
from retrieval.corpus.builtin import load_therapy_rows
from retrieval.passage import BiomarkerRule, Direction, TherapyMatch, TherapyRow
from retrieval.therapy_rows import disease_match, match_rows, untested_rows

HERE = SourceLocator("table.tsv", "row 1")


def row(row_id: str = "r", rule: BiomarkerRule | None = None, **changes: object) -> TherapyRow:
    base = TherapyRow(
        row_id=row_id,
        drugs=("osimertinib",),
        disease="LUAD",
        disease_name="Lung Adenocarcinoma",
        rule=rule or BiomarkerRule(kind="mutation", text="EGFR L858R", genes=("EGFR",), variants=("L858R",)),
        direction=Direction.SENSITIVITY,
        level="Tier I-A",
        level_system="AMP/ASCO/CAP",
        source="test",
        reviewed="2026-01-01",
    )
    return replace(base, **changes)


def variant(gene: str, protein: str | None, consequence: str = "Missense_Mutation", **more: object) -> Variant:
    return Variant(gene=gene, protein=protein, consequence=consequence, source=HERE, **more)


def patient(*variants: Variant, **more: object) -> Patient:
    defaults = {"oncotree_code": "LUAD", "variants": variants, "copy_number": (), "fusions": ()}
    return Patient("p1", **{**defaults, **more})


def only(who: Patient, *rows: TherapyRow) -> TherapyMatch:
    found = match_rows(who, rows)
    assert len(found) == 1
    return found[0]


EXON19_DELETION = BiomarkerRule(
    kind="mutation", text="EGFR exon 19 deletion", genes=("EGFR",), classes=("inframe_deletion",), exons=(19,)
)
EXON20_INSERTION = BiomarkerRule(
    kind="mutation", text="EGFR exon 20 insertion", genes=("EGFR",), classes=("inframe_insertion",), exons=(20,)
)
MET_EXON14 = BiomarkerRule(
    kind="mutation", text="MET exon 14 skipping", genes=("MET",), classes=("splice",), exons=(14,)
)
EGFR_MUTATION = BiomarkerRule(kind="mutation", text="EGFR mutation", genes=("EGFR",))
EGFR_AMPLIFICATION = BiomarkerRule(kind="amplification", text="EGFR amplification", genes=("EGFR",))
KRAS_12 = BiomarkerRule(kind="mutation", text="KRAS codon 12", genes=("KRAS",), variants=("G12",))
TP53_LOSS = BiomarkerRule(kind="mutation", text="TP53 loss", genes=("TP53",), classes=("truncating",))
GERMLINE_BRCA1 = BiomarkerRule(kind="mutation", text="germline BRCA1 mutation", genes=("BRCA1",))
L858R = BiomarkerRule(kind="mutation", text="EGFR L858R", genes=("EGFR",), variants=("L858R",))


@pytest.mark.parametrize(
    ("rule", "found", "matches"),
    [
        (L858R, variant("EGFR", "p.L858R"), True),
        (L858R, variant("EGFR", "p.Leu858Arg", "missense_variant"), True),
        (L858R, variant("EGFR", "p.L858R", ""), True),
        (L858R, variant("EGFR", "p.L858M"), False),
        (L858R, variant("ERBB2", "p.L858R"), False),
        (EXON19_DELETION, variant("EGFR", "p.E746_A750del", "In_Frame_Del"), True),
        (EXON19_DELETION, variant("EGFR", "p.L747_P753delinsS", "inframe_deletion"), True),
        (EXON19_DELETION, variant("EGFR", "p.L747_P753delinsS", "protein_altering_variant"), True),
        (EXON19_DELETION, variant("EGFR", None, "In_Frame_Del", exon="19/28"), True),
        (EXON19_DELETION, variant("EGFR", None, "In_Frame_Del", exon="20/28"), False),
        (EXON19_DELETION, variant("EGFR", "p.D770_N771insSVD", "In_Frame_Ins"), False),
        (EXON19_DELETION, variant("EGFR", "p.E746K"), False),
        (EXON20_INSERTION, variant("EGFR", "p.D770_N771insSVD", "In_Frame_Ins"), True),
        (EXON20_INSERTION, variant("EGFR", "p.A767_V769dup", "inframe_insertion"), True),
        (EXON20_INSERTION, variant("EGFR", "p.E746_A750del", "In_Frame_Del"), False),
        (EXON20_INSERTION, variant("EGFR", "p.T790M"), False),
        (MET_EXON14, variant("MET", None, "Splice_Site", coding="c.3028+1G>T"), True),
        (MET_EXON14, variant("MET", "p.X1010_splice", "Splice_Site"), True),
        (MET_EXON14, variant("MET", "p.D1010N"), True),
        (MET_EXON14, variant("MET", None, "Splice_Site", coding="c.1701+2T>C"), False),
        (MET_EXON14, variant("MET", "p.Y1248H"), False),
        (EGFR_MUTATION, variant("EGFR", "p.L858=", "Silent"), False),
        (EGFR_MUTATION, variant("EGFR", None, "Intron"), False),
        (EGFR_MUTATION, variant("EGFR", "p.G719S"), True),
        (KRAS_12, variant("KRAS", "p.G12D"), True),
        (KRAS_12, variant("KRAS", "p.G120D"), False),
        (TP53_LOSS, variant("TP53", "p.R213*", "Nonsense_Mutation"), True),
        (TP53_LOSS, variant("TP53", "p.R213Q"), False),
        (GERMLINE_BRCA1, variant("BRCA1", "p.C61G", germline=True), True),
        (GERMLINE_BRCA1, variant("BRCA1", "p.C61G"), False),
        (EGFR_AMPLIFICATION, variant("EGFR", "p.L858R"), False),
    ],
)  # fmt: skip
def test_a_rule_matches_its_variant_and_no_near_miss(rule: BiomarkerRule, found: Variant, matches: bool) -> None:
    assert bool(match_rows(patient(found), (row(rule=rule),))) is matches


def test_amplification_is_not_mutation_nor_gain() -> None:
    amplified = patient(copy_number=(CopyNumber("EGFR", "amplification", HERE),))
    assert only(amplified, row(rule=EGFR_AMPLIFICATION)).alteration_keys == ("copy_number:EGFR",)
    assert match_rows(amplified, (row(rule=EGFR_MUTATION),)) == ()
    gained = patient(copy_number=(CopyNumber("EGFR", "gain", HERE),))
    assert match_rows(gained, (row(rule=EGFR_AMPLIFICATION),)) == ()


@pytest.mark.parametrize("partners", [("EML4", "ALK"), ("ALK", "EML4")])
def test_either_fusion_partner_matches(partners: tuple[str, str]) -> None:
    rule = BiomarkerRule(kind="fusion", text="ALK fusion", genes=("ALK",))
    found = only(patient(fusions=(Fusion(*partners, HERE),)), row(rule=rule))
    assert found.alteration_keys == (f"fusion:{partners[0]}-{partners[1]}",)
    assert match_rows(patient(fusions=(Fusion("KIF5B", "RET", HERE),)), (row(rule=rule),)) == ()


def test_keys_are_those_of_the_patients_own_spelling() -> None:
    found = only(patient(variant("EGFR", "p.L858R")), row())
    assert found.alteration_keys == ("variant:EGFR:p.L858R",)
    assert found.matched_on == ("EGFR p.L858R",)


PDL1_50 = BiomarkerRule(kind="biomarker", text="PD-L1 >= 50 %", biomarker="PD-L1", comparison=">=", threshold=50)
MSI_HIGH = BiomarkerRule(kind="biomarker", text="MSI-H", biomarker="MSI", comparison="=", threshold="MSI-H")
TMB_10 = BiomarkerRule(kind="biomarker", text="TMB >= 10", biomarker="TMB", comparison=">=", threshold=10)
HER2_3 = BiomarkerRule(kind="biomarker", text="HER2 IHC 3+", biomarker="HER2 IHC", comparison="=", threshold="3+")
ER = BiomarkerRule(kind="biomarker", text="ER positive", biomarker="ER", comparison="=", threshold="positive")


@pytest.mark.parametrize(
    ("rule", "name", "value", "unit", "matches"),
    [
        (PDL1_50, "PD-L1", 50.0, "%", True),
        (PDL1_50, "PD-L1", 49.9, "%", False),
        (PDL1_50, "PD-L1 TPS", "60 %", None, True),
        (PDL1_50, "PD-L1", "<1", "%", False),
        (PDL1_50, "PD-L1", "positive", None, False),
        (PDL1_50, "PD-L1 CPS", 60.0, None, False),
        (PDL1_50, "TMB", 60.0, "mutations/Mb", False),
        (MSI_HIGH, "MSI", "MSI-High", None, True),
        (MSI_HIGH, "MSI", "MSS", None, False),
        (TMB_10, "TMB", 10.0, "mutations/Mb", True),
        (TMB_10, "TMB", 9.9, "mutations/Mb", False),
        (HER2_3, "HER2 IHC", "3+", None, True),
        (HER2_3, "HER2 IHC", 2.0, None, False),
        (ER, "ER", 90.0, "%", True),
        (ER, "ER", "<1", "%", False),
        (ER, "ER", "negative", None, False),
    ],
)
def test_biomarker_thresholds(
    rule: BiomarkerRule, name: str, value: float | str, unit: str | None, matches: bool
) -> None:
    who = patient(biomarkers=(Biomarker(name, value, HERE, unit=unit),))
    assert [m.alteration_keys for m in match_rows(who, (row(rule=rule),))] == (
        [(f"biomarker:{name}",)] if matches else []
    )


def test_the_newest_biomarker_value_counts() -> None:
    values = (Biomarker("PD-L1", 60.0, HERE, date="2024-01-01"), Biomarker("PD-L1", 5.0, HERE, date="2025-01-01"))
    assert match_rows(patient(biomarkers=values), (row(rule=PDL1_50),)) == ()


RAS_WILD_TYPE = BiomarkerRule(kind="wild_type", text="RAS wild type", absent=("KRAS", "NRAS"))


def test_wild_type_needs_sequencing() -> None:
    unknown = only(patient(variants=None), row(rule=RAS_WILD_TYPE))
    assert "KRAS status unknown: no sequencing" in unknown.excluded
    altered = only(patient(variant("KRAS", "p.G12D")), row(rule=RAS_WILD_TYPE))
    assert altered.excluded == ("KRAS p.G12D found; the row needs KRAS wild type",)
    assert only(patient(), row(rule=RAS_WILD_TYPE)).excluded == ()


def test_a_fusion_gene_is_unaltered_only_after_a_fusion_test() -> None:
    rule = BiomarkerRule(kind="wild_type", text="no ALK", absent=("ALK",))
    assert only(patient(fusions=None), row(rule=rule)).excluded == ("ALK status unknown: no fusion test",)


def test_her2_negative_means_not_amplified_even_when_mutated() -> None:
    rule = replace(ER, absent=("ERBB2",))
    er = (Biomarker("ER", "positive", HERE),)
    assert only(patient(variant("ERBB2", "p.V777L"), biomarkers=er), row(rule=rule)).excluded == ()
    amplified = patient(copy_number=(CopyNumber("ERBB2", "amplification", HERE),), biomarkers=er)
    assert only(amplified, row(rule=rule)).excluded == ("ERBB2 amplification found; the row needs HER2 not amplified",)


def test_triple_negative_asks_for_pr_too() -> None:
    rule = BiomarkerRule(
        kind="biomarker",
        text="triple-negative",
        biomarker="ER",
        comparison="=",
        threshold="negative",
        absent=("ERBB2",),
    )
    er = Biomarker("ER", "negative", HERE)
    assert only(patient(biomarkers=(er,)), row(rule=rule)).excluded == ("PR status unknown: not in the record",)
    both = patient(biomarkers=(er, Biomarker("PR", "negative", HERE)))
    assert only(both, row(rule=rule)).excluded == ()


def test_co_mutation_is_required() -> None:
    rule = replace(EGFR_MUTATION, requires=("TP53",))
    assert match_rows(patient(variant("EGFR", "p.L858R")), (row(rule=rule),)) == ()
    both = patient(variant("EGFR", "p.L858R"), variant("TP53", "p.R175H"))
    assert only(both, row(rule=rule)).alteration_keys == ("variant:EGFR:p.L858R", "variant:TP53:p.R175H")


def test_disease_through_oncotree() -> None:
    assert disease_match("LUAD", "LUAD") == "exact"
    assert disease_match("LUAD", "NSCLC") == "parent"
    assert disease_match("LUAD", "ANY") == "tumour_agnostic"
    assert disease_match("NSCLC", "LUAD") == "other_disease"
    assert disease_match(None, "LUAD") == "other_disease"


def test_off_label_is_marked_strong_and_molecular_only() -> None:
    who = patient(variant("EGFR", "p.L858R"), oncotree_code="DIFG")
    found = only(who, row())
    assert found.disease_match == "other_disease"
    assert found.cautions == ("off-label: the evidence is for Lung Adenocarcinoma, not Diffuse Glioma",)
    assert match_rows(who, (row(level="Tier II-D"),)) == ()
    assert match_rows(who, (row(direction=Direction.RESISTANCE),)) == ()
    assert match_rows(replace(who, biomarkers=(Biomarker("PD-L1", 80.0, HERE),)), (row(rule=PDL1_50),)) == ()


def test_unknown_or_broader_diagnosis_is_excluded_with_the_reason() -> None:
    none = only(patient(variant("EGFR", "p.L858R"), oncotree_code=None), row())
    assert none.excluded == ("the patient's disease is not coded; the evidence is for Lung Adenocarcinoma",)
    broad = only(patient(variant("EGFR", "p.L858R"), oncotree_code="NSCLC"), row())
    assert "coded more broadly (NSCLC)" in broad.excluded[0]


def test_line_and_earlier_drugs() -> None:
    mutated = patient(variant("EGFR", "p.L858R"))
    treated = replace(mutated, treatments=(Treatment("Tagrisso", HERE, line=1, response="progression"),))
    assert only(mutated, row(lines_allowed=(1,))).excluded == ()
    assert "the next line of this patient is 2" in only(treated, row(lines_allowed=(1,))).excluded[0]
    assert "does not apply after it" in only(treated, row(not_after=("osimertinib",))).excluded[0]
    assert "the disease progressed" in only(treated, row()).excluded[0]
    unnumbered = replace(mutated, treatments=(Treatment("carboplatin", HERE),))
    assert only(unnumbered, row(lines_allowed=(1,))).cautions == (
        "evidence is for line 1; the record gives no line numbers",
    )


def test_resistance_excludes_the_same_drug_and_cautions_a_combination() -> None:
    t790m = BiomarkerRule(kind="mutation", text="EGFR T790M", genes=("EGFR",), variants=("T790M",))
    against = row("res", t790m, drugs=("erlotinib",), direction=Direction.RESISTANCE, level_system="CIViC", level="B")
    rows = (row("s1", drugs=("erlotinib",)), row("s2", drugs=("erlotinib", "bevacizumab")), row("s3"), against)
    found = {m.row.row_id: m for m in match_rows(patient(variant("EGFR", "p.L858R"), variant("EGFR", "p.T790M")), rows)}
    assert found["s1"].excluded == ("resistance to erlotinib: EGFR p.T790M (CIViC B, res)",)
    assert found["s2"].excluded == ()
    assert found["s2"].cautions == ("resistance to erlotinib: EGFR p.T790M (CIViC B, res)",)
    assert found["s3"].excluded == found["s3"].cautions == ()
    without = match_rows(patient(variant("EGFR", "p.L858R")), rows)
    assert all(not m.excluded for m in without)


@pytest.mark.parametrize(
    ("line", "stage", "excluded"),
    [
        ("adjuvant, stage IB to IIIA after resection", "IV", True),
        ("adjuvant, stage IB to IIIA after resection", "IIIB", True),
        ("adjuvant, stage IB to IIIA after resection", "IA2", True),
        ("adjuvant, stage IB to IIIA after resection", "Stage IIIA", False),
        ("adjuvant, stage II or III", "IIIC", False),
        ("first line", "IB", True),
        ("first line", "2A", True),
        ("first line", "IVB", False),
        ("first line", "IIIB", False),
        ("first line", None, False),
    ],
)
def test_stage_against_the_setting_of_the_row(line: str, stage: str | None, excluded: bool) -> None:
    who = patient(variant("EGFR", "p.L858R"), diagnosis=Diagnosis(stage=stage))
    assert bool(only(who, row(line=line)).excluded) is excluded


def test_medicines_labs_and_ecog_against_contraindications() -> None:
    mutated = patient(variant("EGFR", "p.L858R"))
    inducer = row(contraindications=("strong CYP3A inducers lower exposure",))
    taking = replace(mutated, medications=(Medication("carbamazepine", HERE), Medication("metformin", HERE)))
    assert only(taking, inducer).cautions == (
        "takes carbamazepine (strong CYP3A inducer): strong CYP3A inducers lower exposure",
    )
    assert only(replace(mutated, medications=(Medication("metformin", HERE),)), inducer).cautions == ()
    renal = row(contraindications=("creatinine clearance under 45 mL/min",))
    low = replace(mutated, labs=(Lab("creatinine clearance", 30.0, "mL/min", HERE),))
    assert only(low, renal).excluded == ("creatinine clearance is 30 mL/min: creatinine clearance under 45 mL/min",)
    assert only(replace(mutated, labs=(Lab("creatinine clearance", 60.0, "mL/min", HERE),)), renal).excluded == ()
    weigh = row(contraindications=("QTc above 500 ms: weigh and correct first",))
    long_qt = replace(mutated, labs=(Lab("QTc", 520.0, "ms", HERE),))
    assert only(long_qt, weigh).excluded == ()
    assert "QTc is 520 ms" in only(long_qt, weigh).cautions[0]
    assert "ECOG is 4" in only(replace(mutated, ecog=4), row(contraindications=("ECOG above 2",))).excluded[0]


def test_childrens_evidence_is_not_for_adults() -> None:
    who = patient(variant("EGFR", "p.L858R"), age_years=60.0)
    assert "from children" in only(who, row(line="any line, in children")).excluded[0]
    assert only(replace(who, age_years=9.0), row(line="any line, in children")).excluded == ()


def test_order_is_offered_then_disease_then_level_then_direction() -> None:
    rows = (
        row("excluded", drugs=("d1",), lines_allowed=(3,)),
        row("any", drugs=("d2",), disease="ANY"),
        row("parent", drugs=("d3",), disease="NSCLC"),
        row("resistance", drugs=("d4",), direction=Direction.RESISTANCE),
        row("weaker", drugs=("d5",), level="Tier II-C"),
        row("best", drugs=("d6",)),
    )
    who = patient(variant("EGFR", "p.L858R"))
    wanted = ["best", "resistance", "weaker", "parent", "any", "excluded"]
    assert [m.row.row_id for m in match_rows(who, rows)] == wanted
    assert [m.row.row_id for m in match_rows(who, rows[::-1])] == wanted


def test_untested_rows_are_listed_with_the_reason() -> None:
    who = patient(variants=None, missing={"variants": "panel not ordered"})
    assert untested_rows(who, (row(),)) == ((row(), "EGFR status unknown: panel not ordered"),)
    assert match_rows(who, (row(),)) == ()


@pytest.mark.parametrize(
    "changes", [{"kind": "karyotype"}, {"kind": "biomarker", "biomarker": "TMB", "comparison": "~"}]
)
def test_a_malformed_rule_is_refused(changes: dict[str, str]) -> None:
    who = patient(biomarkers=(Biomarker("TMB", 3.0, HERE),))
    with pytest.raises(ContractError, match="allowed:"):
        match_rows(who, (row(rule=BiomarkerRule(text="odd", **changes)),))


def test_builtin_rows_of_an_egfr_mutated_lung_cancer() -> None:
    """Osimertinib is offered, KRAS and ALK drugs are not mentioned, chemo-immunotherapy is excluded for EGFR."""
    who = patient(variant("EGFR", "p.L858R"), diagnosis=Diagnosis(stage="IV"))
    found = match_rows(who, load_therapy_rows())
    offered = {d for m in found if not m.excluded for d in m.row.drugs}
    assert "osimertinib" in offered
    assert not offered & {"sotorasib", "alectinib", "pembrolizumab", "vorasidenib"}
    assert any("EGFR p.L858R found" in reason for m in found for reason in m.excluded)


def test_every_builtin_row_can_be_judged_on_an_empty_patient() -> None:
    for code in (None, "LUAD", "DIFG", "CCRCC", "BRCA"):
        found = match_rows(Patient("p", oncotree_code=code), load_therapy_rows())
        assert all(m.excluded or m.row.rule.kind == "none" for m in found)


def test_what_is_known_of_solid_tumours_is_not_offered_in_blood_cancers_nor_back() -> None:
    agnostic, solid = row(disease="ANY"), row(disease="LUAD", row_id="solid")
    altered = variant("EGFR", "p.L858R")
    assert match_rows(patient(altered, oncotree_code="AML"), (agnostic, solid)) == ()
    breast = patient(altered, oncotree_code="BRCA")
    assert match_rows(breast, (row(disease="AML"),)) == ()
    assert [m.disease_match for m in match_rows(breast, (solid,))] == ["other_disease"]


def test_the_early_stage_of_a_leukaemia_bars_nothing() -> None:
    early = {"diagnosis": Diagnosis(stage="I"), "oncotree_code": "CLLSLL"}
    leukaemia = row(disease="CLLSLL", line="first line")
    assert only(patient(variant("EGFR", "p.L858R"), **early), leukaemia).excluded == ()
