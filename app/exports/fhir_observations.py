"""Evidence of a report as FHIR Observations: alterations, biomarkers, lesions, ECOG, and therapies as implications.

Status is "preliminary" throughout: no person has verified what the program read.
Not known here: the bundle around them (fhir_bundle.py). Not checked: that a recorded value is right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from app.exports.fhir_codes import (
    CATEGORY,
    GENOMICS,
    HGVS,
    LOINC,
    MCODE,
    RELATED_ARTIFACT,
    SEQUENCE_ONTOLOGY,
    SERVICE,
    TBD,
    UCUM,
    Json,
    coding,
    component,
    concept,
    iso_date,
    loinc,
    make_id,
    quantity,
    reference,
)

_PROTEIN, _PMID = re.compile(r"p\.\S+"), re.compile(r"\d{1,8}")
_GAIN = coding(SEQUENCE_ONTOLOGY, "SO:0001742", "copy_number_gain")
_LOSS = coding(SEQUENCE_ONTOLOGY, "SO:0001743", "copy_number_loss")
_COPY_CHANGE: Mapping[str, Json] = {"amplification": _GAIN, "gain": _GAIN, "loss": _LOSS, "deep deletion": _LOSS}
_MARKER: Mapping[str, tuple[str, str]] = {
    "TMB": ("94076-7", "Mutations/Megabase [# Ratio] in Tumor"),
    "MSI": ("81695-9", "Microsatellite instability [Interpretation] in Cancer specimen Qualitative"),
}
_TUMOR_MARKER: Mapping[str, str | None] = {"ER": "85337-4", "PR": "85339-0", "HER2 IHC": "85319-2", "PD-L1": None}
_EFFECT: Mapping[str, Json] = {
    "sensitivity": coding(LOINC, "LA6677-4", "Responsive"),
    "resistance": coding(LOINC, "LA6676-6", "Resistant"),
}


class ObservationWriter:
    """Makes the Observations of one report; ``made`` maps evidence ids to them."""

    def __init__(self, report: Mapping[str, Any], subject: Json) -> None:
        self._report_id, self._subject = str(report["report_id"]), subject
        self.made: dict[str, Json] = {}

    def add_evidence(self, item: Mapping[str, Any]) -> None:
        """One Observation of this evidence, when its type has a form in FHIR."""
        writer = _WRITERS.get(item["type"])
        if writer is None:
            return
        filled = writer(item)
        if filled is not None:
            self.made[item["id"]] = {**self._base(item), **filled}

    def add_therapy(self, row: Mapping[str, Any]) -> Json:
        """A therapy row as a therapeutic-implication Observation with the row's citation."""
        behind = [self.made[i] for i in row["evidence_ids"] if i in self.made]
        source = row.get("row_source") or {}
        made: Json = {
            "resourceType": "Observation",
            "id": make_id(self._report_id, "therapy", *row["evidence_ids"][:1]),
            "extension": [_citation(source)],
            "status": "preliminary",
            "category": [_laboratory(), concept("Genetics", coding(SERVICE, "GE", "Genetics"))],
            "code": concept("Therapeutic implication", coding(TBD, "therapeutic-implication")),
            "subject": self._subject,
            "component": list(_therapy_components(row)),
            "note": [{"text": t} for t in _therapy_notes(row)],
        }
        if behind:  # the profile wants at least one finding behind an implication
            made["meta"] = {"profile": [GENOMICS + "therapeutic-implication"]}
            made["derivedFrom"] = [reference(o) for o in behind]
        return made

    def _base(self, item: Mapping[str, Any]) -> Json:
        when = iso_date(item["source"].get("date"))
        return {
            "resourceType": "Observation",
            "id": make_id(self._report_id, "evidence", item["id"]),
            "identifier": [{"system": "urn:radomica:evidence", "value": item["id"]}],
            "status": "preliminary",
            "subject": self._subject,
            **({"effectiveDateTime": when} if when else {}),
            "note": [{"text": item["text"]}],
        }


def _laboratory() -> Json:
    return concept("Laboratory", coding(CATEGORY, "laboratory", "Laboratory"))


