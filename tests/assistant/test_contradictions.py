"""Contradictions between sources, on hand-written pairs of a note (or header, or prediction) and the facts beside it.

``contradiction_pairs.jsonl``: one pair a line: ``patient`` (a case below), ``date`` and ``text`` of the note, ``facts``
changed, ``conflict`` the kind (or kinds, joined by "+") that must be found, or null where nothing may be. "worked" and
"held out" were written before the code. Each later set was written by the same hand before the code was run on it, in
the wording of clinic letters and reports; what the code gave at first sight, before it was mended (right, wrong, missed):
held out 29, 0, 0; letters 27, 1, 13; second letters 17, 1, 6; third letters 20, 0, 6. Those are the honest figures; that
the mended code passes all of them is what the test below holds.
"""

# ruff: noqa: E501  a pair's facts read better on one line

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType, ModuleType

import numpy as np
import pytest
from pydicom import Dataset

from assistant.collect import collect_evidence
from assistant.collect_absent import ABSENT, empty_section_note
from assistant.collect_conflicts import conflict_statement
from assistant.contradictions import KINDS, find_contradictions
from assistant.contradictions_lesions import differ, lesion_side, same_time
from assistant.contradictions_scope import clauses, written_date
from assistant.lm_questions import ROUTED_UNKNOWNS, TOPICS, UNKNOWNS
from assistant.question_routing import classify
from assistant.sections import SECTION_TITLES
from assistant.what_if_question import is_what_if
from encoders.measure import measure_patient
from encoders.patient import (
    Biomarker,
    CopyNumber,
    Diagnosis,
    ImagingModality,
    ImagingSeries,
    IntensityUnit,
    ModalityName,
    Note,
    Patient,
    Segment,
    SeriesHeader,
    SourceLocator,
    Treatment,
    Variant,
)
from encoders.prediction import PatientPrediction, Prediction
from encoders.read.series_header import read_series_header
from encoders.synthetic.cohort import sample_case
from retrieval.passage import Retrieved

PAIRS = [json.loads(line) for line in Path(__file__).with_name("contradiction_pairs.jsonl").read_text().splitlines()]
RECORD, MAF = SourceLocator("record.json", "Condition/1"), SourceLocator("variants.maf", "row 3")


def scan(
    modality: ImagingModality, role: str, date: str, boxes: tuple[tuple[int, int], ...], *, side: float = 1.0
) -> ImagingSeries:
    """A body 300 mm wide (voxels of 5 x 5 x 5 mm) with square lesions: (width in voxels, first column)."""
    unit = IntensityUnit.HU if modality is ImagingModality.CT else IntensityUnit.ARBITRARY
    volume = np.full((12, 60, 80), -1000.0 if unit is IntensityUnit.HU else 0.0, dtype=np.float32)
    volume[:, 10:50, 10:70] = 30.0
    source = SourceLocator(f"{role}/0001.dcm")
    segments = []
    for number, (width, column) in enumerate(boxes, start=1):
        mask = np.zeros(volume.shape, dtype=bool)
        mask[4:7, 20 : 20 + width, column : column + width] = True
        segments.append(Segment(f"lesion {number}", mask, source))
    affine = np.diag([5.0 * side, 5.0, 5.0, 1.0])
    return ImagingSeries(
        modality=modality, series_uid=f"1.2.{len(role)}", date=date, volume=volume, unit=unit,
        spacing_mm=(5.0, 5.0, 5.0), affine_lps=affine, source=source, role=role, segments=tuple(segments),
        sop_instance_uids=tuple(f"1.2.3.{z}" for z in range(12)),
    )  # fmt: skip


