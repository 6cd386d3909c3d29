"""The knowledge shipped with Radomica: therapy rows and guideline-summary passages, in our own words.

Files (retrieval/knowledge/): therapy_rows.jsonl, drug_safety.json, passages.jsonl. One JSON object a row or
passage; ``confirmed_by`` says where drug, indication and PMID were checked and is kept in a side table.

Everything is checked at load: unknown genes, drugs, OncoTree codes, doubled ids, PMIDs that are not numbers
and rows that contradict each other stop the load with the row, the value and the next step.
What this module does not know: a patient, ranking, doses, local reimbursement; whether a guideline has
changed since ``reviewed``. It is a reading aid for research, not a guideline.

``line`` starts with "first line", "second line or later", "any line", "maintenance", "adjuvant" or
"neoadjuvant"; every row that is not adjuvant or neoadjuvant is for advanced disease.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from encoders.errors import ContractError
from retrieval.lexicon import canonical_drug, canonical_gene, drug_classes, is_oncotree_code, oncotree_name
from retrieval.passage import BiomarkerRule, Direction, Passage, TherapyRow

KINDS = frozenset({"mutation", "amplification", "deletion", "loss", "fusion", "biomarker", "wild_type", "none"})
CLASSES = frozenset({"missense", "truncating", "inframe_deletion", "inframe_insertion", "splice", "any"})
COMPARISONS = frozenset({"=", ">=", "<=", ">", "<"})
LEVELS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "AMP/ASCO/CAP": frozenset({"Tier I-A", "Tier I-B", "Tier II-C", "Tier II-D"}),
        "CIViC": frozenset("ABCDE"),
        "Regulatory": frozenset({"FDA-approved"}),
    }
)
"""Level systems used by built-in rows. AMP/ASCO/CAP tiers follow the published definition (Li et al., J Mol
Diagn 2017, PMID 27993330): I-A = approved by the FDA for, or in guidelines of, the same tumour; II-C = approved
for another tumour. CIViC letters are CIViC's own. "Regulatory" marks approvals whose biomarker is none or no
sequence variant (PD-L1, TMB, MSI, receptors), which those tiers were not written for."""
LINES = ("first line", "second line or later", "any line", "maintenance", "adjuvant", "neoadjuvant")
DATE = re.compile(r"\d{4}(-\d{2}){0,2}")
PMID = re.compile(r"\d{7,8}")
ANY_DISEASE = "any solid tumour"


def _fail(row_id: str, value: object, rule: str, step: str) -> ContractError:
    return ContractError(f"built-in knowledge, {row_id}: {value!r}: {rule} {step}")


def _lines(name: str) -> tuple[dict[str, Any], ...]:
    text = files("retrieval").joinpath("knowledge", name).read_text(encoding="utf-8")
    return tuple(json.loads(line) for line in text.splitlines() if line.strip())


def _known_gene(row_id: str, gene: str) -> str:
    if canonical_gene(gene) != gene:
        raise _fail(row_id, gene, "is not a gene symbol of retrieval/knowledge/genes.tsv.", "Add or correct it.")
    return gene


def _known_drug(row_id: str, drug: str) -> str:
    if canonical_drug(drug) != drug:
        raise _fail(row_id, drug, "is not a generic name of retrieval/knowledge/drugs.tsv.", "Add or correct it.")
    return drug


def _known_drug_or_class(row_id: str, name: str) -> str:
    if name not in drug_classes():
        return _known_drug(row_id, name)
    return name


def _known_disease(row_id: str, code: str) -> str:
    if code != "ANY" and not is_oncotree_code(code):
        raise _fail(row_id, code, "is neither an OncoTree code of encoders/oncotree.tsv nor ANY.", "Correct the code.")
    return code


def _check_source(row_id: str, raw: Mapping[str, Any]) -> None:
    """Every row and passage can be opened by its reader: a PMID or a URL, and a date that is not made up."""
    pmid = raw.get("pmid")
    if pmid is not None and not PMID.fullmatch(pmid):
        raise _fail(row_id, pmid, "a PMID is 7 or 8 digits.", "Correct it.")
    if pmid is None and not raw.get("url"):
        raise _fail(row_id, None, "has neither pmid nor url.", "Add the source.")
    for key in ("date", "reviewed"):
        if raw.get(key) is not None and not DATE.fullmatch(raw[key]):
            raise _fail(row_id, raw[key], f"{key} is an ISO date: 2019, 2019-05 or 2019-05-30.", "Correct it.")


def rule_from(row_id: str, raw: Mapping[str, Any]) -> BiomarkerRule:
    """A BiomarkerRule from its JSON object; raises ContractError on an unknown word, gene or missing field."""
    kind = raw["kind"]
    if kind not in KINDS:
        raise _fail(row_id, kind, f"rule kinds are {', '.join(sorted(KINDS))}.", "Correct the kind.")
    unknown = set(raw.get("classes", ())) - CLASSES
    if unknown:
        raise _fail(row_id, sorted(unknown), f"classes are {', '.join(sorted(CLASSES))}.", "Correct the class.")
    if kind == "biomarker" and (not raw.get("biomarker") or raw.get("comparison") not in COMPARISONS):
        raise _fail(row_id, raw.get("comparison"), "a biomarker rule has a biomarker and a comparison.", "Add it.")
    if kind in {"mutation", "amplification", "deletion", "loss", "fusion"} and not raw.get("genes"):
        raise _fail(row_id, kind, "this kind of rule names at least one gene.", "Add genes.")
    return BiomarkerRule(
        kind=kind,
        text=raw["text"],
        genes=tuple(_known_gene(row_id, g) for g in raw.get("genes", ())),
        variants=tuple(raw.get("variants", ())),
        classes=tuple(raw.get("classes", ())),
        exons=tuple(raw.get("exons", ())),
        absent=tuple(_known_gene(row_id, g) for g in raw.get("absent", ())),
        biomarker=raw.get("biomarker"),
        comparison=raw.get("comparison"),
        threshold=raw.get("threshold"),
        requires=tuple(_known_gene(row_id, g) for g in raw.get("requires", ())),
        also=tuple(rule_from(row_id, further) for further in raw.get("also", ())),
    )


@lru_cache(maxsize=1)
def drug_safety() -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """Generic drug -> its contraindications and monitoring, short, from the label, in our own words."""
    text = files("retrieval").joinpath("knowledge", "drug_safety.json").read_text(encoding="utf-8")
    found: dict[str, Mapping[str, tuple[str, ...]]] = {}
    for entry in json.loads(text):
        for drug in entry["drugs"]:
            _known_drug("drug_safety.json", drug)
            if drug in found:
                raise _fail("drug_safety.json", drug, "stands in two entries.", "Keep one.")
            found[drug] = {key: tuple(entry[key]) for key in ("contraindications", "monitoring")}
    return MappingProxyType(found)


def _safety(raw: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """The row's own entries, then those of each drug; none for resistance, where the drug is not offered."""
    if raw["direction"] == Direction.RESISTANCE:
        return ()
    words = list(raw.get(key, ()))
    for drug in raw["drugs"]:
        if drug not in drug_safety():
            raise _fail(raw["row_id"], drug, "has no entry in drug_safety.json.", "Add one from its label.")
        words += drug_safety()[drug][key]
    return tuple(dict.fromkeys(words))


