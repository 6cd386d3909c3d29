"""The shipped therapy rows and passages: enough of them, each name known, facts that agree with open data."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from encoders.errors import ContractError
from encoders.oncotree import ancestors
from encoders.vocabulary import CANCERS
from retrieval.corpus import builtin
from retrieval.lexicon import (
    canonical_drug,
    canonical_gene,
    drug_classes,
    drug_names,
    is_oncotree_code,
    oncotree_parent,
)
from retrieval.passage import Direction
from retrieval.therapy_rows import UNKNOWN_LEVEL, level_rank

DATA = Path(__file__).parents[2].parent / "shared/data/open/knowledge"
CIVIC = DATA / "civic/nightly-ClinicalEvidenceSummaries.tsv"
MOALMANAC = DATA / "moalmanac_db/referenced"
SYNONYMS = {
    "trastuzumab emtansine": "ado-trastuzumab emtansine",
    "trastuzumab deruxtecan": "fam-trastuzumab deruxtecan",
}


@pytest.fixture(scope="module")
def rows():
    return builtin.load_therapy_rows()


@pytest.fixture(scope="module")
def passages():
    return builtin.load_passages()


def raw_row(**change):
    raw = dict(builtin._lines("therapy_rows.jsonl")[0])
    return raw | change


def raw_passage(**change):
    return dict(builtin._lines("passages.jsonl")[0]) | change


def of_cancer(code, items, codes_of):
    family = {code, oncotree_parent(code)}
    return [i for i in items if family & set(codes_of(i))]


def test_at_least_250_rows_over_15_cancers_of_which_most_carry_a_pmid(rows) -> None:
    assert len(rows) >= 250
    assert sum(r.pmid is not None for r in rows) >= 250
    codes = {r.disease for r in rows if r.disease != "ANY"}
    assert len({c for c in codes if not codes & set(ancestors(c))}) >= 15


def test_rows_of_a_disease_stand_together_in_the_file(rows) -> None:
    order = [r.disease for r in rows]
    assert [d for n, d in enumerate(order) if n == 0 or order[n - 1] != d] == list(dict.fromkeys(order))


def test_every_row_is_known_to_its_level_system_and_was_reviewed(rows) -> None:
    assert all(level_rank(r) != UNKNOWN_LEVEL for r in rows)
    assert all(re.fullmatch(r"\d{4}-\d{2}-\d{2}", r.reviewed) for r in rows)


def test_a_row_for_disease_after_a_drug_is_not_for_a_first_line(rows) -> None:
    assert all(1 not in r.lines_allowed for r in rows if r.after or r.after_all)
    named = [set(r.after) | {drug for group in r.after_all for drug in group} for r in rows]
    assert all(drugs <= drug_classes() | set(drug_names().values()) for drugs in named)


def test_a_line_that_names_two_earlier_treatments_asks_for_both(rows) -> None:
    several = [r for r in rows if r.after_all]
    assert all(len(r.after_all) > 1 or r.after for r in several)
    two = re.compile(r"after [^,]*(?:, [^,]* and | and )")
    exempt = {  # "and" joins what is one treatment, or what the drug list cannot name
        "brca-hr-sacituzumab", "nsclc-pdl1-1-adjuvant-atezolizumab", "nsclc-adjuvant-pembrolizumab",
        "ovt-hrd-maintenance-olaparib-bevacizumab", "ovt-brca12-maintenance-olaparib-bevacizumab",
    }  # fmt: skip
    told = {r.row_id for r in rows if r.direction is Direction.SENSITIVITY and two.search(r.line or "")}
    assert told - {r.row_id for r in several} <= exempt


def test_a_drug_is_not_both_needed_before_and_barred_before(rows) -> None:
    assert all(not set(r.not_after) & {*r.after, *(d for g in r.after_all for d in g)} for r in rows)


def test_a_tumour_agnostic_row_alone_leaves_diseases_out(rows) -> None:
    assert all(r.disease == "ANY" or not r.not_in for r in rows)
    braf = next(r for r in rows if r.row_id == "any-braf-v600e-dabrafenib-trametinib")
    assert braf.not_in == ("COADREAD",)  # the label's limitation of use


def test_every_modelled_cancer_has_rows_and_fourteen_passages(rows, passages) -> None:
    for code in CANCERS:
        assert len(of_cancer(code, rows, lambda r: (r.disease,))) >= 10, code
        assert len(of_cancer(code, passages, lambda p: p.oncotree)) >= 14, code
    assert len(passages) >= 64


def test_every_modelled_cancer_has_the_topics_a_tumour_board_asks_for(passages) -> None:
    for code in CANCERS:
        topics = Counter(t for p in of_cancer(code, passages, lambda p: p.oncotree) for t in p.topics)
        for topic in ("staging", "first-line treatment", "biomarker testing", "prognosis", "toxicity management"):
            assert topics[topic], (code, topic)
        assert topics["imaging follow-up"], code


def test_rows_say_sensitivity_and_resistance_and_reach_beyond_one_tumour(rows) -> None:
    directions = Counter(r.direction for r in rows)
    assert directions[Direction.RESISTANCE] >= 10
    assert sum(r.disease == "ANY" for r in rows) >= 5


def test_names_in_rows_are_canonical(rows) -> None:
    for row in rows:
        assert all(canonical_drug(d) == d for d in (*row.drugs, *row.not_after)), row.row_id
        genes = (*row.rule.genes, *row.rule.absent, *row.rule.requires)
        assert all(canonical_gene(g) == g for g in genes), row.row_id
        assert row.disease == "ANY" or is_oncotree_code(row.disease), row.row_id


def test_ids_are_unique_across_rows_and_passages(rows, passages) -> None:
    ids = [r.row_id for r in rows] + [p.passage_id for p in passages]
    assert len(ids) == len(set(ids)) == len(builtin.confirmations())


def test_pmids_are_seven_or_eight_digits_and_every_item_can_be_opened(rows, passages) -> None:
    assert all(re.fullmatch(r"\d{7,8}", r.pmid) for r in rows if r.pmid)
    assert all(r.pmid or "http" in r.source for r in rows)
    assert all(p.pmid or p.url for p in passages)


def test_sources_of_one_pmid_agree(rows, passages) -> None:
    said: dict[str, str] = {}
    for item in (*rows, *passages):
        if item.pmid:
            assert said.setdefault(item.pmid, item.source) == item.source, item


def test_source_year_is_the_date_of_a_passage(passages) -> None:
    assert all(p.source.endswith(p.date[:4]) for p in passages)


def test_statements_are_one_sentence_of_the_text(passages, rows) -> None:
    for passage in passages:
        assert passage.text.startswith(passage.statement)
        assert re.search(r"[a-z0-9]\. [A-Z]", passage.statement) is None, passage.passage_id
        assert 2 <= len(re.findall(r"[.](?: |$)", passage.text)) <= 5, passage.passage_id
    assert all(r.statement.endswith(".") and len(r.statement) < 260 for r in rows)


def test_a_statement_names_a_drug_of_its_row(rows) -> None:
    for row in rows:
        said = f" {re.sub(r'[^a-z0-9-]+', ' ', row.statement.lower())} "
        named = {drug for name, drug in drug_names().items() if f" {name} " in said}
        assert named & set(row.drugs), row.row_id


def test_offered_drugs_have_monitoring_and_a_resistance_row_offers_none(rows) -> None:
    for row in rows:
        if row.direction is Direction.SENSITIVITY:
            assert row.monitoring, row.row_id
        else:
            assert row.monitoring == row.contraindications == (), row.row_id


def test_first_line_osimertinib_is_not_offered_after_osimertinib(rows) -> None:
    row = next(r for r in rows if r.row_id == "nsclc-egfr-ex19del-osimertinib")
    assert row.lines_allowed == (1,)
    assert "osimertinib" in row.not_after


def test_line_words_and_allowed_lines_agree(rows) -> None:
    for row in rows:
        if row.line.startswith("first line"):
            assert row.lines_allowed == (1,), row.row_id
        elif row.line.startswith("second line or later"):
            assert row.lines_allowed and min(row.lines_allowed) >= 2, row.row_id
        else:
            assert row.lines_allowed == (), row.row_id


@pytest.mark.parametrize(
    ("pmid", "trial", "drug"),
    [
        ("29151359", "FLAURA", "osimertinib"),
        ("27959700", "AURA3", "osimertinib"),
        ("33207094", "CROWN", "lorlatinib"),
        ("27718847", "KEYNOTE-024", "pembrolizumab"),
        ("34096690", "CodeBreaK 100", "sotorasib"),
        ("37272516", "INDIGO", "vorasidenib"),
        ("30779529", "KEYNOTE-426", "axitinib"),
        ("29562145", "CheckMate 214", "ipilimumab"),
        ("33616314", "CLEAR", "lenvatinib"),
        ("26406150", "METEOR", "cabozantinib"),
        ("22149875", "CLEOPATRA", "pertuzumab"),
        ("35320644", "DESTINY-Breast03", "trastuzumab deruxtecan"),
        ("31091374", "SOLAR-1", "alpelisib"),
        ("28578601", "OlympiAD", "olaparib"),
    ],
)
def test_known_trials_carry_their_pmid(rows, pmid: str, trial: str, drug: str) -> None:
    assert any(r.pmid == pmid and r.trial == trial and drug in r.drugs for r in rows)


def test_passage_figures_of_known_trials(passages) -> None:
    text = {p.passage_id: p.statement for p in passages}
    assert {"18.9", "10.2"} <= set(re.findall(r"\d+\.\d", text["luad-flaura-pfs"]))
    assert {"27.7", "11.1"} <= set(re.findall(r"\d+\.\d", text["difg-indigo"]))
    assert {"14.6", "12.1"} <= set(re.findall(r"\d+\.\d", text["difg-stupp"]))
    assert {"56.5", "40.8"} <= set(re.findall(r"\d+\.\d", text["brca-cleopatra"]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"drugs": ["osimertinab"]}, "nsclc-egfr-ex19del-osimertinib: 'osimertinab'.*drugs.tsv"),
        ({"drugs": ["Tagrisso"]}, "'Tagrisso'.*generic name"),
        ({"disease": "LUNGCA"}, "'LUNGCA'.*OncoTree"),
        ({"rule": {"kind": "mutation", "text": "x", "genes": ["HER2"]}}, "'HER2'.*gene symbol"),
        ({"rule": {"kind": "mutation", "text": "x"}}, "names at least one gene"),
        ({"rule": {"kind": "point", "text": "x"}}, "rule kinds are"),
        ({"rule": {"kind": "mutation", "text": "x", "genes": ["EGFR"], "classes": ["indel"]}}, "classes are"),
        ({"rule": {"kind": "biomarker", "text": "x", "biomarker": "TMB"}}, "biomarker and a comparison"),
        ({"pmid": "PMID 29151359"}, "7 or 8 digits"),
        ({"pmid": None}, "neither pmid nor url"),
        ({"reviewed": "21/11/2026"}, "ISO date"),
        ({"level": "1"}, "levels are"),
        ({"line": "1L"}, "a line starts with"),
        ({"not_after": ["gefitinip"]}, "gefitinip"),
        ({"after": ["EGFR TKIs"]}, "EGFR TKIs"),
        ({"after_all": [["EGFR TKI"], ["carboplatine"]]}, "carboplatine"),
        ({"after": ["imatinib"], "after_at_least": 2}, "after_at_least is 1 to the number of drugs"),
        ({"not_in": ["COLON"]}, "'COLON'.*OncoTree"),
        ({"rule": {"kind": "loss", "text": "x"}}, "names at least one gene"),
        ({"rule": {"kind": "none", "text": "x", "also": [{"kind": "odd", "text": "y"}]}}, "rule kinds are"),
    ],
)
def test_a_faulty_row_stops_the_load_and_says_why(change, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        builtin.row_from(raw_row(**change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"statement": "Not in the text."}, "not part of the text"),
        ({"oncotree": ["XYZ"]}, "'XYZ'"),
        ({"date": "May 2019"}, "ISO date"),
        ({"pmid": "12"}, "7 or 8 digits"),
    ],
)
def test_a_faulty_passage_stops_the_load(change, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        builtin.passage_from(raw_passage(**change))


def test_contradicting_rows_and_doubled_ids_are_refused(rows) -> None:
    flipped = replace(rows[0], row_id="flipped", direction=Direction.RESISTANCE)
    with pytest.raises(ContractError, match=f"contradicts {rows[0].row_id}"):
        builtin.check_rows((rows[0], flipped))
    with pytest.raises(ContractError, match="used by two rows"):
        builtin.check_rows((rows[0], rows[0]))


def civic_items() -> dict[str, dict[str, str]]:
    csv.field_size_limit(10_000_000)
    with CIVIC.open(encoding="utf-8") as handle:
        return {row["evidence_id"]: row for row in csv.DictReader(handle, delimiter="\t")}


@pytest.mark.skipif(not CIVIC.exists(), reason="CIViC snapshot is not beside the project")
def test_rows_confirmed_by_civic_have_its_pmid_gene_drug_and_direction(rows) -> None:
    items = civic_items()
    checked = 0
    for row in rows:
        note = builtin.confirmations()[row.row_id]
        for match in re.finditer(r"CIViC EID(\d+)( \(([^)]*)\))?", note):
            item = items[match[1]]
            assert item["citation_id"] == row.pmid, row.row_id
            checked += 1
            if match[2]:  # the note says what differs: same article, or a class in place of a drug
                continue
            named = item["drugs"].lower()
            assert any(d in named or d.replace(" ", "") in named.replace(" ", "") for d in row.drugs), row.row_id
            sensitive = item["clinical_significance"] == "Sensitivity/Response"
            assert sensitive == (row.direction is Direction.SENSITIVITY), row.row_id
            if row.level_system == "CIViC":
                assert item["evidence_level"] == row.level, row.row_id
            if row.rule.genes and item["gene"] != "CD274":
                assert item["gene"] in (*row.rule.genes, *row.rule.requires), row.row_id
    assert checked >= 40


@pytest.mark.skipif(not CIVIC.exists(), reason="CIViC snapshot is not beside the project")
def test_first_author_of_civic_s_citation_is_ours(rows, passages) -> None:
    cited = {item["citation_id"]: item["citation"] for item in civic_items().values()}
    for item in (*rows, *passages):
        if item.pmid in cited and " et al" in cited[item.pmid]:  # a consortium has no first author there
            assert cited[item.pmid].split(" et al")[0] == item.source.split(" et al")[0], item.pmid


@pytest.mark.skipif(not MOALMANAC.exists(), reason="MOAlmanac database is not beside the project")
def test_rows_confirmed_by_moalmanac_name_its_drug_and_year(rows) -> None:
    indications = {i["id"]: i for i in json.loads((MOALMANAC / "indications.json").read_text(encoding="utf-8"))}
    checked = 0
    for row in rows:
        cited = re.findall(r"ind:fda\.[a-z-]+:\d+", builtin.confirmations()[row.row_id])
        for key in cited:
            text = " ".join(str(indications[key][k]) for k in ("raw_therapeutics", "indication", "description")).lower()
            assert any(d in text for d in row.drugs), (row.row_id, key)
            checked += 1
        years = {(indications[key]["initial_approval_date"] or "")[:4] for key in cited}
        year = re.search(r"\d{4}", row.approval or "")
        if cited and year:
            assert year[0] in years, (row.row_id, years)
    assert checked >= 80