def _case(name: str) -> dict[str, object]:
    """The facts of one of four patients; values of one differ from every other's."""
    sequenced = {"copy_number": (), "fusions": ()}
    if name == "lung":
        return {
            "oncotree_code": "LUAD", "sex": "female", "age_years": 63.0,
            "diagnosis": Diagnosis("acinar adenocarcinoma", "IIIA", date="2024-02-11", site="left lung"),
            "treatments": (Treatment("cisplatin", RECORD, line=1, start="2024-04-02"),),
            "biomarkers": (Biomarker("PD-L1", 55.0, RECORD, "%", "2024-02-20"), Biomarker("TMB", 7.5, RECORD),
                           Biomarker("MSI", "MSS", RECORD)),
            "variants": (Variant("EGFR", "p.L858R", "Missense_Mutation", MAF), Variant("TP53", "p.R175H", "Missense_Mutation", MAF)),
            "copy_number": (CopyNumber("MET", "amplification", MAF),), "fusions": (),
            "imaging": (scan(ImagingModality.CT, "CT chest", "2024-03-01", ((6, 50),)),),
        }  # fmt: skip
    if name == "breast":
        return {
            "oncotree_code": "IDC", "sex": "female", "age_years": 51.0,
            "diagnosis": Diagnosis("infiltrating duct carcinoma", "IIB", date="2023-06-10", site="right breast"),
            "biomarkers": (Biomarker("ER", "positive", RECORD), Biomarker("PR", "negative", RECORD),
                           Biomarker("HER2 IHC", "negative", RECORD)),
            "variants": (Variant("PIK3CA", "p.H1047R", "Missense_Mutation", MAF),), **sequenced,
        }  # fmt: skip
    if name == "glioma":
        return {
            "oncotree_code": "ASTR", "sex": "male", "age_years": 41.0,
            "diagnosis": Diagnosis("astrocytoma", date="2022-09-01"),
            "treatments": (Treatment("temozolomide", RECORD, line=1, start="2022-10-10"),),
            "biomarkers": (Biomarker("MGMT", "methylated", RECORD),),
            "variants": (Variant("IDH1", "p.R132H", "Missense_Mutation", MAF),), **sequenced,
            "imaging": (scan(ImagingModality.MR, "brain FLAIR", "2022-09-03", ((7, 40),)),),
        }  # fmt: skip
    return {
        "oncotree_code": "CCRCC", "sex": "male", "age_years": 70.0,
        "diagnosis": Diagnosis("clear cell carcinoma", "III", date="2021-03-05", site="right kidney"),
        "treatments": (Treatment("sunitinib", RECORD, line=1, start="2021-05-01"),
                       Treatment("nivolumab", RECORD, line=2, start="2022-01-10")),
        "variants": (Variant("VHL", "p.R161*", "Nonsense_Mutation", MAF),), **sequenced,
        "imaging": (scan(ImagingModality.CT, "CT abdomen", "2022-03-01", ((6, 15), (9, 25))),),
    }  # fmt: skip


def built(pair: dict[str, object]) -> tuple[Patient, PatientPrediction]:
    """The patient and predictions of one pair."""
    values, facts = _case(str(pair["patient"])), dict(pair.get("facts", {}))  # type: ignore[call-overload]
    diagnosis = values["diagnosis"]
    assert isinstance(diagnosis, Diagnosis)
    values["diagnosis"] = replace(diagnosis, **{k: facts[k] for k in ("site", "stage") if k in facts})
    images = tuple(values.get("imaging", ()))  # type: ignore[call-overload]
    header = SeriesHeader(patient_sex=facts.get("header_sex"), patient_age_years=facts.get("header_age"))
    if not images and ("header_sex" in facts or "header_age" in facts):
        images = (scan(ImagingModality.MR, "breast MR", "2023-06-12", ()),)
    values["imaging"] = tuple(
        replace(s, header=header, body_part=facts.get("region"), role="" if "region" in facts else s.role)
        for s in images
    )
    places = ("sex", "age_years", "oncotree_code", "diagnosis.stage", "diagnosis.site", "diagnosis.histology")
    values["sources"] = MappingProxyType({place: SourceLocator("record.json", place) for place in places})
    note = Note(str(pair["text"]), SourceLocator("notes/letter.txt"), date=str(pair["date"]))
    patient = Patient(patient_id="P1", notes=(note,), **values)  # type: ignore[arg-type]
    predicted = ()
    if "predicted" in facts:
        task, label, chance = facts["predicted"]
        predicted = (
            Prediction(task, chance, "card", "0123456789abcdef", label=label, probability=chance, inputs=("imaging",)),
        )
    return patient, PatientPrediction(None, predicted, (), measure_patient(patient), {}, {})


