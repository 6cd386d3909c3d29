"""Questions in words that no phrasing table holds find their type and evidence; what the case cannot tell is refused.

None stands in assistant/prompts/. Seven of the first 43 were misread when first tried; routing.txt then got phrasings
of their kind, so those 43 are seen now. FRESH was written after the first round of that and tried once (11 of 12).
"""

from __future__ import annotations

import pytest

from assistant.agent_plan import fixed_plan
from assistant.evidence import EVIDENCE_FIELDS, Ledger
from assistant.lm_questions import TOPICS
from assistant.question_classifier import phrasings
from assistant.question_routing import answered_topic, classify, route, taught_question
from assistant.question_types import ASKED_FIELDS, asked_fields, compares_with_prior, unheld_change
from assistant.question_types import QuestionType as Q

ANSWERABLE = [
    ("Could you tell me the dimensions of the mass?", Q.FINDING, {"lesion"}),
    ("Does the edge of the nodule look irregular?", Q.FINDING, {"appearance"}),
    ("Any dead tissue in the middle of the tumour?", Q.FINDING, {"appearance"}),
    ("How FDG-hungry is the lesion?", Q.FINDING, {"appearance"}),
    ("What is the average density in Hounsfield units?", Q.FINDING, {"lesion_intensity"}),
    ("Which scans have been loaded?", Q.FINDING, {"series"}),
    ("How fast are the cells dividing according to RNA?", Q.FINDING, {"expression_profile"}),
    ("Did the panel pick up TP53?", Q.VARIANT, {"variant"}),
    ("What fraction of reads carry the EGFR change?", Q.VARIANT, {"variant"}),
    ("Is MET amplified?", Q.VARIANT, {"copy_number"}),
    ("Is there an ALK rearrangement?", Q.VARIANT, {"fusion"}),
    ("What was the PD-L1 score?", Q.VARIANT, {"biomarker"}),
    ("List whatever the sequencing turned up", Q.VARIANT, {"variant"}),
    ("Does the scan-based EGFR call match the sequencing?", Q.VARIANT, {"molecular_prediction"}),
    ("How likely is she to be alive in two years?", Q.RISK, {"survival"}),
    ("Into which risk category does she fall?", Q.RISK, {"survival"}),
    ("What pushes the risk up?", Q.RISK, {"contribution", "gene_attribution"}),
    ("Which data source matters most for that forecast?", Q.RISK, {"contribution"}),
    ("Where on the scan was the network paying attention?", Q.RISK, {"heatmap"}),
    ("What could we treat her with?", Q.OPTIONS, {"therapy"}),
    ("Is osimertinib reasonable here?", Q.OPTIONS, {"therapy"}),
    ("Why is gefitinib ruled out?", Q.OPTIONS, {"therapy"}),
    ("Which agents ought to be avoided?", Q.OPTIONS, {"therapy"}),
    ("Why wouldn't erlotinib work?", Q.OPTIONS, {"therapy"}),
    ("Anything in the published guidance for this stage?", Q.GUIDELINES, {"passage"}),
    ("Have there been patients like her, and how did they fare?", Q.SIMILAR, {"neighbour_survival"}),
    ("Show the closest matches in the reference cohort", Q.SIMILAR, {"neighbour_survival", "similar_case"}),
    ("What information do we still lack?", Q.MISSING, {"absent"}),
    ("Which investigation would help most now?", Q.MISSING, {"absent"}),
    ("Is it bigger than last time?", Q.COMPARE, {"lesion_change"}),
    ("By how much has the nodule changed since autumn?", Q.COMPARE, {"lesion_change"}),
    ("Did the diameters add up to more than before?", Q.COMPARE, {"lesion_change", "lesion_sum"}),
    ("How many years old is she?", Q.FACT, {"demographics"}),
    ("What's the TNM stage group?", Q.FACT, {"diagnosis"}),
    ("Is she strong enough for chemo?", Q.FACT, {"performance"}),
    ("What has she been treated with so far?", Q.FACT, {"treatment"}),
    ("Which regular tablets is she on?", Q.FACT, {"medication"}),
    ("What's the haemoglobin value?", Q.FACT, {"lab"}),
    ("What did the clinic letter mention?", Q.FACT, {"note"}),
]
FRESH = [
    ("Give me the maximal extent of the mass", Q.FINDING, {"lesion"}),
    ("Are the contours spiky?", Q.FINDING, {"appearance"}),
    ("Which driver did the DNA test reveal?", Q.VARIANT, {"variant"}),
    ("Any copy gains?", Q.VARIANT, {"copy_number"}),
    ("Is a targeted drug available for her?", Q.OPTIONS, {"therapy"}),
    ("What argues against erlotinib?", Q.OPTIONS, {"therapy"}),
    ("What is her outlook?", Q.RISK, {"survival"}),
    ("On what does the forecast lean?", Q.RISK, {"contribution", "gene_attribution"}),
    ("Who in the cohort looks most like her?", Q.SIMILAR, {"neighbour_survival", "similar_case"}),
    ("What gaps remain in the work-up?", Q.MISSING, {"absent"}),
    ("Has there been progression by size?", Q.COMPARE, {"lesion_change", "lesion_sum"}),
    ("What operation or drugs has she had?", Q.FACT, {"treatment"}),
]
WHAT_IF = [
    ("Suppose this were stage IV", {"stage"}),
    ("What if MSI-H came back?", {"biomarker"}),
    ("Would anything change if EGFR T790M were found?", {"variant"}),
    ("If her ECOG were 3, what then?", {"ecog"}),
]
UNANSWERABLE = [
    "Has it gone to the brain?",
    "What was her creatinine last week?",
    "Is the liver function OK?",
    "Do we have an MSI result?",
    "Is the tumour mismatch repair deficient?",
    "Is PIK3CA mutated?",
    "Do we know anything about KRAS?",
    "Is HER2 amplified?",
    "Was a RET fusion seen?",
    "Would sotorasib be suitable?",
    "Can pembrolizumab be given?",
    "How avid is the contrast enhancement?",
    "What is her smoking history?",
    "Any drug allergies on file?",
    "What dose of osimertinib should she get?",
    "How many lymph nodes are involved?",
    "What is the left ventricular ejection fraction?",
    "What did the circulating tumour DNA show?",
    "What is the Ki-67 index?",
    "Who won the cup final yesterday?",
    "What is the oestrogen receptor status?",
    "How many platelets does she have?",
    "Recommend a good restaurant",
    "Which pathways are switched on?",
    "Has she lost weight?",
]


