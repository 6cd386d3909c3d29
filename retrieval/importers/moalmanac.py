"""MOAlmanac's referenced database (a folder of JSON files) as therapy statements: approvals of several agencies.

Every proposition of the release at hand predicts sensitivity; another predicate is skipped and counted. The level
is the agency's approval ("FDA approval") in MOAlmanac's own system. Indications withdrawn since are left out
(retrieval/importers/withdrawn.py), with the reason. What this module does not know: the indication's line of
treatment, which MOAlmanac holds in prose only.

References
----------
Reardon B. et al., Nat Cancer 2021;2:1102-1112, DOI 10.1038/s43018-021-00243-3 (MOAlmanac).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from encoders.errors import InputError
from retrieval.importers.alteration_words import rule_from_words
from retrieval.importers.disease_words import disease_code, disease_label
from retrieval.importers.statements import Imported, NotReadError, Skipped, SourceStatement
from retrieval.importers.withdrawn import withdrawn
from retrieval.lexicon import canonical_drug, canonical_gene
from retrieval.passage import BiomarkerRule, Direction, TherapyRow

FILES = (
    "about", "agents", "biomarkers", "diseases", "documents", "genes", "indications", "propositions", "statements",
    "therapies", "therapy_groups", "urls",
)  # fmt: skip
PREDICATES = {"predictSensitivityTo": Direction.SENSITIVITY, "predictResistanceTo": Direction.RESISTANCE}
PER_CENT_UNITS = ("Tumor Proportion Score (TPS)", "Percentage of tumor cells", "Tumor Area Positivity (TAP)")
MARKERS = {
    "Estrogen receptor (ER)": "ER",
    "Progesterone receptor (PR)": "PR",
    "PD-L1": "PD-L1",
    "CLDN18.2": "CLDN18.2",
    "FOLR1": "FRalpha",
    "EGFR": "EGFR IHC",
}
HER2 = "Human epidermal growth factor receptor 2 (HER2)"
HER2_RULES = {
    "Positive": BiomarkerRule("amplification", "HER2-positive", genes=("ERBB2",)),
    "Negative": BiomarkerRule("wild_type", "HER2-negative", absent=("ERBB2",)),
    "Low": BiomarkerRule("biomarker", "HER2-low", biomarker="HER2 IHC", comparison="=", threshold="1+"),
}
REPAIR_RULES = {
    **dict.fromkeys(("MSI-H", "dMMR"), "MSI-H"),
    **dict.fromkeys(("MSI-L", "MSS", "pMMR"), "MSS"),
}


@dataclass(frozen=True)
class _Database:
    """The JSON files by name, each entry by its id."""

    version: str
    tables: Mapping[str, Mapping[Any, Mapping[str, Any]]]

    def get(self, table: str, key: Any) -> Mapping[str, Any]:
        if key not in self.tables[table]:
            raise NotReadError(f"reference broken: {table} has no {key!r}")
        return self.tables[table][key]


def read_moalmanac(folder: Path) -> Imported:
    """Every statement of a MOAlmanac database folder (``referenced/``).

    Raises
    ------
    InputError: a file is missing, is not JSON, or its entries have no id (another release form), named.
    """
    database = _load(folder)
    statements: list[SourceStatement] = []
    skipped: list[Skipped] = []
    for key, raw in database.tables["statements"].items():
        try:
            statements.append(_statement(database, key, raw))
        except NotReadError as error:
            skipped.append(Skipped(f"statement {key}", str(error)))
        except (KeyError, TypeError) as error:
            skipped.append(Skipped(f"statement {key}", f"form not as documented: {error}"))
    return Imported("MOAlmanac", database.version, tuple(statements), tuple(skipped))


def _load(folder: Path) -> _Database:
    tables: dict[str, Mapping[Any, Mapping[str, Any]]] = {}
    version = ""
    for name in FILES:
        path = folder / f"{name}.json"
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            if name == "about":
                version = f"{raw['release']} {raw['last_updated']}"
            else:
                tables[name] = {entry["id"]: entry for entry in raw}
        except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
            raise InputError(
                f"{path.name}: not a file of the MOAlmanac database ({type(error).__name__}: {error}); the folder "
                f"holds {', '.join(FILES)}, each as JSON with ids. Point at its folder 'referenced'."
            ) from error
    return _Database(version, tables)


def _statement(database: _Database, key: Any, raw: Mapping[str, Any]) -> SourceStatement:
    proposition = database.get("propositions", raw["proposition_id"])
    direction = PREDICATES.get(proposition["predicate"])
    if direction is None:
        raise NotReadError(f"predicate not known: {proposition['predicate']}")
    documents = [database.get("documents", d) for d in raw["reportedIn"]]
    if any(d.get("status") == "Deprecated" for d in documents):
        raise NotReadError(f"document withdrawn: {', '.join(d['id'] for d in documents)}")
    rule = _rule([database.get("biomarkers", b) for b in proposition["biomarkers"]], database)
    code = _disease(database.get("diseases", proposition["conditionQualifier_id"]))
    drugs = _drugs(database, proposition)
    document = documents[0]
    if document["agent_id"] == "fda" and (reason := withdrawn(drugs, code)):
        raise NotReadError(f"indication withdrawn: {'+'.join(drugs)} in {code}, {reason}")
    row = TherapyRow(
        row_id=f"moalmanac:{key}",
        drugs=drugs,
        disease=code,
        disease_name=disease_label(code),
        rule=rule,
        direction=direction,
        level=f"{document['agent_id'].upper()} approval",
        level_system="MOAlmanac",
        source=document["name"],
        reviewed=str(document.get("publication_date") or ""),
        approval=f"{document['agent_id'].upper()} {_year(database, raw)}".strip(),
        pmid=str(document["pmid"]) if document.get("pmid") else None,
    )
    return SourceStatement(row, supports=raw["direction"] == "supports")


def _year(database: _Database, raw: Mapping[str, Any]) -> str:
    indication = raw.get("indication_id")
    date = database.get("indications", indication).get("initial_approval_date") if indication else None
    return (date or "")[:4]


def _disease(raw: Mapping[str, Any]) -> str:
    for written in (raw.get("primary_coding_id") or "", raw["name"]):
        code = disease_code(written) if written else None
        if code is not None:
            return code
    raise NotReadError(f"disease not in the OncoTree table: {raw['name']}")


def _drugs(database: _Database, proposition: Mapping[str, Any]) -> tuple[str, ...]:
    if proposition["therapy_id"] is not None:
        ids = [proposition["therapy_id"]]
    else:
        group = database.get("therapy_groups", proposition["therapy_group_id"])
        if group["membershipOperator"] != "AND":
            raise NotReadError(f"group of therapies is not a combination: {group['membershipOperator']}")
        ids = group["therapies"]
    written = [database.get("therapies", i)["name"] for i in ids]
    known = [canonical_drug(name) for name in written]
    unknown = [name for name, found in zip(written, known, strict=True) if found is None]
    if unknown:
        raise NotReadError(f"drug not known: {', '.join(unknown)}")
    return tuple(str(name) for name in known)


def _rule(biomarkers: list[Mapping[str, Any]], database: _Database) -> BiomarkerRule:
    """All biomarkers of a proposition must hold: the first alteration, the others beside it; wild types join."""
    rules = [_one_rule(b, database) for b in biomarkers]
    absent = tuple(g for r in rules if r.kind == "wild_type" for g in r.absent)
    held = [r for r in rules if r.kind != "wild_type"]
    text = ", ".join(r.text for r in rules)
    if not held:
        return BiomarkerRule("wild_type" if absent else "none", text or "no biomarker required", absent=absent)
    return replace(held[0], text=text, absent=absent, also=tuple(held[1:]))


def _one_rule(raw: Mapping[str, Any], database: _Database) -> BiomarkerRule:
    facts = {e["name"]: e["value"] for e in raw["extensions"]}
    name = raw["name"]
    if facts.get("_present") is False:
        raise NotReadError(f"alteration not read: absence of {name}")
    if name in REPAIR_RULES:
        return BiomarkerRule("biomarker", name, biomarker="MSI", comparison="=", threshold=REPAIR_RULES[name])
    kind = facts["biomarker_type"]
    if kind == "Tumor mutational burden":
        limit = float(facts["minimum_mutations_per_megabase"])
        return BiomarkerRule("biomarker", name, biomarker="TMB", comparison=">=", threshold=limit)
    if kind == "Homologous Recombination":
        return BiomarkerRule("biomarker", name, biomarker="HRD", comparison="=", threshold="positive")
    if kind == "Protein expression":
        return _expression(name, facts)
    return _alteration(raw, database)


def _expression(name: str, facts: Mapping[str, Any]) -> BiomarkerRule:
    if facts["marker"] == HER2 and facts["value"] in HER2_RULES:
        return HER2_RULES[facts["value"]]
    marker = MARKERS.get(facts["marker"])
    if marker is None or not isinstance(facts["value"], str | int | float):
        raise NotReadError(f"alteration not read: {name}")
    if facts["unit"] == "status":
        return BiomarkerRule("biomarker", name, biomarker=marker, comparison="=", threshold=facts["value"].lower())
    score = re.search(r"\((CPS|TAP)\)", facts["unit"])
    figure = float(facts["value"]) * (100 if facts["unit"] in PER_CENT_UNITS else 1)
    if score is None and facts["unit"] not in PER_CENT_UNITS:
        raise NotReadError(f"alteration not read: {name}")
    label = f"{marker} {score[1]}" if score else marker
    return BiomarkerRule("biomarker", name, biomarker=label, comparison=facts["equality"], threshold=figure)


def _alteration(raw: Mapping[str, Any], database: _Database) -> BiomarkerRule:
    symbols = [database.get("genes", g)["name"] for g in raw.get("genes", ())]
    known = [canonical_gene(s) for s in symbols]
    if not symbols or None in known:
        raise NotReadError(f"gene not known: {', '.join(symbols) or raw['name']}")
    name = raw["name"]
    if "::" in name:
        genes = tuple(str(g) for g in known)
        return BiomarkerRule("fusion", name, genes=genes)
    gene = str(known[0])
    words = name.removeprefix("Wild type ").removeprefix(symbols[0]).strip()
    if name.startswith("Wild type"):
        words = "wild type"
    rule = rule_from_words(gene, words)
    if rule is None:
        raise NotReadError(f"alteration not read: {name}")
    return rule