def _shown(item: Mapping[str, Any], name: str) -> str:
    found = item["fields"].get(name)
    return str(found["display"]) if found else ""


def _number(item: Mapping[str, Any], name: str) -> float | None:
    found = item["fields"].get(name)
    value = found["value"] if found else None
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _gene(symbol: str) -> Json:
    """The symbol as text: the project's gene table holds no HGNC ids."""
    return component(loinc("48018-6", "Gene studied [ID]"), valueCodeableConcept=concept(symbol))


def _variant_base(parts: list[Json]) -> Json:
    return {
        "meta": {"profile": [GENOMICS + "variant"]},
        "category": [_laboratory(), concept("Genetics", coding(SERVICE, "GE", "Genetics"))],
        "code": loinc("69548-6", "Genetic variant assessment"),
        "valueCodeableConcept": loinc("LA9633-4", "Present"),
        "component": parts,
    }


def _variant(item: Mapping[str, Any]) -> Json:
    change, parts = _shown(item, "variant"), [_gene(_shown(item, "gene"))]
    if _PROTEIN.fullmatch(change):
        code = loinc("48005-3", "Amino acid change (pHGVS)")
        parts.append(component(code, valueCodeableConcept=concept(change, coding(HGVS, change))))
    elif change:
        parts.append(component(concept("Variant as reported"), valueString=change))
    if consequence := _shown(item, "consequence"):
        parts.append(component(concept("Consequence as reported"), valueString=consequence))
    if (fraction := _number(item, "allele_fraction")) is not None:
        share = {"value": fraction, "system": UCUM, "code": "1"}
        parts.append(component(loinc("81258-6", "Sample variant allelic frequency [NFr]"), valueQuantity=share))
    if (depth := _number(item, "depth")) is not None:  # total depth, not 82121-5 (reads of the allele)
        parts.append(component(concept("Read depth at the position"), valueQuantity=quantity(depth, "reads")))
    return _variant_base(parts)


def _copy_number(item: Mapping[str, Any]) -> Json | None:
    call, parts = _shown(item, "call"), [_gene(_shown(item, "gene"))]
    if call == "neutral":
        return None  # nothing is present
    change = concept(call, *([_COPY_CHANGE[call]] if call in _COPY_CHANGE else []))
    parts.append(component(loinc("48019-4", "DNA change type"), valueCodeableConcept=change))
    if (ratio := _number(item, "log2_ratio")) is not None:
        parts.append(component(concept("log2 copy ratio"), valueQuantity={"value": ratio}))
    return _variant_base(parts)


def _fusion(item: Mapping[str, Any]) -> Json:
    genes = [_shown(item, n) for n in ("partner5", "partner3") if _shown(item, n)]
    parts = [_gene(g) for g in genes]
    parts.append(component(concept("Gene fusion, 5' partner first"), valueString=_shown(item, "name")))
    return _variant_base(parts)


def _biomarker(item: Mapping[str, Any]) -> Json:
    name = _shown(item, "name")
    if name in _MARKER:
        code = loinc(*_MARKER[name], text=name)
        profile, extra = GENOMICS + "molecular-biomarker", [concept("Biomarker", coding(TBD, "biomarker-category"))]
    else:
        known = [coding(LOINC, _TUMOR_MARKER[name])] if _TUMOR_MARKER.get(name) else []
        code, extra = concept(name, *known), []
        profile = MCODE + "mcode-tumor-marker-test" if name in _TUMOR_MARKER else None
    return {
        **({"meta": {"profile": [profile]}} if profile else {}),
        "category": [_laboratory(), *extra],
        "code": code,
        **_value(item, "value"),
    }


def _value(item: Mapping[str, Any], name: str) -> Json:
    number, unit = _number(item, name), item["fields"][name].get("unit")
    if number is not None and unit:
        return {"valueQuantity": quantity(number, unit)}
    return {"valueCodeableConcept": concept(_shown(item, name))}


