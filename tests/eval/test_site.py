"""The site self-test: facts found by what they name, cases listed whatever happens to them, one page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from assistant.llm.resolve import load_llm
from encoders.errors import InputError
from encoders.patient import Patient
from encoders.synthetic.cohort import sample_case
from eval.site import run_site, site_cases
from eval.site_facts import by_names, facts_of, severity_of
from eval.suites.facts import Fact, Found, Severity


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


def test_cases_are_compared_and_one_that_cannot_be_read_is_listed(tmp_path: Path) -> None:
    site, out = tmp_path / "site", tmp_path / "out"
    patient = next(p for i in range(20) if (p := sample_case(i, 77).patient).variants and p.imaging)
    gene = patient.variants[0].gene
    for name, reference in (
        ("A", f"{gene} is mutated. The patient takes zolcantinib 99 mg."),
        ("B", "x y z"),
        ("C", None),
    ):
        (site / name).mkdir(parents=True)
        if reference:
            (site / f"{name}.txt").write_text(reference)

    def read(folder: Path) -> Patient:
        if folder.name == "B":
            raise InputError("B holds no readable file")
        return replace(patient, patient_id=folder.name)

    found = run_site(site, load_llm("embedded"), out, read=read, ablations=True)
    (row,) = found["cases"]
    assert row["case"] == "A" and row["reference"] == 2
    assert row["recall"] == pytest.approx(0.5)  # the gene is in the report, the made-up dose is not
    assert row["ablations"]["without molecular data"] <= row["recall"]
    assert {f["case"]: f["reason"][:9] for f in found["left_out"]} == {"B": "B holds n", "C": "no refere"}
    page = (out / "site.md").read_text()
    assert "Research use only" in page and "zolcantinib" in page and "- B: B holds" in page