def test_no_phrasing_is_one_the_tables_hold() -> None:
    known = {p.question for p in phrasings()}
    asked = [q for q, _, _ in (*ANSWERABLE, *FRESH)] + [q for q, _ in WHAT_IF] + UNANSWERABLE
    assert len(asked) >= 60 and len(UNANSWERABLE) == 25
    assert not {q.lower().strip(" ?.") for q in asked} & known


def test_nine_in_ten_find_their_type_and_evidence(toy_ledger: Ledger) -> None:
    missed = []
    for question, kind, types in (*ANSWERABLE, *FRESH):
        found = route(question, toy_ledger)
        if found.question_type is not kind or not {e.type for e in found.evidence} & types:
            missed.append((question, found.question_type.value, [e.type for e in found.evidence]))
    for question, changed in WHAT_IF:
        asked = classify(question, toy_ledger)
        calls = fixed_plan(question, asked)
        kinds = [{c["kind"] for c in call.arguments["changes"]} for call in calls]
        if asked.question_type is not Q.WHAT_IF or kinds != [changed]:
            missed.append((question, asked.question_type.value, calls))
    assert len(missed) <= 0.1 * (len(ANSWERABLE) + len(FRESH) + len(WHAT_IF)), missed


def test_nineteen_in_twenty_that_the_case_cannot_answer_are_refused_with_a_test_named(toy_ledger: Ledger) -> None:
    answered = []
    for question in UNANSWERABLE:
        found = route(question, toy_ledger)
        assert found.test
        if found.evidence:
            answered.append((question, found.topic, [e.type for e in found.evidence]))
    assert len(answered) <= 0.05 * len(UNANSWERABLE), answered


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ("What was her creatinine last week?", "creatinine"),
        ("Do we have an MSI result?", "MSI"),
        ("Is HER2 amplified?", "ERBB2"),
    ],
)
def test_what_would_answer_names_what_was_asked_for(question: str, named: str, toy_ledger: Ledger) -> None:
    assert named in route(question, toy_ledger).test