def row_from(raw: Mapping[str, Any]) -> TherapyRow:
    """A TherapyRow from its JSON object, every name checked; raises ContractError naming the row and value."""
    row_id = raw["row_id"]
    _check_source(row_id, raw)
    drugs = tuple(_known_drug(row_id, d) for d in raw["drugs"])
    disease = _known_disease(row_id, raw["disease"])
    levels = LEVELS.get(raw["level_system"], frozenset())
    if raw["level"] not in levels:
        raise _fail(row_id, (raw["level_system"], raw["level"]), f"levels are {dict(LEVELS)}.", "Correct the level.")
    if not raw["line"].startswith(LINES):
        raise _fail(row_id, raw["line"], f"a line starts with one of {LINES}.", "Correct the line.")
    if not 1 <= raw.get("after_at_least", 1) <= max(1, len(raw.get("after", ()))):
        raise _fail(
            row_id, raw["after_at_least"], "after_at_least is 1 to the number of drugs in after.", "Correct it."
        )
    return TherapyRow(
        row_id=row_id,
        drugs=drugs,
        disease=disease,
        disease_name=raw.get("disease_name") or (ANY_DISEASE if disease == "ANY" else str(oncotree_name(disease))),
        rule=rule_from(row_id, raw["rule"]),
        direction=Direction(raw["direction"]),
        level=raw["level"],
        level_system=raw["level_system"],
        source=raw["source"],
        reviewed=raw["reviewed"],
        line=raw["line"],
        approval=raw.get("approval"),
        trial=raw.get("trial"),
        pmid=raw.get("pmid"),
        statement=raw["statement"],
        contraindications=_safety(raw, "contraindications"),
        monitoring=_safety(raw, "monitoring"),
        lines_allowed=tuple(raw.get("lines_allowed", ())),
        not_after=tuple(_known_drug(row_id, d) for d in raw.get("not_after", ())),
        after=tuple(_known_drug_or_class(row_id, d) for d in raw.get("after", ())),
        after_at_least=raw.get("after_at_least", 1),
        after_all=tuple(tuple(_known_drug_or_class(row_id, d) for d in group) for group in raw.get("after_all", ())),
        not_in=tuple(_known_disease(row_id, code) for code in raw.get("not_in", ())),
    )