def kinds(pair: dict[str, object]) -> set[str]:
    return {c.kind for c in find_contradictions(*built(pair))}


def counted(name: str) -> tuple[int, int, int]:
    """(found rightly, found wrongly, missed) over the pairs of one set; each kind of a pair counts once."""
    right = wrong = missed = 0
    for pair in (p for p in PAIRS if p["set"] == name):
        wanted = set((pair["conflict"] or "").split("+")) - {""}
        found = kinds(pair)
        right, wrong, missed = right + len(found & wanted), wrong + len(found - wanted), missed + len(wanted - found)
    return right, wrong, missed


@pytest.mark.parametrize("pair", PAIRS, ids=[f"{p['set']}-{i}-{p['conflict'] or 'none'}" for i, p in enumerate(PAIRS)])
def test_a_pair_gives_its_conflict_and_no_other(pair: dict[str, object]) -> None:
    assert kinds(pair) == set((pair["conflict"] or "").split("+")) - {""}


def test_half_of_the_pairs_hold_a_conflict_and_every_kind_is_among_them() -> None:
    conflicts = [p["conflict"] for p in PAIRS if p["conflict"]]
    assert len(PAIRS) >= 300 and 0.45 < len(conflicts) / len(PAIRS) < 0.6
    assert {k for c in conflicts for k in c.split("+")} == set(KINDS)


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("This 63-year-old man was seen.", "sex", "male"),
        ("A 45 year old woman with cough.", "age", "45 years"),
        ("KRAS G12C was found by an outside laboratory.", "variant", "KRAS G12C"),
        ("EGFR p.Leu861Gln was reported.", "variant", "EGFR L861Q"),
        ("TMB: 22 mut/Mb.", "biomarker", "TMB 22"),
        ("PD-L1 TPS 5 %.", "biomarker", "PD-L1 5 %"),
        ("PD-L1 TPS <1 %.", "biomarker", "PD-L1 below 1 %"),
        ("The mass measures 7.5 cm.", "lesion", "7.5 cm"),
    ],
)
def test_both_sides_are_told_with_their_places(toy: ModuleType, text: str, kind: str, said: str) -> None:
    note = Note(f"Letter\n\n{text}", SourceLocator("notes/new.txt"), date="2024-03-10")
    sources = MappingProxyType({k: SourceLocator("record.json", k) for k in ("sex", "age_years")})
    patient = toy.toy_patient(notes=(note,), sources=sources)
    (found,) = (c for c in find_contradictions(patient, toy.toy_prediction()) if c.kind == kind)
    assert found.first == f"the note of 2024-03-10 (notes/new.txt, line 3) says {said}"
    assert found.sources[0] == SourceLocator("notes/new.txt", "line 3")
    assert found.sources[1] is not None and f"({found.sources[1].file}" in found.second
    assert found.first in found.statement and found.second in found.statement


def test_no_statement_says_which_side_is_right() -> None:
    for pair in (p for p in PAIRS if p["conflict"]):
        for found in find_contradictions(*built(pair)):
            words = set(found.statement.replace(found.first, "").replace(found.second, "").lower().split())
            assert not words & {"right", "correct", "wrong", "true", "error", "actually", "should"}


