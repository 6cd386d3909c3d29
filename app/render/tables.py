"""Rows of the report's tables, from the evidence and the structured lists of report.json.

A row knows the evidence ids it shows, so that a claim which only repeats the row can be folded under the table.
Not known here: HTML. Not checked: the values (the ledger's are shown as they are).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

KIND_TITLES = {
    "F": "Patient facts",
    "I": "Image measurements",
    "M": "Molecular findings",
    "P": "Predictions",
    "X": "Explanations",
    "S": "Similar cases",
    "G": "Guidelines and therapy rows",
}
_TELLING = re.compile(r"\S*(?:\d|[A-Z]{2})\S*")
_PMID = re.compile(r"\d{1,8}")
_NCT = re.compile(r"NCT\d{8}")


def display(item: Mapping[str, Any], name: str) -> str:
    """What a reader sees of one field; "" when the evidence does not have it."""
    field = item["fields"].get(name)
    return field["display"] if field else ""


def of_type(evidence: Mapping[str, Any], *types: str) -> list[Mapping[str, Any]]:
    """Evidence of these types, in ledger order."""
    return [e for e in evidence.values() if e["type"] in types]


def source_text(item: Mapping[str, Any]) -> str:
    """Where an evidence was read, in a few words."""
    source = item["source"]
    words = [str(source[k]) for k in ("file", "place", "row_id") if source.get(k)]
    if "slice_index" in source and "slice" not in str(source.get("place", "")):
        words.append(f"slice {source['slice_index'] + 1}")
    if source.get("date"):
        words.append(str(source["date"]))
    return ", ".join(words)


def source_links(item: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(label, address) to open; only PubMed ids and http(s) addresses become links."""
    source, links = item["source"], []
    pmid = str(source.get("pmid") or "")
    if _PMID.fullmatch(pmid):
        links.append((f"PMID {pmid}", f"https://pubmed.ncbi.nlm.nih.gov/{pmid}/"))
    url = str(source.get("url") or "")
    if url.startswith(("https://", "http://")) and not (links and "pubmed.ncbi" in url):
        links.append(("source", url))
    return links