def check_rows(rows: tuple[TherapyRow, ...]) -> None:
    """Raise ContractError when two rows share an id, or say opposite things of the same drugs, disease and rule."""
    ids: set[str] = set()
    said: dict[tuple[object, ...], TherapyRow] = {}
    for row in rows:
        if row.row_id in ids:
            raise _fail(row.row_id, row.row_id, "is used by two rows.", "Rename one.")
        ids.add(row.row_id)
        key = (frozenset(row.drugs), row.disease, row.rule)
        other = said.setdefault(key, row)
        if other.direction != row.direction:
            raise _fail(row.row_id, row.rule.text, f"contradicts {other.row_id}.", "Keep one, or narrow a rule.")


def passage_from(raw: Mapping[str, Any]) -> Passage:
    """A Passage from its JSON object; the statement must stand in the text, word for word."""
    passage_id = raw["passage_id"]
    _check_source(passage_id, raw)
    if raw["statement"] not in raw["text"]:
        raise _fail(passage_id, raw["statement"], "the statement is not part of the text.", "Quote it exactly.")
    return Passage(
        passage_id=passage_id,
        title=raw["title"],
        text=raw["text"],
        statement=raw["statement"],
        source=raw["source"],
        pmid=raw.get("pmid"),
        url=raw.get("url"),
        date=raw["date"],
        oncotree=tuple(_known_disease(passage_id, code) for code in raw.get("oncotree", ())),
        topics=tuple(raw["topics"]),
        locator=f"retrieval/knowledge/passages.jsonl#{passage_id}",
    )


@lru_cache(maxsize=1)
def load_therapy_rows() -> tuple[TherapyRow, ...]:
    """Every built-in therapy row, checked, in file order."""
    rows = tuple(row_from(raw) for raw in _lines("therapy_rows.jsonl"))
    check_rows(rows)
    return rows


@lru_cache(maxsize=1)
def load_passages() -> tuple[Passage, ...]:
    """Every built-in guideline-summary passage, checked, in file order."""
    passages = tuple(passage_from(raw) for raw in _lines("passages.jsonl"))
    ids = [p.passage_id for p in passages]
    doubled = {i for i in ids if ids.count(i) > 1}
    if doubled:
        raise _fail("passages.jsonl", sorted(doubled), "ids are used twice.", "Rename one.")
    return passages


@lru_cache(maxsize=1)
def confirmations() -> Mapping[str, str]:
    """Row or passage id -> where its drug, indication and PMID were checked ("CIViC EID1867; MOAlmanac ...")."""
    entries = {raw["row_id"]: raw["confirmed_by"] for raw in _lines("therapy_rows.jsonl")}
    entries |= {raw["passage_id"]: raw["confirmed_by"] for raw in _lines("passages.jsonl")}
    return MappingProxyType(entries)