def test_the_ledger_holds_a_conflict_with_both_sources() -> None:
    patient, prediction = built(
        {"patient": "lung", "date": "2024-03-10", "text": "Clinical stage IB.\nPD-L1 TPS <1 %."}
    )
    ledger = collect_evidence(patient, prediction, Retrieved((), (), ()))
    stage, marker = ledger.of_type("conflict")
    assert (stage.source.file, stage.source.place) == (
        "notes/letter.txt",
        "line 1; against record.json diagnosis.stage",
    )
    assert "PD-L1 below 1 %" in marker.text and "PD-L1 55 %" in marker.text
    assert [conflict_statement(c) for c in find_contradictions(patient, prediction)] == [stage.text, marker.text]


def test_two_notes_are_compared_where_the_record_names_no_histology() -> None:
    patient, prediction = built({"patient": "lung", "date": "2024-03-10", "text": "Biopsy: squamous cell carcinoma."})
    other = Note("Pathology\n\nAdenocarcinoma of the lung.", SourceLocator("pathology.txt"), date="2024-03-08")
    broad = replace(
        patient, oncotree_code="NSCLC", diagnosis=Diagnosis(site="left lung"), notes=(*patient.notes, other)
    )
    (found,) = find_contradictions(broad, prediction)
    assert found.kind == "histology" and found.statement.startswith("Note and another note disagree on the histology")
    assert found.sources == (SourceLocator("notes/letter.txt", "line 1"), SourceLocator("pathology.txt", "line 3"))
    assert find_contradictions(replace(broad, notes=(other,)), prediction) == ()


def test_a_treatment_the_record_names_by_a_regimen_is_not_compared() -> None:
    patient, prediction = built({"patient": "lung", "date": "2024-06-10", "text": "She received oxaliplatin."})
    assert [c.kind for c in find_contradictions(patient, prediction)] == ["treatment"]
    folfox = replace(patient, treatments=(Treatment("FOLFOX", RECORD),))
    assert find_contradictions(folfox, prediction) == ()


def test_sizes_differ_by_more_than_two_readers_do_and_at_least_five_millimetres() -> None:
    assert not differ(30.0, 42.0)  # 12 of 36: 33.3 %
    assert differ(30.0, 42.2)  # 12.2 of 36.1: 33.8 %
    assert not differ(4.0, 8.0)
    assert same_time("2024-03-01", "2024-03-29") and not same_time("2024-03-01", "2024-03-30")
    assert same_time(None, "2024-03-01") and same_time("2024-03", "2020-03-01")


def test_the_side_of_a_lesion_follows_the_patient_not_the_array() -> None:
    plain = scan(ImagingModality.CT, "CT chest", "2024-03-01", ((6, 50),))
    assert lesion_side(plain) == "left"
    assert lesion_side(scan(ImagingModality.CT, "CT chest", "2024-03-01", ((6, 50),), side=-1.0)) == "right"
    shifted = plain.affine_lps.copy()
    shifted[0, 3] = -4000.0
    assert lesion_side(replace(plain, affine_lps=shifted)) == "left"


def test_a_side_that_is_not_certain_is_not_told() -> None:
    plain = scan(ImagingModality.CT, "CT chest", "2024-03-01", ((6, 50),))
    sagittal = np.eye(4)[[2, 1, 0, 3]] * 5.0
    cut = plain.volume.copy()
    cut[:, :, :] = 30.0
    assert lesion_side(replace(plain, sop_instance_uids=())) is None  # NIfTI: orientation may be flipped on the way
    assert lesion_side(replace(plain, affine_lps=sagittal)) is None
    assert lesion_side(replace(plain, volume=cut)) is None
    assert lesion_side(replace(plain, unit=IntensityUnit.ARBITRARY)) is None
    assert lesion_side(scan(ImagingModality.CT, "CT chest", "2024-03-01", ((6, 36),))) is None  # on the midline
    assert lesion_side(scan(ImagingModality.CT, "CT chest", "2024-03-01", ((6, 12), (6, 50)))) is None