def _lesion(item: Mapping[str, Any]) -> Json:
    """Size and intensities. Proposed outlines say so; the figures are those of report.json."""
    proposed = item["type"] == "proposed_lesion"
    parts = []
    for name, code in (
        (
            "longest_diameter",
            loinc("33728-7", "Size.maximum dimension in Tumor", "Longest diameter in the slice plane"),
        ),
        ("short_axis", loinc("33729-5", "Size additional dimension in Tumor", "Short axis in the slice plane")),
        ("volume", concept("Volume")),
        ("mean_intensity", concept("Mean intensity")),
        ("max_intensity", concept("Maximum intensity")),
    ):
        if (number := _number(item, name)) is not None:
            unit = item["fields"][name].get("unit") or "1"
            parts.append(component(code, valueQuantity=quantity(number, unit)))
    method = "measured in an outline that software proposed, not confirmed by a person" if proposed else (
        "measured in the outline in the patient's files"
    )  # fmt: skip
    return {
        "category": [concept("Imaging", coding(CATEGORY, "imaging", "Imaging"))],
        "code": loinc("21889-1", "Size Tumor", f"Size of {item['source'].get('row_id') or 'the lesion'}"),
        "method": concept(f"{_shown(item, 'series')}: {method}"),
        "component": parts,
    }


def _performance(item: Mapping[str, Any]) -> Json | None:
    score = _number(item, "ecog")
    if score is None:
        return None
    return {
        "meta": {"profile": [MCODE + "mcode-ecog-performance-status"]},
        "category": [concept("Survey", coding(CATEGORY, "survey", "Survey"))],
        "code": loinc("89247-1", "ECOG Performance Status score"),
        "valueInteger": int(score),
    }


_WRITERS = {
    "variant": _variant,
    "copy_number": _copy_number,
    "fusion": _fusion,
    "biomarker": _biomarker,
    "lesion": _lesion,
    "proposed_lesion": _lesion,
    "performance": _performance,
}


def _citation(source: Mapping[str, Any]) -> Json:
    pmid = str(source.get("pmid") or "")
    words = [
        str(source.get("source") or ""),
        f"PMID {pmid}" if pmid else "",
        f"row {source.get('row_id') or 'unknown'}",
    ]
    artifact: Json = {"type": "citation", "citation": ", ".join(w for w in words if w)}
    if _PMID.fullmatch(pmid):
        artifact["url"] = f"https://pubmed.ncbi.nlm.nih.gov/{pmid}/"
    return {"url": RELATED_ARTIFACT, "valueRelatedArtifact": artifact}


def _therapy_components(row: Mapping[str, Any]) -> Iterator[Json]:
    direction = str(row.get("direction") or "")
    effect = concept(direction or "not stated", *([_EFFECT[direction]] if direction in _EFFECT else []))
    yield component(concept("Therapeutic implication", coding(TBD, "therapeutic-implication")),
                    valueCodeableConcept=effect)  # fmt: skip
    yield component(
        loinc("51963-7", "Medication assessed [ID]"), valueCodeableConcept=concept(str(row["drug"] or "not named"))
    )
    if row.get("disease"):
        yield component(loinc("81259-4", "Associated phenotype"), valueCodeableConcept=concept(str(row["disease"])))
    if row.get("level"):
        level = f"{row.get('level_system') or ''} {row['level']}".strip()
        yield component(loinc("93044-6", "Level of evidence"), valueCodeableConcept=concept(level))
    yield component(concept("Status for this patient"), valueString=str(row.get("status") or "offered"))
    for name, title in (
        ("biomarker", "Biomarker rule"),
        ("line", "Line"),
        ("approval", "Approval"),
        ("trial", "Trial"),
    ):
        if row.get(name):
            yield component(concept(title), valueString=str(row[name]))


def _therapy_notes(row: Mapping[str, Any]) -> Iterator[str]:
    yield f"Evidence {', '.join(row['evidence_ids'])}. Research use only: an option to weigh, not a recommendation."
    for name, title in (("contraindications", "Weigh"), ("monitoring", "Monitor")):
        if row.get(name):
            yield f"{title}: {'; '.join(row[name])}."
