"""Importers on small files of each source's documented form, on broken ones, and on the real open files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from encoders.errors import InputError
from retrieval.importers.alteration_words import rule_from_words
from retrieval.importers.civic import COLUMNS, read_civic
from retrieval.importers.disease_words import disease_code, disease_names
from retrieval.importers.moalmanac import read_moalmanac
from retrieval.passage import Direction
from retrieval.therapy_rows import level_rank

DATA = Path(__file__).parents[2].parent / "shared/data/open/knowledge"
CIVIC = DATA / "civic/nightly-ClinicalEvidenceSummaries.tsv"
MOALMANAC = DATA / "moalmanac_db/referenced"


# ---- words --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gene", "words", "kind", "details"),
    [
        ("EGFR", "L858R", "mutation", {"variants": ("L858R",)}),
        ("EGFR", "p.L858R", "mutation", {"variants": ("L858R",)}),
        ("EGFR", "EXON 19 DELETION", "mutation", {"exons": (19,), "classes": ("inframe_deletion",)}),
        ("EGFR", "Exon 19 (Deletion)", "mutation", {"exons": (19,), "classes": ("inframe_deletion",)}),
        ("EGFR", "Exon 20 in-frame insertions", "mutation", {"exons": (20,), "classes": ("inframe_insertion",)}),
        ("MET", "EXON 14 SKIPPING MUTATION", "mutation", {"exons": (14,), "classes": ("splice",)}),
        ("KIT", "EXON 11 MUTATION", "mutation", {"exons": (11,), "classes": ()}),
        ("KIT", "V569_L576DEL", "mutation", {"variants": ("V569_L576del",)}),
        ("KRAS", "G12/G13", "mutation", {"variants": ("G12", "G13")}),
        ("KRAS", "Exon 2 Mutation", "mutation", {"variants": ("G12", "G13")}),
        ("BRAF", "V600", "mutation", {"variants": ("V600",)}),
        ("BRCA1", "Oncogenic Mutations", "mutation", {"variants": ()}),
        ("BRCA1", "LOSS-OF-FUNCTION", "loss", {}),
        ("PTEN", "DELETION", "deletion", {}),
        ("ERBB2", "AMPLIFICATION", "amplification", {}),
        ("ALK", "ALK FUSIONS", "fusion", {}),
        ("ALK", "EML4-ALK", "fusion", {}),
        ("ALK", "EML4-ALK e6-e20", "fusion", {}),
        ("ALK", "EML4-ALK L1196M", "mutation", {"variants": ("L1196M",)}),
        ("ALK", "ALK FUSION G1202R", "mutation", {"variants": ("G1202R",)}),
        ("KRAS", "WILD TYPE", "wild_type", {"absent": ("KRAS",)}),
        ("MGMT", "PROMOTER METHYLATION", "biomarker", {"threshold": "methylated"}),
    ],
)  # fmt: skip
def test_words_of_an_alteration_become_its_rule(gene: str, words: str, kind: str, details: dict) -> None:
    rule = rule_from_words(gene, words)
    assert rule is not None
    assert rule.kind == kind
    assert {name: getattr(rule, name) for name in details} == details


@pytest.mark.parametrize("words", ["EXPRESSION", "OVEREXPRESSION", "VIII", "c.393T>C", "RS61764370", "", "ITD"])
def test_words_that_are_no_alteration_we_know_give_none(words: str) -> None:
    assert rule_from_words("EGFR", words) is None


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("LUAD", "LUAD"),
        ("oncotree:LUAD", "LUAD"),
        ("Lung Adenocarcinoma", "LUAD"),
        ("Lung Non-small Cell Carcinoma", "NSCLC"),
        ("Cancer", "ANY"),
        ("Langerhans Cell Histiocytosis", None),
        ("Acute Myeloid Leukemia", "AML"),
        ("Chronic Lymphocytic Leukemia", "CLLSLL"),
        ("", None),
    ],
)
def test_words_of_a_disease_become_its_code(written: str, code: str | None) -> None:
    assert disease_code(written) == code


def test_disease_names_are_lower_case_and_none_is_written_twice() -> None:
    assert all(name == name.lower().strip() for name in disease_names())


# ---- CIViC --------------------------------------------------------------------------------------------------------

ITEM = {
    "gene": "EGFR", "variant": "T790M", "disease": "Lung Non-small Cell Carcinoma", "drugs": "Erlotinib,Gefitinib",
    "drug_interaction_type": "Substitutes", "evidence_type": "Predictive", "evidence_direction": "Supports",
    "evidence_level": "B", "clinical_significance": "Resistance", "citation_id": "15737014", "source_type": "PubMed",
    "citation": "Pao et al., 2005, PLoS Med.", "evidence_status": "accepted", "evidence_id": "2158",
    "last_review_date": "2020-11-20 16:18:21 UTC",
}  # fmt: skip


def civic_file(folder: Path, *changes: dict[str, str], columns=COLUMNS) -> Path:
    lines = ["\t".join(columns)]
    lines += ["\t".join({**ITEM, **change}.get(c, "") for c in columns) for change in changes or ({},)]
    path = folder / "evidence.tsv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_substitutes_become_one_row_a_drug_and_a_combination_one_row(tmp_path: Path) -> None:
    both = read_civic(civic_file(tmp_path, {}, {"drug_interaction_type": "Combination", "evidence_id": "2"}))
    assert [s.row.drugs for s in both.statements] == [("erlotinib",), ("gefitinib",), ("erlotinib", "gefitinib")]
    row = both.statements[0].row
    assert (row.row_id, row.level, row.level_system, row.pmid) == ("civic:EID2158:erlotinib", "B", "CIViC", "15737014")
    assert (row.direction, row.disease, row.reviewed) == (Direction.RESISTANCE, "NSCLC", "2020-11-20")


def test_evidence_against_is_kept_and_said_so(tmp_path: Path) -> None:
    found = read_civic(civic_file(tmp_path, {"evidence_direction": "Does Not Support"}))
    assert [s.supports for s in found.statements] == [False, False]
    assert found.positive_rows() == ()


def test_a_disease_that_names_a_receptor_keeps_it_in_the_rule(tmp_path: Path) -> None:
    change = {"disease": "Her2-receptor Positive Breast Cancer", "gene": "PIK3CA", "variant": "H1047R"}
    rule = read_civic(civic_file(tmp_path, change)).statements[0].row.rule
    assert [r.kind for r in rule.also] == ["amplification"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"gene": "NOTAGENE"}, "gene not known: NOTAGENE"),
        ({"drugs": "Magicinib"}, "drug not known: Magicinib"),
        ({"drugs": ""}, "drug not known: none"),
        ({"disease": "Nasal Glioma"}, "disease not in the OncoTree table: Nasal Glioma"),
        ({"variant": "EXPRESSION"}, "alteration not read: EGFR EXPRESSION"),
        ({"evidence_type": "Prognostic"}, "not predictive: Prognostic"),
        ({"evidence_status": "submitted"}, "not accepted: submitted"),
        ({"clinical_significance": "Adverse Response"}, "significance is neither"),
    ],
)
def test_what_cannot_be_read_is_listed_with_its_line_and_reason(tmp_path: Path, change, reason: str) -> None:
    found = read_civic(civic_file(tmp_path, change))
    assert found.statements == ()
    assert [(s.where, s.reason.startswith(reason)) for s in found.skipped] == [("EID2158, line 2", True)]


def test_a_civic_file_of_another_release_is_refused_by_the_missing_column(tmp_path: Path) -> None:
    path = civic_file(tmp_path, columns=[c for c in COLUMNS if c not in ("variant", "gene")])
    with pytest.raises(InputError, match="lacks the column gene, variant"):
        read_civic(path)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "evidence.tsv"
    path.write_bytes(b"\xff\xfe\x00\x01\x80" * 40)
    with pytest.raises(InputError, match=r"evidence\.tsv"):
        read_civic(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_civic(tmp_path / "absent.tsv")


@pytest.mark.skipif(not CIVIC.exists(), reason="CIViC snapshot is not beside the project")
def test_every_item_of_the_real_civic_file_is_a_statement_or_in_the_list() -> None:
    found = read_civic(CIVIC)
    items = {s.row.row_id.split(":")[1] for s in found.statements}
    skipped = {s.where.split(",")[0] for s in found.skipped}
    assert not items & skipped
    assert len(items) + len(found.skipped) == 3706  # the file's own number of items
    assert len(items) >= 1000
    assert all(level_rank(s.row) <= 4 for s in found.statements)


# ---- MOAlmanac ----------------------------------------------------------------------------------------------------


def moalmanac_folder(folder: Path, **tables: list[dict]) -> Path:
    base: dict[str, object] = {
        "about": {"release": "draft", "last_updated": "2026-05-07"},
        "agents": [{"id": "fda"}],
        "biomarkers": [
            {"id": 1, "name": "EGFR p.L858R", "genes": [1], "extensions": facts("Somatic Variant")},
            {"id": 2, "name": "Wild type ALK", "genes": [2], "extensions": facts("Wild type")},
            {"id": 3, "name": "PD-L1 (CPS) >= 10", "extensions": facts(
                "Protein expression", marker="PD-L1", unit="Combined Positive Score (CPS)", equality=">=", value=10)},
            {"id": 4, "name": "HER2-positive", "extensions": facts(
                "Protein expression", marker="Human epidermal growth factor receptor 2 (HER2)", unit="status",
                equality="=", value="Positive")},
            {"id": 5, "name": "CD20 +", "extensions": facts(
                "Protein expression", marker="CD20", unit="status", equality="=", value="Positive")},
            {"id": 6, "name": "MSI-H", "extensions": facts("Microsatellite Stability")},
        ],
        "diseases": [{"id": 1, "name": "Non-Small Cell Lung Cancer", "primary_coding_id": "oncotree:NSCLC"},
                     {"id": 2, "name": "Nasal Glioma", "primary_coding_id": "oncotree:NOT"}],
        "documents": [{"id": "doc:fda.x", "agent_id": "fda", "name": "X [package insert]. FDA.", "pmid": None,
                       "publication_date": "2024-02-16", "status": "Active"}],
        "genes": [{"id": 1, "name": "EGFR"}, {"id": 2, "name": "ALK"}],
        "indications": [{"id": "ind:1", "initial_approval_date": "2018-04-18"}],
        "propositions": [proposition(1, [1], 1)],
        "statements": [statement(0, 1)],
        "therapies": [{"id": 1, "name": "Osimertinib"}, {"id": 2, "name": "Mobocertinib"},
                      {"id": 3, "name": "Pemetrexed"}],
        "therapy_groups": [{"id": 1, "membershipOperator": "AND", "therapies": [1, 3]}],
        "urls": [],
    }  # fmt: skip
    for name, table in (base | tables).items():
        (folder / f"{name}.json").write_text(json.dumps(table), encoding="utf-8")
    return folder


def facts(kind: str, **more: object) -> list[dict]:
    return [{"name": n, "value": v} for n, v in {"biomarker_type": kind, "_present": True, **more}.items()]


def proposition(
    key: int, biomarkers: list[int], disease: int, therapy: int | None = 1, group: int | None = None
) -> dict:
    return {
        "id": key, "predicate": "predictSensitivityTo", "biomarkers": biomarkers, "conditionQualifier_id": disease,
        "therapy_id": therapy, "therapy_group_id": group,
    }  # fmt: skip


def statement(key: int, proposition_id: int) -> dict:
    return {"id": key, "proposition_id": proposition_id, "direction": "supports", "reportedIn": ["doc:fda.x"],
            "indication_id": "ind:1"}  # fmt: skip


def test_an_approval_becomes_a_row_with_the_agency_as_its_level(tmp_path: Path) -> None:
    found = read_moalmanac(moalmanac_folder(tmp_path))
    (only,) = found.statements
    assert (only.row.level_system, only.row.level, only.row.approval) == ("MOAlmanac", "FDA approval", "FDA 2018")
    assert (only.row.drugs, only.row.disease, only.row.rule.variants) == (("osimertinib",), "NSCLC", ("L858R",))
    assert found.version == "draft 2026-05-07"


def test_all_biomarkers_of_a_proposition_must_hold(tmp_path: Path) -> None:
    folder = moalmanac_folder(tmp_path, propositions=[proposition(1, [3, 4, 2], 1, None, 1)])
    (only,) = read_moalmanac(folder).statements
    rule = only.row.rule
    assert (rule.biomarker, rule.comparison, rule.threshold) == ("PD-L1 CPS", ">=", 10.0)
    assert (rule.absent, [r.kind for r in rule.also]) == (("ALK",), ["amplification"])
    assert only.row.drugs == ("osimertinib", "pemetrexed")


@pytest.mark.parametrize(
    ("tables", "reason"),
    [
        ({"propositions": [proposition(1, [5], 1)]}, "alteration not read: CD20 +"),
        ({"propositions": [proposition(1, [1], 2)]}, "disease not in the OncoTree table: Nasal Glioma"),
        ({"propositions": [proposition(1, [99], 1)]}, "reference broken: biomarkers has no 99"),
        ({"propositions": [proposition(1, [1], 1, 2)]}, "indication withdrawn: mobocertinib in NSCLC, 2024"),
        ({"propositions": [{**proposition(1, [1], 1), "predicate": "predictsX"}]}, "predicate not known: predictsX"),
        ({"therapies": [{"id": 1, "name": "Magicinib"}]}, "drug not known: Magicinib"),
        ({"propositions": [{"id": 1}]}, "form not as documented: 'predicate'"),
    ],
)
def test_a_statement_that_cannot_be_read_is_listed(tmp_path: Path, tables, reason: str) -> None:
    found = read_moalmanac(moalmanac_folder(tmp_path, **tables))
    assert found.statements == ()
    assert [s.reason.startswith(reason) for s in found.skipped] == [True], found.skipped


def test_a_folder_of_another_form_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"about.json: not a file of the MOAlmanac database"):
        read_moalmanac(tmp_path)
    (moalmanac_folder(tmp_path) / "genes.json").write_text('[{"name": "EGFR"}]', encoding="utf-8")
    with pytest.raises(InputError, match=r"genes.json.*KeyError"):
        read_moalmanac(tmp_path)


@pytest.mark.skipif(not MOALMANAC.exists(), reason="MOAlmanac database is not beside the project")
def test_every_statement_of_the_real_moalmanac_is_a_row_or_in_the_list() -> None:
    found = read_moalmanac(MOALMANAC)
    assert len(found.statements) + len(found.skipped) == 1944  # the release's own number of statements
    assert len(found.statements) >= 1400
    assert not any(s.reason.startswith(("form not", "reference broken")) for s in found.skipped)