def test_clauses_know_what_kind_of_statement_they_are() -> None:
    text = (
        "Family history: stage IV melanoma.\n\nPlan: start osimertinib.\n\nShe was well; previously stage I, now ill."
    )
    family, plan, well, before, now = clauses(text)
    assert family.other_person and plan.planned and before.past
    assert not (well.past or now.past or well.planned or well.other_person)
    assert [c.line for c in (family, plan, now)] == [1, 3, 5]


def test_a_wrapped_line_is_one_sentence() -> None:
    text = "Her mother, who lived in the same town until last year, had\nstage IV lung cancer."
    (clause,) = clauses(text)
    assert clause.other_person and "stage IV" in clause.text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("on 2023-05-01", "2023-05-01"),
        ("in March 2023", "2023-03-31"),
        ("14 June 2019", "2019-06-14"),
        ("in 2019", "2019-12-31"),
        ("2019 mm", None),
    ],
)
def test_the_last_day_a_written_date_allows(text: str, expected: str | None) -> None:
    assert written_date(text) == expected


def test_a_note_of_blanks_capitals_and_sizes_takes_no_longer_than_its_length(toy: ModuleType) -> None:
    text = f"no {' ' * 3000}x. no {'ABCDEFGHIJKLMNOP' * 300} {'2 x 3 x ' * 600} {'EGFR, KRAS / ' * 300}"
    patient = toy.toy_patient(notes=(Note(text, SourceLocator("hostile.txt")),))
    assert find_contradictions(patient, toy.toy_prediction()) == ()


def test_made_patients_hold_no_conflict() -> None:
    for index in range(8):
        patient = sample_case(index, 7, imaging=index < 2).patient
        assert find_contradictions(patient, PatientPrediction(None, (), (), measure_patient(patient), {}, {})) == ()


@pytest.mark.parametrize(
    ("sex", "age", "expected"),
    [
        ("F", "063Y", ("female", 63.0)),
        ("M", "006M", ("male", 0.5)),
        ("O", "63", (None, None)),
        (None, None, (None, None)),
    ],
)
def test_the_header_gives_sex_and_age_for_comparing(
    sex: str | None, age: str | None, expected: tuple[str | None, float | None]
) -> None:
    header = Dataset()
    if sex is not None and age is not None:
        header.PatientSex = sex
        header.add_new("PatientAge", "LO", age)  # LO: pydicom warns of an age that is none
    read = read_series_header(header)
    assert (read.patient_sex, read.patient_age_years) == expected


def test_every_gap_names_what_would_close_it() -> None:
    assert set(ABSENT) == set(ModalityName) and all(e.test and e.would_change for e in ABSENT.values())
    assert all(t.test for t in TOPICS.values()) and all(
        u.test and u.keys and u.questions for u in (*UNKNOWNS, *ROUTED_UNKNOWNS)
    )
    for section in SECTION_TITLES:
        assert "would fill it" in empty_section_note(section) or section == "uncertainties"


def test_what_routing_alone_knows_to_be_unanswerable_takes_no_known_question() -> None:
    keys = [k for u in ROUTED_UNKNOWNS for k in u.keys]
    assert not {(k, q) for topic in TOPICS.values() for q in topic.questions for k in keys if k in q}
    known = {q for topic in TOPICS.values() for q in topic.questions}
    assert not any(q in known or is_what_if(q) for u in ROUTED_UNKNOWNS for q in u.questions)
    assert all(u.keys and u.questions and u.test for u in ROUTED_UNKNOWNS)


def test_a_question_for_what_the_diagnosis_lacks_names_the_report_that_tells(toy: ModuleType) -> None:
    patient = toy.toy_patient(diagnosis=Diagnosis(grade="2"))
    ledger = collect_evidence(patient, toy.toy_prediction(), toy.toy_retrieved())
    asked = classify("What is the stage?", ledger)
    assert asked.silent and asked.test == "clinical or pathological staging (TNM and stage group)"
    assert not classify("What is the grade?", ledger).silent
    assert classify("Were the resection margins free?", ledger).test == "the pathology report of the resection"
