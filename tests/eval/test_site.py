"""The site self-test: facts found by what they name, cases listed whatever happens to them, one page."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from assistant.claim import CheckedClaim, Verdict
from assistant.collect_draft import word
from assistant.evidence import Evidence, EvidenceKind, EvidenceSource, Ledger
from assistant.llm.resolve import load_llm
from assistant.llm.scripted import ScriptedModel
from assistant.report import Section
from encoders.errors import InputError
from encoders.patient import Note, Patient, SourceLocator
from encoders.synthetic.cohort import sample_case
from eval.modality_subsets import without
from eval.site import SiteOptions, must_not_be_offered, run_site, site_cases
from eval.site_facts import by_names, facts_of, severity_of
from eval.site_variants import llm_alone
from eval.suites.facts import Fact, Found, compare_facts
from eval.suites.severity import Severity
from eval.therapy_direction import Stance, facts_for, stances
from retrieval.passage import Direction


def test_sentences_are_facts_and_what_they_name_is_found_again_in_other_words() -> None:
    facts = facts_of("EGFR p.Leu858Arg was found. Stage IIIA.\n- Tagrisso since 2024-03-01; well.")
    assert [f.text for f in facts] == ["EGFR p.Leu858Arg was found.", "Stage IIIA.", "Tagrisso since 2024-03-01;"]
    there = [Fact("The EGFR L858R mutation"), Fact("stage IIIA disease"), Fact("osimertinib")]
    assert [by_names(f, there) for f in facts] == [Found.WHOLE, Found.WHOLE, Found.PART]
    assert by_names(Fact("KRAS p.G12C was found."), there) is Found.ABSENT
    assert by_names(Fact("The lesion measures 38 mm."), [Fact("3.8 cm")]) is Found.WHOLE


@pytest.mark.parametrize(
    ("sentence", "severity"),
    [
        ("Warfarin is contraindicated.", Severity.UNSAFE),
        ("EGFR is mutated.", Severity.SIGNIFICANT),
        ("Osimertinib was started.", Severity.SIGNIFICANT),
        ("She feels well.", Severity.MINOR),
    ],
)
def test_severity_goes_by_what_is_named(sentence: str, severity: Severity) -> None:
    assert severity_of(sentence) is severity


def test_a_folder_without_references_is_refused_by_the_rule(tmp_path: Path) -> None:
    (tmp_path / "A").mkdir()
    with pytest.raises(InputError, match="1 case folders, none with a reference"):
        site_cases(tmp_path)
    with pytest.raises(InputError, match="is no folder"):
        site_cases(tmp_path / "none")


@cache
def sampled() -> Patient:
    return next(p for i in range(20) if (p := sample_case(i, 77).patient).variants and p.imaging)


def toy_patient(name: str, text: str = "") -> Patient:
    note = Note(text, SourceLocator("note.txt")) if text else None
    return replace(sampled(), patient_id=name, notes=(note,) if note else ())


def test_cases_are_compared_and_one_that_cannot_be_read_is_listed(tmp_path: Path) -> None:
    site, out = tmp_path / "site", tmp_path / "out"
    patient = without(toy_patient("A"), ("imaging",))
    gene = patient.variants[0].gene
    write_site(site, {"A": f"{gene} is mutated. The patient takes zolcantinib 99 mg.", "B": "x y z", "C": ""})

    def read(folder: Path) -> Patient:
        if folder.name == "B":
            raise InputError("B holds no readable file")
        return replace(patient, patient_id=folder.name)

    found = run_site(site, load_llm("embedded"), out, read=read, options=SiteOptions(ablations=False))
    (row,) = found["cases"]
    assert row["case"] == "A" and row["reference"] == 2
    assert row["recall"] == pytest.approx(0.5)  # the gene is in the report, the made-up dose is not
    assert row["errors_by_kind"]["omitted"] == {"minor": 1, "significant": 0, "unsafe": 0}
    assert row["errors_by_kind"]["added"] == {"minor": 0, "significant": 0, "unsafe": 0}  # the checker held them
    assert {f["case"]: f["reason"][:9] for f in found["left_out"]} == {"B": "B holds n", "C": "no refere"}
    page = (out / "site.md").read_text()
    assert "Research use only" in page and "zolcantinib" in page and "- B: B holds" in page
    assert "Ablations were switched off." in page


def write_site(site: Path, references: dict[str, str]) -> None:
    for name, reference in references.items():
        (site / name).mkdir(parents=True)
        if reference:
            (site / f"{name}.txt").write_text(reference)


def told_of(patient: Patient) -> str:
    """What the stand-in for a report says: a sentence a modality, so that what is taken away can be seen."""
    bright = bool(patient.imaging) and float(patient.imaging[0].volume.std()) > 0
    says = {
        "The lesion measures 38 mm.": bright,
        f"{patient.variants[0].gene} is mutated." if patient.variants else "": bool(patient.variants),
        "Warfarin is taken.": bool(patient.notes),
    }
    return "\n".join(text for text, told in says.items() if told)


def report_of(context: Any, llm: object, *, seed: int) -> Any:
    claims = tuple(CheckedClaim(t, ("F1",), Verdict.SUPPORTED, "", t) for t in told_of(context.patient).splitlines())
    return SimpleNamespace(sections=[Section("summary", "Summary", claims)], withheld=(), raw_claims={}, timings_s={})


def test_every_row_is_paired_with_the_whole_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gene = toy_patient("A").variants[0].gene
    reference = f"{gene} is mutated. The lesion measures 38 mm. Warfarin is taken."
    write_site(tmp_path / "site", {"A": reference, "B": reference})

    def context(patient: Patient) -> Any:
        return SimpleNamespace(patient=patient, ledger=Ledger(()), retrieved=SimpleNamespace(therapies=()))

    for name in ("prepare_case", "prepare_unexplained"):
        monkeypatch.setattr(f"eval.site.{name}", context)
    monkeypatch.setattr("eval.site.run", report_of)
    monkeypatch.setattr("eval.site.donors_for", lambda _: (sampled(),))
    monkeypatch.setattr("eval.site.llm_alone", lambda *_, **__: ("KRAS p.G12C was found.",))
    patients = {"A": toy_patient("A", "Warfarin"), "B": without(toy_patient("B"), ("imaging",))}
    found = run_site(tmp_path / "site", ScriptedModel([]), tmp_path / "out", read=lambda folder: patients[folder.name])
    first, second = (row["ablations"] for row in found["cases"])
    assert {k: round(v["change"]["recall"], 3) for k, v in first.items()} == {
        "llm alone": -1.0, "image blank": -0.333, "image swapped": 0.0, "without images": -0.333,
        "molecular data shuffled": 0.0, "without molecular data": -0.333, "without notes": -0.333,
    }  # fmt: skip
    assert first["image swapped"]["note"] == "of a synthetic patient"  # B has no image
    assert first["molecular data shuffled"]["note"] == "of case B"
    assert first["image blank"]["changed_share"] == pytest.approx(1 / 3)
    assert first["llm alone"]["errors_by_kind"]["added"]["significant"] == 1  # a variant the case does not hold
    assert "without images" not in second and "without notes" not in second  # B has neither
    figures = found["figures"]["ablations"]
    assert (figures["image blank"]["cases"], figures["without molecular data"]["cases"]) == (1, 2)
    assert "| image blank | 1 | -0.333" in (tmp_path / "out/site.md").read_text()


def test_the_model_alone_is_told_what_was_read_and_nothing_that_was_made_of_it() -> None:
    fields = {"gene": word("EGFR"), "variant": word("p.L858R")}
    found = Evidence("M1", EvidenceKind.MOLECULAR, "variant", "EGFR p.L858R.", fields, EvidenceSource())
    look = {"attribute": word("margin"), "finding": word("smooth")}
    seen = Evidence("I1", EvidenceKind.IMAGE, "appearance", "The margin is smooth.", look, EvidenceSource())
    risk = Evidence("P1", EvidenceKind.PREDICTION, "survival", "High.", {"risk_group": word("high")}, EvidenceSource())
    ledger = Ledger((found, seen, risk))
    model = ScriptedModel(['{"claims": [{"text": "EGFR {M1.variant} was found.", "citations": []}]}'], repeat_last=True)
    told = llm_alone(SimpleNamespace(ledger=ledger), model, seed=0)
    assert told == ("EGFR p.L858R was found.",)
    assert {i for request in model.requests for i in request.allowed_ids} == {"M1"}


@pytest.mark.parametrize(
    ("sentence", "stance"),
    [
        ("Osimertinib is recommended.", Stance.FOR),
        ("Osimertinib is contraindicated.", Stance.AGAINST),
        ("Osimertinib is not recommended.", Stance.AGAINST),
        ("The tumour is resistant to osimertinib.", Stance.AGAINST),
        ("Erlotinib was stopped, but osimertinib is an option.", Stance.FOR),
        ("The patient received osimertinib.", None),
    ],
)
def test_a_sentence_speaks_for_or_against_a_drug_or_neither(sentence: str, stance: Stance | None) -> None:
    assert stances(sentence).get("drug:osimertinib") == stance


def test_a_therapy_turned_round_and_a_drug_the_record_excludes_are_unsafe() -> None:
    wanted = facts_of("Osimertinib is contraindicated.")
    told = facts_of("Osimertinib is recommended. Erlotinib is an option.")
    barred = facts_for(told, {"drug:erlotinib"})
    found = compare_facts(told, wanted, by_names, must_not=barred)
    assert found["errors_by_kind"]["contradicted"]["unsafe"] == 1
    assert found["errors_by_kind"]["unsafe"]["unsafe"] == 1
    assert (found["errors"]["unsafe"], found["weighted_errors"], found["recall"]) == (2, 20.0, 0.0)
    same = compare_facts(facts_of("Osimertinib is not recommended."), wanted, by_names)
    assert same["errors"]["unsafe"] == 0 and same["recall"] == 1.0


def test_a_drug_with_an_offered_row_beside_an_excluded_one_may_be_offered() -> None:
    def match(drug: str, *, excluded: tuple[str, ...] = (), direction: Direction = Direction.SENSITIVITY) -> Any:
        return SimpleNamespace(row=SimpleNamespace(drugs=(drug,), direction=direction), excluded=excluded)

    matches = (match("osimertinib"), match("osimertinib", excluded=("line",)), match("erlotinib", excluded=("QTc",)),
               match("gefitinib", direction=Direction.RESISTANCE))  # fmt: skip
    assert must_not_be_offered(SimpleNamespace(therapies=matches)) == {"drug:erlotinib", "drug:gefitinib"}
