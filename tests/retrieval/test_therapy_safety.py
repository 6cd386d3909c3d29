"""A row against the record: treatments needed or failed before, stage in the line's words, pregnancy, units, losses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from encoders.patient import (
    Biomarker,
    CopyNumber,
    Diagnosis,
    Lab,
    Medication,
    Patient,
    SourceLocator,
    Treatment,
    Variant,
)
from retrieval.lexicon import canonical_drug
from retrieval.passage import BiomarkerRule, Direction, TherapyMatch, TherapyRow
from retrieval.therapy_rows import match_rows, untested_rows
from retrieval.therapy_safety import wanted_before
from retrieval.treatment_words import REGIMENS, drugs_of
from retrieval.variant_class import exons, inactivates, skips_met_exon14

HERE = SourceLocator("table.tsv", "row 1")
NONE = BiomarkerRule("none", "no biomarker required")


def row(row_id: str = "r", rule: BiomarkerRule = NONE, **changes: object) -> TherapyRow:
    base = TherapyRow(
        row_id=row_id, drugs=("osimertinib",), disease="LUAD", disease_name="Lung Adenocarcinoma", rule=rule,
        direction=Direction.SENSITIVITY, level="Tier I-A", level_system="AMP/ASCO/CAP", source="test", reviewed="2026",
    )  # fmt: skip
    return replace(base, **changes)


def patient(**changes: object) -> Patient:
    return Patient("p1", **{"oncotree_code": "LUAD", "variants": (), "copy_number": (), "fusions": (), **changes})


def given(*drugs: str, response: str | None = None) -> tuple[Treatment, ...]:
    return tuple(Treatment(d, HERE, line=n, response=response) for n, d in enumerate(drugs, start=1))


def only(who: Patient, *rows: TherapyRow) -> TherapyMatch:
    (found,) = match_rows(who, rows)
    return found


def variant(gene: str, protein: str, consequence: str = "missense_variant", **more: object) -> Variant:
    return Variant(gene=gene, protein=protein, consequence=consequence, source=HERE, **more)


# ---- earlier treatment --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        ((), "the row is for disease after EGFR TKI or crizotinib; the record holds no treatment"),
        (("carboplatin",), "the row is for disease after EGFR TKI or crizotinib; the record holds carboplatin"),
        (("Tarceva",), None),
        (("carboplatin", "gefitinib"), None),
        (("crizotinib",), None),
    ],
)
def test_a_row_for_disease_after_a_class_or_a_drug(before: tuple[str, ...], reason: str | None) -> None:
    found = only(patient(treatments=given(*before)), row(after=("EGFR TKI", "crizotinib")))
    assert found.excluded == (() if reason is None else (reason,))


EACH_OF_TWO = {"after_all": (("EGFR TKI", "EGFR-MET antibody"), ("cisplatin", "carboplatin"))}
THREE_WITH_IMATINIB = {"after": ("imatinib", "sunitinib", "regorafenib"), "after_at_least": 3,
                       "after_all": (("imatinib",),)}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "before", "reason"),
    [
        (EACH_OF_TWO, (), "the record holds no treatment"),
        (EACH_OF_TWO, ("Tarceva",), "the record holds erlotinib, not cisplatin or carboplatin"),
        (EACH_OF_TWO, ("carboplatin",), "the record holds carboplatin, not EGFR TKI or EGFR-MET antibody"),
        (EACH_OF_TWO, ("docetaxel",), "the record holds docetaxel"),
        (EACH_OF_TWO, ("erlotinib", "platinum doublet"), None),
        (EACH_OF_TWO, ("amivantamab + carboplatin",), None),
        (THREE_WITH_IMATINIB, ("imatinib", "sunitinib"), "the record holds imatinib, sunitinib, not 3 of the drugs"),
        (THREE_WITH_IMATINIB, ("imatinib", "sunitinib", "imatinib"), "not 3 of the drugs"),
        (THREE_WITH_IMATINIB, ("imatinib", "sunitinib", "regorafenib"), None),
    ],
)
def test_a_row_for_disease_after_all_of_several(
    changes: dict[str, object], before: tuple[str, ...], reason: str | None
) -> None:
    found = only(patient(treatments=given(*before)), row(**changes))
    if reason is None:
        assert found.excluded == ()
    else:
        assert len(found.excluded) == 1
        assert found.excluded[0].endswith(reason)


def test_what_is_needed_before_is_said_in_words() -> None:
    assert wanted_before(row(**EACH_OF_TWO)) == "EGFR TKI or EGFR-MET antibody, and cisplatin or carboplatin"
    assert wanted_before(row(**THREE_WITH_IMATINIB)) == "imatinib, and 3 or more of imatinib, sunitinib, regorafenib"
    assert wanted_before(row(after=("a", "b"))) == "a or b"


@pytest.mark.parametrize(
    ("written", "drugs"),
    [
        ("Carboplatin/Paclitaxel", ("carboplatin", "paclitaxel")),
        ("pembrolizumab + pemetrexed and Paraplatin", ("pembrolizumab", "pemetrexed", "carboplatin")),
        ("mFOLFOX6", ("oxaliplatin", "fluorouracil", "leucovorin")),
        ("FOLFIRI + bevacizumab", ("irinotecan", "fluorouracil", "leucovorin", "bevacizumab")),
        ("FOLFOX-4", ("oxaliplatin", "fluorouracil", "leucovorin")),
        ("trifluridine/tipiracil", ("trifluridine-tipiracil",)),
        ("trastuzumab deruxtecan", ("trastuzumab deruxtecan",)),
        ("platinum doublet", ("platinum",)),
        ("adjuvant chemotherapy", ("chemotherapy",)),
        ("adjuvant endocrine therapy", ("endocrine treatment",)),
        ("Herbal tea", ("herbal tea",)),
    ],
)
def test_a_recorded_treatment_is_read_as_its_drugs(written: str, drugs: tuple[str, ...]) -> None:
    assert drugs_of(written) == drugs


def test_drugs_of_regimens_are_known() -> None:
    assert all(canonical_drug(d) == d for drugs in REGIMENS.values() for d in drugs)


@pytest.mark.parametrize(
    ("written", "after", "held"),
    [
        ("platinum doublet", ("cisplatin", "carboplatin"), True),
        ("platinum doublet", ("EGFR TKI",), False),
        ("FOLFIRI", ("irinotecan",), True),
        ("adjuvant chemotherapy", ("chemotherapy",), True),
        ("adjuvant chemotherapy", ("cisplatin",), False),
        ("hormonal therapy", ("SERM", "aromatase inhibitor"), True),
        ("hormonal therapy", ("EGFR TKI",), False),
    ],
)
def test_words_for_a_regimen_count_as_treatment_given(written: str, after: tuple[str, ...], held: bool) -> None:
    found = only(patient(treatments=given(written)), row(after=after))
    assert (found.excluded == ()) is held


def test_a_drug_inside_a_regimen_ends_what_it_would_end_alone() -> None:
    who = patient(treatments=given("pembrolizumab/carboplatin/pemetrexed"))
    assert only(who, row(drugs=("nivolumab",), not_after=("pembrolizumab",))).excluded == (
        "pembrolizumab was given in line 1; the row does not apply after it",
    )


def test_failure_of_one_drug_bars_it_alone_and_cautions_a_new_partner() -> None:
    failed = patient(treatments=given("osimertinib", response="progression"))
    alone = only(failed, row())
    assert alone.excluded == ("osimertinib was given in line 1 and the disease progressed",)
    beside = only(failed, row(drugs=("osimertinib", "carboplatin")))
    assert beside.excluded == ()
    assert "osimertinib was given in line 1 and the disease progressed" in beside.cautions


def test_failure_of_a_drug_cautions_others_of_its_class_but_not_of_chemotherapy() -> None:
    failed = patient(treatments=given("gefitinib", response="PD"))
    assert only(failed, row()).cautions == (
        "the disease progressed on gefitinib in line 1, a EGFR TKI as osimertinib is",
    )
    chemo = patient(treatments=given("carboplatin", response="PD"))
    assert only(chemo, row(drugs=("docetaxel",))).cautions == ()


def test_maintenance_is_not_for_disease_that_grew_on_what_it_follows() -> None:
    maintenance = row(line="maintenance, no progression on platinum", after=("cisplatin", "carboplatin"))
    grew = patient(treatments=given("carboplatin", response="progression"))
    assert only(grew, maintenance).excluded == (
        "the row is for disease held by carboplatin; it progressed on it in line 1",
    )
    assert only(patient(treatments=given("carboplatin", response="response")), maintenance).excluded == ()


def test_treatment_before_surgery_is_the_first_treatment() -> None:
    neoadjuvant = row(line="neoadjuvant, stage II or III")
    resectable = patient(diagnosis=Diagnosis(stage="IIB"))
    assert only(resectable, neoadjuvant).excluded == ()
    treated = replace(resectable, treatments=given("carboplatin"))
    assert only(treated, neoadjuvant).excluded == (
        "evidence is for treatment before surgery as the first; the next line of this patient is 2",
    )


def test_a_resistance_row_of_two_drugs_speaks_only_against_treatments_with_both() -> None:
    resistance = row("res", drugs=("selumetinib", "docetaxel"), direction=Direction.RESISTANCE)
    rows = (row("alone", drugs=("docetaxel",)), row("both", drugs=("selumetinib", "docetaxel")), resistance)
    found = {m.row.row_id: m for m in match_rows(patient(), rows)}
    assert found["alone"].excluded == found["alone"].cautions == ()
    assert "resistance to docetaxel, selumetinib" in found["both"].excluded[0]


# ---- stage --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "stage", "excluded"),
    [
        ("adjuvant, stage III", "IIB", True),
        ("adjuvant, stage III", "IIIC", False),
        ("adjuvant, stage III", "IV", True),
        ("adjuvant, stage IIB to IIC", "IIA", True),
        ("adjuvant, stage IIB to IIC", "IIC", False),
        ("neoadjuvant, stage III to IVA", "IVA", False),
        ("neoadjuvant, stage III to IVA", "IVB", True),
        ("maintenance, stage III, unresectable", "IV", True),
        ("maintenance, stage III, unresectable", "IIIB", False),
        ("maintenance, no progression", "IV", False),
    ],
)
def test_stages_a_line_states_bind_whatever_the_setting(line: str, stage: str, excluded: bool) -> None:
    assert bool(only(patient(diagnosis=Diagnosis(stage=stage)), row(line=line)).excluded) is excluded


# ---- pregnancy, laboratory, medicines -----------------------------------------------------------------------------

PREGNANT = Biomarker("pregnancy status", "pregnant", HERE)


def test_a_recorded_pregnancy_excludes_and_chemotherapy_is_a_caution() -> None:
    who = patient(sex="female", biomarkers=(PREGNANT,))
    assert only(who, row()).excluded == ("pregnancy is recorded; osimertinib may harm the fetus",)
    chemo = only(who, row(drugs=("carboplatin",)))
    assert chemo.excluded == ()
    assert chemo.cautions == ("pregnancy is recorded: the trimester decides whether carboplatin can be given",)


@pytest.mark.parametrize(
    "changes",
    [
        {"biomarkers": (Biomarker("pregnancy status", "not pregnant", HERE),)},
        {
            "biomarkers": (
                replace(PREGNANT, date="2024-01-01"),
                Biomarker("pregnancy test", "no", HERE, date="2025-01-01"),
            )
        },
        {"biomarkers": (PREGNANT,), "sex": "male"},
        {"biomarkers": (Biomarker("pregnancy status", "unknown", HERE),)},
        {"labs": (Lab("hCG", 3.0, "IU/L", HERE),)},
    ],
)
def test_no_pregnancy_excludes_nothing(changes: dict[str, object]) -> None:
    found = only(patient(**{"sex": "female", **changes}), row())
    assert found.excluded == found.cautions == ()


def test_the_reason_dates_the_pregnancy_and_a_later_unknown_ends_none() -> None:
    unknown = Biomarker("pregnancy status", "unknown", HERE, date="2025-03-01")
    found = only(patient(sex="female", biomarkers=(replace(PREGNANT, date="2025-01-01"), unknown)), row())
    assert found.excluded == ("pregnancy is recorded on 2025-01-01; osimertinib may harm the fetus",)


def test_a_raised_hcg_is_a_question_and_no_answer() -> None:
    found = only(patient(sex="female", labs=(Lab("beta-hCG", 310.0, "IU/L", HERE),)), row())
    assert found.excluded == ()
    assert found.cautions == ("beta-hCG is 310 IU/L: rule out pregnancy before treatment",)


@pytest.mark.parametrize("unit", ["10^9/L", "10*9/L", "10*3/uL", "x10^9/L"])
def test_spellings_of_one_count_unit_are_compared(unit: str) -> None:
    limited = row(contraindications=("neutrophils under 1.5 10^9/L",))
    low = only(patient(labs=(Lab("ANC", 1.2, unit, HERE),)), limited)
    assert low.excluded == (f"ANC is 1.2 {unit}: neutrophils under 1.5 10^9/L",)
    assert only(patient(labs=(Lab("ANC", 1.6, unit, HERE),)), limited).excluded == ()


def test_h2_blockers_are_named_beside_proton_pump_inhibitors() -> None:
    limited = row(contraindications=("proton pump inhibitors and H2 blockers lower exposure",))
    found = only(patient(medications=(Medication("famotidine", HERE),)), limited)
    assert found.cautions == ("takes famotidine (H2 blocker): proton pump inhibitors and H2 blockers lower exposure",)


# ---- rules --------------------------------------------------------------------------------------------------------

PTEN_LOSS = BiomarkerRule("loss", "PTEN loss", genes=("PTEN",))


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"variants": (variant("PTEN", "p.R130*", "stop_gained"),)}, ("PTEN p.R130*",)),
        ({"variants": (variant("PTEN", "p.K6fs", "frameshift_variant"),)}, ("PTEN p.K6fs",)),
        ({"copy_number": (CopyNumber("PTEN", "deep deletion", HERE),)}, ("PTEN deep deletion",)),
        ({"variants": (variant("PTEN", "p.R130Q"),)}, None),
        ({"copy_number": (CopyNumber("PTEN", "loss", HERE),)}, None),
    ],
)
def test_loss_is_a_broken_or_deeply_deleted_gene(changes: dict[str, object], found: tuple[str, ...] | None) -> None:
    matches = match_rows(patient(**changes), (row(rule=PTEN_LOSS),))
    assert [m.matched_on for m in matches] == ([] if found is None else [found])


def test_loss_is_not_known_while_deletions_are_untested() -> None:
    who = patient(copy_number=None)
    assert untested_rows(who, (row(rule=PTEN_LOSS),))[0][1] == "PTEN loss status unknown: no copy_number"
    assert match_rows(who, (row(rule=PTEN_LOSS),)) == ()


def test_further_rules_must_hold_as_well() -> None:
    er = BiomarkerRule("biomarker", "ER positive", biomarker="ER", comparison="=", threshold="positive")
    rule = BiomarkerRule("amplification", "HER2-positive, ER positive", genes=("ERBB2",), also=(er,))
    amplified = patient(copy_number=(CopyNumber("ERBB2", "amplification", HERE),))
    assert match_rows(amplified, (row(rule=rule),)) == ()
    both = replace(amplified, biomarkers=(Biomarker("ER", "positive", HERE),))
    assert only(both, row(rule=rule)).matched_on == ("ERBB2 amplification", "ER positive")


def test_a_missense_change_of_a_gene_to_be_lost_is_cautioned_until_a_truncating_one_stands_by() -> None:
    rule = BiomarkerRule("mutation", "germline or somatic BRCA1 mutation", genes=("BRCA1",))
    missense = variant("BRCA1", "p.S316G")
    assert only(patient(variants=(missense,)), row(rule=rule)).cautions == (
        "BRCA1 p.S316G is a missense change; the row needs one classified as pathogenic",
    )
    both = patient(variants=(missense, variant("BRCA1", "p.Q563*", "stop_gained")))
    assert only(both, row(rule=rule)).cautions == ()


@pytest.mark.parametrize(("change", "skips"), [("p.D1010N", True), ("p.D1028H", True), ("p.T1010I", False)])
def test_met_t1010i_is_not_taken_for_the_last_codon_of_exon_14(change: str, skips: bool) -> None:
    assert skips_met_exon14(variant("MET", change)) is skips


@pytest.mark.parametrize(
    ("gene", "change", "exon"),
    [("KIT", "p.V559D", {11}), ("KIT", "p.A502_Y503dup", {9}), ("KIT", "p.D816V", {17}), ("KIT", "p.M541L", set()),
     ("PDGFRA", "p.D842V", {18}), ("PDGFRA", "p.V561D", {12}), ("KIT", "p.V654A", {13})],
)  # fmt: skip
def test_exons_counted_from_residues(gene: str, change: str, exon: set[int]) -> None:
    assert exons(variant(gene, change)) == exon


def test_only_truncating_and_splice_changes_inactivate_by_themselves() -> None:
    assert inactivates(variant("TP53", "p.R213*", "stop_gained"))
    assert not inactivates(variant("TP53", "p.R175H"))


# ---- disease ------------------------------------------------------------------------------------------------------


def test_a_tumour_agnostic_row_leaves_out_a_disease_and_its_subtypes() -> None:
    agnostic = row(disease="ANY", disease_name="any solid tumour", not_in=("COADREAD",))
    assert only(patient(), agnostic).excluded == ()
    wanted = ("the evidence for any solid tumour leaves out Colorectal Adenocarcinoma",)
    assert only(patient(oncotree_code="COAD"), agnostic).excluded == wanted


L858R = BiomarkerRule("mutation", "EGFR L858R", genes=("EGFR",), variants=("L858R",))


def test_few_off_label_rows_are_kept_and_none_repeats_a_drug() -> None:
    who = patient(oncotree_code="DIFG", variants=(variant("EGFR", "p.L858R"),))
    drugs = [("osimertinib",), ("osimertinib", "carboplatin"), ("gefitinib",), ("erlotinib",), ("afatinib",)]
    found = match_rows(who, tuple(row(f"r{n}", L858R, drugs=d) for n, d in enumerate(drugs)))
    assert [m.row.drugs for m in found] == [("osimertinib",), ("gefitinib",), ("erlotinib",)]


@pytest.mark.parametrize(
    "changes",
    [{"line": "maintenance, after response"}, {"line": "adjuvant, stage II"}, {"drugs": ("olaparib", "abiraterone")}],
)
def test_maintenance_adjuvant_and_hormone_combinations_are_never_off_label(changes: dict[str, object]) -> None:
    who = patient(oncotree_code="DIFG", variants=(variant("EGFR", "p.L858R"),))
    assert match_rows(who, (row(rule=L858R, **changes),)) == ()


def test_what_the_own_disease_excludes_does_not_come_back_off_label() -> None:
    who = patient(variants=(variant("EGFR", "p.L858R"),), treatments=given("osimertinib"))
    own = row("own", L858R, not_after=("osimertinib",))
    other = row("other", L858R, disease="DIFG", drugs=("osimertinib", "carboplatin"))
    assert [m.row.row_id for m in match_rows(who, (own, other))] == ["own"]


def test_rows_excluded_for_the_patient_come_before_rows_of_another_setting() -> None:
    who = patient(treatments=given("osimertinib"))
    rows = (row("setting", drugs=("erlotinib",), lines_allowed=(1,)), row("patient", not_after=("osimertinib",)))
    assert [m.row.row_id for m in match_rows(who, rows)] == ["patient", "setting"]
