"""Rows of the report's tables, from the evidence and the structured lists of report.json.

A row knows the evidence ids it shows, so that a claim which only repeats the row can be folded under the table.
Not known here: HTML. Not checked: the values (the ledger's are shown as they are).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
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


ALTERATIONS, MARKERS = ("variant", "copy_number", "fusion"), ("biomarker", "expression_profile", "pathway")


def molecular_rows(evidence: Mapping[str, Any], types: Sequence[str]) -> list[dict[str, Any]]:
    """One row per alteration or marker: {name, finding, measure, effect, ids}."""
    rows = []
    for item in of_type(evidence, *types):
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
    ("series", "Series"),
    ("date", "Date"),
    ("size", "Longest x short"),
    ("volume", "Volume"),
    ("intensity", "Intensity"),
    ("before", "Before"),
    ("change", "Change"),
)


def _where(item: Mapping[str, Any]) -> tuple[str, str]:
    """Series and label of a lesion's evidence: what its measurements have in common."""
    return str(item["source"].get("series_uid", "")), str(item["source"].get("row_id", ""))


def lesion_rows(evidence: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row a lesion: {name, note, series, date, size, volume, intensity, before, change, ids}.

    What became of a lesion stands with its size; a lesion that has no size today (vanished, unmatched) has its own row.
    """
    changes = {_where(e): e for e in of_type(evidence, "lesion_change")}
    intensities = {_where(e): e for e in of_type(evidence, "lesion_intensity")}
    rows = []
    for item in of_type(evidence, "lesion", "proposed_lesion"):
        change = changes.pop(_where(item), None) if _where(item)[1] else None
        bright = intensities.get(_where(item))
        rows.append(_lesion_row(item, change, bright))
    return rows + [_change_row(e) for e in changes.values()]


def _lesion_row(
    item: Mapping[str, Any], change: Mapping[str, Any] | None, bright: Mapping[str, Any] | None
) -> dict[str, Any]:
    sizes = [display(item, name) for name in ("longest_diameter", "short_axis")]
    brightness = _labelled("mean", display(item, "mean_intensity"))
    ids = [item["id"]]
    if bright is not None:
        brightness = _brightness(bright) or brightness
        ids.append(bright["id"])
    if change is not None:
        ids.append(change["id"])
    return {
        "name": str(item["source"].get("row_id") or "lesion"),
        "note": "proposed, not confirmed by a person" if item["type"] == "proposed_lesion" else "",
        "series": display(item, "series").partition(" (")[0],
        "date": str(item["source"].get("date") or ""),
        "size": _joined(sizes[0].removesuffix(" mm") if sizes[1] else sizes[0], sizes[1], mark=" x "),
        "volume": display(item, "volume"),
        "intensity": brightness,
        **_change_cells(change),
        "ids": ids,
    }


def _brightness(item: Mapping[str, Any]) -> str:
    if ratio := display(item, "ratio"):
        return f"{ratio} x surroundings"
    if percentiles := _joined(display(item, "p10").removesuffix(" HU"), display(item, "p90"), mark=" to "):
        return f"mean {display(item, 'mean')}, {percentiles}"
    named = (("SUVmax", "suv_max"), ("SUVpeak", "suv_peak"))
    shown = [f"{name} {display(item, field).removesuffix(' SUVbw')}" for name, field in named if display(item, field)]
    return ", ".join(shown) or display(item, "basis")


def _change_cells(change: Mapping[str, Any] | None) -> dict[str, str]:
    if change is None:
        return {"before": "", "change": ""}
    before = display(change, "before")
    if not before:
        return {"before": display(change, "date_before"), "change": display(change, "trend")}
    measure = " (short axis)" if display(change, "measure") == "short axis" else ""
    return {
        "before": f"{before}{measure}, {display(change, 'date_before')}",
        "change": f"{display(change, 'change')}, {display(change, 'trend')}",
    }


def _change_row(change: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": display(change, "lesion") or "lesions",
        "note": "",
        "series": display(change, "series"),
        "date": display(change, "date_now"),
        "size": "",
        "volume": "",
        "intensity": "",
        **_change_cells(change),
        "ids": [change["id"]],
    }


def imaging_tables(evidence: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Lesion measurements (``lesion_rows``, with the columns any lesion fills), sums of diameters, appearance words."""
    lesions = lesion_rows(evidence)
    looks = [
        {
            "attribute": _words(display(e, "attribute")),
            "finding": display(e, "finding"),
            "measure": display(e, "probability"),
            "ids": [e["id"]],
        }
        for e in of_type(evidence, "appearance")
    ]
    columns = [c for c in LESION_COLUMNS if any(r[c[0]] for r in lesions)]
    sums = [{"text": e["text"], "ids": [e["id"]]} for e in of_type(evidence, "lesion_sum")]
    return {"lesions": lesions, "columns": columns, "sums": sums, "appearance": looks}


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
        chances = []
        for month in ("12", "24"):
            if chance := display(e, f"survival_{month}m"):
                interval = display(e, f"interval_{month}m")
                chances.append(f"{chance} at {month} months" + (f" ({interval})" if interval else ""))
        if chances:
            alive = {"name": "Predicted survival", "value": "; ".join(chances), "note": "95 % intervals"}
            rows.append({**alive, "ids": [e["id"]]})
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
        status = row["status"] or "offered"
        reasons = [] if status == "offered" else [status.partition(":")[2].strip() or status]
        source = row.get("row_source") or {}
        made = {
            "drug": row["drug"] or "",
            "biomarker": row.get("biomarker") or "",
            "direction": row.get("direction") or "",
            "level": _joined(row.get("level_system") or "", str(row.get("level") or ""), mark=" "),
            "standing": [
                *(row[k] for k in ("line", "approval", "trial", "imported_from") if row.get(k)),
                *row.get("linked", ()),
            ],
            "disease": row.get("disease") or "",
            "cautions": list(row.get("contraindications") or ()),
            "monitoring": list(row.get("monitoring") or ()),
            "reasons": reasons,
            "links": [*source_links({"source": source}), *_trial_links(row.get("trial"))],
            "reviewed": source.get("reviewed") or "",
            "ids": [i for i in row["evidence_ids"] if i in evidence],
        }
        (excluded if reasons else offered).append(made)
    return {"offered": offered, "excluded": excluded}


def _trial_links(trial: str | None) -> list[tuple[str, str]]:
    found = _NCT.search(trial or "")
    return [(found[0], f"https://clinicaltrials.gov/study/{found[0]}")] if found else []


def missing_rows(missing: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """{modality, reason, would_change, test, ids} of each absent modality."""
    names = ("modality", "reason", "would_change", "test")
    return [{**{n: m.get(n) or "" for n in names}, "ids": _one(m)} for m in missing]


def contradiction_rows(contradictions: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """{statement, ids} of each contradiction."""
    return [{"statement": c["statement"], "ids": _one(c)} for c in contradictions]


def reliance_view(reliance: Mapping[str, Any]) -> dict[str, Any]:
    """Whether the statements followed the image: a sentence, and one row a statement and image-only prediction."""
    if not reliance:
        return {}
    rows = []
    for s in reliance["statements"]:
        others = ", ".join(_or_silent(word) for word in s["exchanged"])
        rows.append((s["finding"].replace("_", " "), s["own"], _or_silent(s["blank"]), others))
    for p in reliance["predictions"]:
        name = f"{p['label']}, {p['task'].partition(':')[2].replace('_', ' ')}"
        rows.append((f"P({name})", *(_or_silent(p[k]) for k in ("own", "blank", "exchanged"))))
    due, followed = reliance["due"], reliance["followed"]
    sentence = f"{followed} of {due} statements changed with an image that reads otherwise." if due else ""
    return {"rows": rows, "sentence": sentence, "reason": reliance["reason"], "images": reliance["images"]}


def _or_silent(value: object) -> str:
    return "not said" if value is None else str(value)


def header_rows(evidence: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the report's header already says, as a row: so that no sentence has to say it again."""
    items = of_type(evidence, "demographics", "diagnosis", "performance")
    return [{"text": " ".join(e["text"] for e in items), "ids": [e["id"] for e in items]}] if items else []


def series_rows(evidence: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The captions under the key slices, as rows."""
    return [{"text": e["text"], "ids": [e["id"]]} for e in of_type(evidence, "series", "series_verdict")]


def restates(claim: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], evidence: Mapping[str, Any]) -> bool:
    """True when the claim cites table rows only and every number and symbol in it stands in those rows."""
    cited = [r for r in rows if set(r["ids"]) & set(claim["citations"])]
    shown = {i for r in cited for i in r["ids"]}
    if not cited or not set(claim["citations"]) <= shown:
        return False
    text = " ".join([*(str(v) for r in cited for v in r.values()), *(evidence[i]["text"] for i in shown)]).lower()
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


def _one(row: Mapping[str, Any]) -> list[str]:
    return [row["evidence_id"]] if row.get("evidence_id") else []


def _words(text: str) -> str:
    return text.replace("_", " ")


def _labelled(label: str, value: str) -> str:
    """Value with its label, unless the value already says it ("level 1", "74th percentile")."""
    return f"{label} {value}" if value and label.lower() not in value.lower() else value


def _joined(*parts: str, mark: str = ", ") -> str:
    return mark.join(p for p in parts if p)