def molecular_rows(evidence: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row per alteration, biomarker and expression finding: {name, finding, measure, effect, ids}."""
    rows = []
    for item in of_type(evidence, "variant", "copy_number", "fusion", "biomarker", "expression_profile", "pathway"):
        name, finding, measure, effect = _molecular_cells(item)
        rows.append({"name": name, "finding": finding, "measure": measure, "effect": effect, "ids": [item["id"]]})
    return rows


def _molecular_cells(item: Mapping[str, Any]) -> tuple[str, str, str, str]:
    def show(name: str) -> str:
        return display(item, name)

    match item["type"]:
        case "variant":
            depth = _labelled("depth", show("depth"))
            measure = _joined(_labelled("VAF", show("allele_fraction")), depth)
            return f"{show('gene')} {show('variant')}".strip(), _words(show("consequence")), measure, show("effect")
        case "copy_number":
            return f"{show('gene')} copy number", show("call"), _labelled("log2 ratio", show("log2_ratio")), ""
        case "fusion":
            return show("name"), "fusion", _joined(show("partner5"), show("partner3")), ""
        case "biomarker":
            return show("name"), show("value"), "", ""
        case "expression_profile":
            measure = _labelled("probability", show("probability"))
            return f"{_words(show('attribute')).capitalize()} (RNA)", show("finding"), measure, ""
        case _:
            return _words(show("pathway")), show("direction"), _labelled("score", show("score")), ""


LESION_COLUMNS = (
    ("diameter", "Longest"),
    ("short_axis", "Short axis"),
    ("volume", "Volume"),
    ("mean", "Mean"),
    ("max", "Maximum"),
)


def imaging_tables(evidence: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Lesion measurements (one row a lesion, with the columns any lesion fills) and appearance words."""
    lesions = [
        {
            "series": display(e, "series"),
            "diameter": display(e, "longest_diameter"),
            "short_axis": display(e, "short_axis"),
            "volume": display(e, "volume"),
            "mean": display(e, "mean_intensity"),
            "max": display(e, "max_intensity"),
            "ids": [e["id"]],
        }
        for e in of_type(evidence, "lesion")
    ]
    looks = [
        {
            "attribute": _words(display(e, "attribute")),
            "finding": display(e, "finding"),
            "probability": display(e, "probability"),
            "ids": [e["id"]],
        }
        for e in of_type(evidence, "appearance")
    ]
    columns = [c for c in LESION_COLUMNS if any(r[c[0]] for r in lesions)]
    return {"lesions": lesions, "columns": columns, "appearance": looks}


def prediction_rows(evidence: Mapping[str, Any]) -> list[dict[str, Any]]:
    """{name, value, note, ids}: survival at 12 and 24 months, molecular labels and cancer type read by the models."""
    rows = []
    for e in of_type(evidence, "survival"):
        risk = _joined(display(e, "risk_group"), _labelled("percentile", display(e, "percentile")))
        rows.append(
            {
                "name": "Risk",
                "value": risk,
                "note": _joined(display(e, "cohort"), display(e, "reliability")),
                "ids": [e["id"]],
            }
        )
        for month in ("12", "24"):
            if display(e, f"survival_{month}m"):
                interval = display(e, f"interval_{month}m")
                rows.append(
                    {
                        "name": f"Alive at {month} months",
                        "value": display(e, f"survival_{month}m"),
                        "note": f"95 % interval {interval}" if interval else "",
                        "ids": [e["id"]],
                    }
                )
    for e in of_type(evidence, "molecular_prediction"):
        note = _joined(_labelled("read from", display(e, "input")), display(e, "agreement"))
        rows.append(
            {
                "name": f"{display(e, 'gene')} {display(e, 'label')}",
                "value": display(e, "probability"),
                "note": note,
                "ids": [e["id"]],
            }
        )
    for e in of_type(evidence, "cancer_type_prediction"):
        rows.append(
            {
                "name": display(e, "label"),
                "value": display(e, "probability"),
                "note": display(e, "agreement"),
                "ids": [e["id"]],
            }
        )
    return rows


def therapy_tables(
    therapies: Sequence[Mapping[str, Any]], evidence: Mapping[str, Any]
) -> dict[str, list[dict[str, Any]]]:
    """Rows offered to this patient and rows excluded, each with its reasons and links."""
    offered, excluded = [], []
    for row in therapies:
        ids = [i for i in _listed(row.get("evidence_ids") or row.get("evidence_id")) if i in evidence]
        status = str(row.get("status") or "")
        reasons = _listed(row.get("excluded"))
        if status.startswith("excluded") and not reasons:
            reasons = [status.partition(":")[2].strip() or "not applicable to this patient"]
        made = {
            "drug": " + ".join(_listed(row.get("drugs") or row.get("drug"))),
            "biomarker": row.get("biomarker") or "",
            "matched_on": ", ".join(_listed(row.get("matched_on"))),
            "direction": str(row.get("direction") or ""),
            "level": _joined(str(row.get("level_system") or ""), str(row.get("level") or ""), mark=" "),
            "standing": [str(row[k]) for k in ("line", "approval", "trial") if row.get(k)],
            "disease": row.get("disease_name") or row.get("disease") or "",
            "off_label": row.get("disease_match") in ("other_disease", "parent", "tumour_agnostic")
            and str(row["disease_match"]).replace("_", " "),
            "cautions": list(dict.fromkeys([*_listed(row.get("contraindications")), *_listed(row.get("cautions"))])),
            "reasons": reasons,
            "links": _therapy_links(row, [evidence[i] for i in ids if evidence[i]["type"] == "therapy"]),
            "ids": ids,
        }
        (excluded if reasons else offered).append(made)
    return {"offered": offered, "excluded": excluded}


def _therapy_links(row: Mapping[str, Any], cited: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    links = source_links({"source": {k: row.get(k) for k in ("pmid", "url")}})
    for item in cited:
        links += [link for link in source_links(item) if link not in links]
    trial = _NCT.search(str(row.get("trial") or ""))
    if trial:
        links.append((trial[0], f"https://clinicaltrials.gov/study/{trial[0]}"))
    return links


def similar_rows(cases: Sequence[Mapping[str, Any]], evidence: Mapping[str, Any]) -> list[dict[str, Any]]:
    """{case, similarity, shared, followup, outcome, ids} for each neighbour."""
    entries = {display(e, "case"): e["id"] for e in of_type(evidence, "similar_case")}
    return [
        {
            "case": str(c["case_id"]),
            "similarity": f"{float(c['similarity']):.2f}",
            "shared": ", ".join(_listed(c.get("shared"))),
            "followup": f"{float(c['followup_months']):.1f} months",
            "outcome": "died" if c["event"] else "alive",
            "ids": [entries[str(c["case_id"])]] if str(c["case_id"]) in entries else [],
        }
        for c in cases
    ]


def missing_rows(missing: Sequence[Mapping[str, Any]], evidence: Mapping[str, Any]) -> list[dict[str, Any]]:
    """{modality, reason, would_change, ids} of each absent modality."""
    entries: dict[str, list[str]] = {}
    for item in of_type(evidence, "absent"):
        entries.setdefault(display(item, "modality").lower(), []).append(item["id"])
    return [
        {
            "modality": _words(str(m["modality"])),
            "reason": m.get("reason") or "",
            "would_change": m.get("would_change") or "",
            "ids": entries.get(str(m["modality"]).lower()) or entries.get(_words(str(m["modality"])).lower()) or [],
        }
        for m in missing
    ]


def restates(claim: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], evidence: Mapping[str, Any]) -> bool:
    """True when the claim cites table rows only and every number and symbol in it stands in those rows."""
    cited = [r for r in rows if set(r["ids"]) & set(claim["citations"])]
    shown = {i for r in cited for i in r["ids"]}
    partners = {e["id"] for e in of_type(evidence, "variant", "copy_number", "fusion", "biomarker")}
    if not cited or claim.get("quoted") or not set(claim["citations"]) <= shown | (partners if shown else set()):
        return False
    text = " ".join(str(v) for r in cited for v in r.values()).lower()
    return all(token.strip(".,;:()[]").lower() in text for token in _TELLING.findall(claim["text"]))


def evidence_groups(evidence: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The appendix: evidence by kind, each with source words and links."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for item in evidence.values():
        entry = {**item, "where": source_text(item), "links": source_links(item)}
        quote = display(item, "quote") or display(item, "statement")
        entry["quote"] = quote if quote and quote not in item["text"] else ""
        groups.setdefault(item["kind"], []).append(entry)
    return [{"kind": k, "title": KIND_TITLES[k], "entries": groups[k]} for k in KIND_TITLES if k in groups]


def _listed(value: Any) -> list[str]:
    if value is None or value == "":
        return []
    return [value] if isinstance(value, str) else [str(v) for v in value]


def _words(text: str) -> str:
    return text.replace("_", " ")


def _labelled(label: str, value: str) -> str:
    return f"{label} {value}" if value else ""


def _joined(*parts: str, mark: str = ", ") -> str:
    return mark.join(p for p in parts if p)
