"""Every row of every patient has a standing and sentences; what-if names what appears, what goes, and the rule."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from encoders.errors import InputError
from encoders.patient import Biomarker, Diagnosis, Patient, SourceLocator, Treatment, Variant
from eval.therapy_vignettes import load_vignettes
from retrieval.corpus.builtin import load_therapy_rows
from retrieval.passage import Direction
from retrieval.therapy_reasons import Standing, both_sides, explain_rows
from retrieval.therapy_rows import match_rows
from retrieval.therapy_what_if import change_record, changed_options

HERE = SourceLocator("table.tsv", "row 1")


def lung(*changes: str, **more: object) -> Patient:
    variants = tuple(Variant(c.split()[0], c.split()[1], "missense_variant", HERE) for c in changes)
    defaults = {"oncotree_code": "LUAD", "variants": variants, "copy_number": (), "fusions": ()}
    return Patient("p", **{**defaults, "diagnosis": Diagnosis(stage="IV"), **more})


@pytest.fixture(scope="module")
def rows():
    return load_therapy_rows()


def of(patient: Patient, rows, row_id: str):
    return next(e for e in explain_rows(patient, rows) if e.row_id == row_id)


def test_an_offered_row_says_disease_biomarker_and_line(rows) -> None:
    found = of(lung("EGFR p.L858R"), rows, "nsclc-egfr-l858r-osimertinib")
    assert found.standing is Standing.OFFERED
    assert [r.sentence for r in found.decisive()] == [
        "The row is for Non-Small Cell Lung Cancer, which contains Lung Adenocarcinoma (LUAD).",
        "The row asks for EGFR L858R; found: EGFR p.L858R.",
        "The row is for line 1; the next line is 1.",
    ]


def test_a_row_not_shown_says_which_rule_it_fails(rows) -> None:
    found = of(lung("EGFR p.L858R"), rows, "nsclc-kras-g12c-sotorasib")
    assert found.standing is Standing.NOT_SHOWN
    assert found.decisive()[0].sentence == "The row asks for KRAS G12C; tested and not found."


def test_an_untested_biomarker_is_not_called_absent(rows) -> None:
    found = of(lung(fusions=None), rows, "nsclc-alk-alectinib")
    assert "no fusion test" in found.decisive()[0].sentence
    assert "not found" not in found.decisive()[0].sentence


def test_a_row_that_speaks_against_its_drug_is_not_an_option(rows) -> None:
    found = of(lung("EGFR p.L858R", "EGFR p.T790M"), rows, "nsclc-egfr-t790m-gefitinib-resistance")
    assert found.standing is Standing.AGAINST


def test_resistance_is_told_in_the_row_it_excludes(rows) -> None:
    found = of(lung("EGFR p.L858R", "EGFR p.T790M"), rows, "nsclc-egfr-l858r-gefitinib")
    assert found.standing is Standing.EXCLUDED
    assert any("resistance to gefitinib: EGFR p.T790M" in r.sentence for r in found.decisive())


@pytest.mark.parametrize("vignette", load_vignettes()[::9], ids=lambda v: v.vignette_id)
def test_each_row_has_one_standing_that_matching_shares_and_sentences(vignette, rows) -> None:
    shown = {m.row.row_id: m for m in match_rows(vignette.patient, rows)}
    explained = explain_rows(vignette.patient, rows)
    assert [e.row_id for e in explained] == [r.row_id for r in rows]
    for found in explained:
        match = shown.get(found.row_id)
        offered = match is not None and not match.excluded and match.row.direction is Direction.SENSITIVITY
        assert (found.standing is Standing.OFFERED) is offered
        assert (found.standing is Standing.NOT_SHOWN) is (match is None)
        assert found.decisive(), found.row_id
        assert all(re.fullmatch(r"[A-Z].*\.", r.sentence) for r in found.reasons), found


def test_what_speaks_against_a_drug_stands_beside_what_speaks_for_it(rows) -> None:
    matches = match_rows(lung("EGFR p.L858R", "EGFR p.T790M"), rows)
    sides = {"+".join(s.drugs): s for s in both_sides(matches)}
    assert sides["gefitinib"].positive and sides["gefitinib"].negative
    assert not sides["osimertinib"].negative
    assert {m.row.level_system for m in sides["gefitinib"].negative} == {"CIViC"}


# ---- what if ------------------------------------------------------------------------------------------------------


def test_another_stage_brings_adjuvant_rows_and_takes_first_line_ones(rows) -> None:
    changes = {c.row_id: c for c in changed_options(lung("EGFR p.L858R"), rows, stage="IIA")}
    assert changes["nsclc-egfr-l858r-adjuvant-osimertinib"].appears
    gone = changes["nsclc-egfr-l858r-osimertinib"]
    assert not gone.appears
    assert gone.sentences == ("Not offered: evidence is for advanced disease; recorded stage is IIA.",)


def test_an_appearing_option_says_what_had_kept_it_away(rows) -> None:
    known = (Biomarker("PD-L1", 80.0, HERE),)
    changes = {c.row_id: c for c in changed_options(lung(), rows, biomarkers=known)}
    assert changes["nsclc-pdl1-50-cemiplimab"].appears
    assert "PD-L1 status unknown: not in the record" in changes["nsclc-pdl1-50-cemiplimab"].sentences[0]


def test_a_further_treatment_moves_the_line(rows) -> None:
    changes = changed_options(
        lung("KRAS p.G12C"), rows, treatments=(Treatment("carboplatin", HERE, line=1, response="progression"),)
    )
    appearing = {c.row_id for c in changes if c.appears}
    assert {"nsclc-kras-g12c-sotorasib", "nsclc-kras-g12c-adagrasib"} <= appearing


def test_the_patient_is_left_as_he_was(rows) -> None:
    patient = lung("EGFR p.L858R")
    changed_options(patient, rows, ecog=4, stage="I")
    assert patient == lung("EGFR p.L858R")
    assert change_record(patient, stage="I") == replace(patient, diagnosis=Diagnosis(stage="I"))


def test_no_change_changes_nothing(rows) -> None:
    patient = lung("EGFR p.L858R")
    assert changed_options(patient, rows, stage="IV") == ()


@pytest.mark.parametrize("changes", [{}, {"smoker": True}, {"patient_id": "x"}])
def test_a_field_that_is_not_there_is_refused(rows, changes: dict[str, object]) -> None:
    with pytest.raises(InputError, match="allowed are"):
        changed_options(lung(), rows, **changes)