@pytest.mark.parametrize(
    "question",
    ["Is it bigger than on the previous CT?", "How large was the mass on the earlier scan?", "Has the nodule grown?",
     "Did the tumour shrink since March?", "What did the mass measure on the prior MR?"],
)  # fmt: skip
def test_questions_about_an_earlier_size_are_comparisons(question: str) -> None:
    assert compares_with_prior(question)


@pytest.mark.parametrize(
    "question",
    ["How large is the tumour on the last CT?", "Is it growing quickly on RNA?", "Did earlier treatment work?",
     "Are the cells growing?", "How did earlier patients progress?", "When was the last scan?"],
)  # fmt: skip
def test_questions_about_anything_else_are_none(question: str) -> None:
    assert not compares_with_prior(question)


@pytest.mark.parametrize(
    ("question", "kind", "fields"),
    [
        ("How deeply was it read?", "variant", ("depth",)),
        ("At which allele frequency?", "variant", ("allele_fraction",)),
        ("Its volume, please", "lesion", ("volume",)),
        ("Which cautions apply?", "therapy", ("contraindications",)),
        ("Is it there?", "variant", ()),
        ("Its volume, please", "survival", ()),
    ],
)
def test_a_question_names_the_field_it_asks_for(question: str, kind: str, fields: tuple[str, ...]) -> None:
    assert asked_fields(question, kind) == fields


def test_every_field_that_can_be_asked_for_exists() -> None:
    for kind, rules in ASKED_FIELDS.items():
        assert {f for _, fields in rules for f in fields} <= set(EVIDENCE_FIELDS[kind][1]), kind


def test_a_protein_change_the_case_does_not_hold_is_refused(toy_ledger: Ledger) -> None:
    asked = route("Is the K27M mutation present?", toy_ledger)
    assert asked.evidence == () and "K27M" in asked.test
    assert unheld_change("Is L858R there?", toy_ledger) is None


def test_the_decoder_is_asked_in_words_it_was_taught(toy_ledger: Ledger) -> None:
    assert taught_question("Could she have osimertinib?", "therapy options") in TOPICS["therapy options"].questions
    assert taught_question("Could she?", "no topic") == "Could she?"
    asked = classify("Is gefitinib an option?", toy_ledger)
    excluded = [e for e in toy_ledger.of_type("therapy") if e.fields["drug"].display == "gefitinib"]
    assert asked.topic == "therapy options" and answered_topic(asked, excluded[:1]) == "excluded therapies"


def test_a_marker_and_a_scan_the_case_lacks_are_refused(toy_ledger: Ledger) -> None:
    asked = route("What is her CA 15-3?", toy_ledger)
    assert asked.evidence == () and "ca 15-3" in asked.test
    without_pet = Ledger(tuple(e for e in toy_ledger if "FDG-PET" not in e.text))
    refused = route("What is the FDG uptake of the mass?", without_pet)
    assert refused.evidence == () and "FDG-PET" in refused.test
    assert route("What is the FDG uptake of the mass?", toy_ledger).evidence
