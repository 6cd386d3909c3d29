"""Short patients written by hand with the options a tumour board would expect, and those that must not appear.

File: eval/therapy_vignettes.jsonl, one patient a line. ``offered`` and ``not_offered`` name treatments: "a + b" is
exactly these drugs; one drug alone in ``not_offered`` bars every offered row that holds it. ``against`` are drugs a
resistance row must speak against. ``because`` maps a treatment to words its reason for exclusion must hold.

Example: {"id": "luad-l858r", "code": "LUAD", "variants": ["EGFR p.L858R"], "offered": ["osimertinib"],
"not_offered": ["pembrolizumab"]}

Whatever a line leaves out is: stage IV, sequenced and nothing found, copy number and fusions tested and nothing
found, no biomarker, no treatment, no medicine, no ECOG. What this module does not know: whether the expectation is
right; that is the author's reading of labels and guidelines on the rows' review date.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from encoders.errors import ContractError
from encoders.patient import (
    Biomarker,
    CopyNumber,
    Diagnosis,
    Fusion,
    Lab,
    Medication,
    Patient,
    SourceLocator,
    Treatment,
    Variant,
)
from retrieval.passage import Direction, TherapyMatch, TherapyRow
from retrieval.therapy_rows import match_rows

FIELDS = frozenset(
    (
        *(
            "id",
            "code",
            "stage",
            "ecog",
            "age",
            "sex",
            "variants",
            "copy_number",
            "fusions",
            "markers",
            "given",
            "takes",
        ),
        *("labs", "untested", "offered", "not_offered", "against", "because", "off_label"),
    )
)
MODALITIES = ("variants", "copy_number", "fusions")


@dataclass(frozen=True)
class Vignette:
    """A patient with what must and must not be offered."""

    vignette_id: str
    patient: Patient
    offered: tuple[str, ...]
    not_offered: tuple[str, ...]
    against: tuple[str, ...] = ()
    because: tuple[tuple[str, str], ...] = ()
    off_label: tuple[str, ...] = ()


@lru_cache(maxsize=1)
def load_vignettes() -> tuple[Vignette, ...]:
    """Every vignette, in file order. Raises ContractError on an unknown field, a doubled id or no expectation."""
    text = files("eval").joinpath("therapy_vignettes.jsonl").read_text(encoding="utf-8")
    found = tuple(vignette_from(json.loads(line)) for line in text.splitlines() if line.strip())
    ids = [v.vignette_id for v in found]
    doubled = sorted({i for i in ids if ids.count(i) > 1})
    if doubled:
        raise ContractError(f"eval/therapy_vignettes.jsonl: ids {doubled} are used twice. Rename one.")
    return found


def vignette_from(raw: Mapping[str, Any]) -> Vignette:
    """A vignette from its JSON object."""
    unknown = sorted(set(raw) - FIELDS)
    if unknown or not any(raw.get(name) for name in ("offered", "not_offered", "against", "because", "off_label")):
        raise ContractError(
            f"vignette {raw.get('id')!r}: unknown fields {unknown}, or nothing expected; fields are {sorted(FIELDS)}."
        )
    return Vignette(
        raw["id"], _patient(raw), tuple(raw.get("offered", ())), tuple(raw.get("not_offered", ())),
        tuple(raw.get("against", ())), tuple(raw.get("because", {}).items()), tuple(raw.get("off_label", ())),
    )  # fmt: skip


def faults(vignette: Vignette, rows: Sequence[TherapyRow]) -> tuple[str, ...]:
    """What the matching gets wrong, one sentence a fault; () when every expectation holds."""
    matches = match_rows(vignette.patient, rows)
    return tuple(_faults(vignette, matches))


def _faults(vignette: Vignette, matches: Sequence[TherapyMatch]) -> Iterator[str]:
    options = [m for m in matches if not m.excluded and m.row.direction is Direction.SENSITIVITY]
    offered = {frozenset(m.row.drugs) for m in options}
    off_label = {frozenset(m.row.drugs) for m in options if m.disease_match == "other_disease"}
    for wanted in vignette.offered:
        if _drugs(wanted) not in offered:
            why = [r for m in matches if frozenset(m.row.drugs) == _drugs(wanted) for r in m.excluded]
            yield f"{wanted} is not offered ({'; '.join(why) or 'no row matches'})"
    for wanted in vignette.off_label:
        if _drugs(wanted) not in off_label:
            yield f"{wanted} is not offered as off-label"
    for barred in vignette.not_offered:
        held = [m for m in options if _holds(m, _drugs(barred))]
        if held:
            yield f"{barred} is offered by {held[0].row.row_id}"
    against = {
        drug for m in matches if m.row.direction is Direction.RESISTANCE and not m.excluded for drug in m.row.drugs
    }
    for drug in vignette.against:
        if drug not in against:
            yield f"no resistance row speaks against {drug}"
    for wanted, words in vignette.because:
        reasons = [r for m in matches if frozenset(m.row.drugs) == _drugs(wanted) for r in (*m.excluded, *m.cautions)]
        if not any(words in reason for reason in reasons):
            yield f"no reason of {wanted} says {words!r}: {'; '.join(reasons) or 'none'}"


def _drugs(written: str) -> frozenset[str]:
    return frozenset(part.strip() for part in written.split("+"))


def _holds(match: TherapyMatch, drugs: frozenset[str]) -> bool:
    held = frozenset(match.row.drugs)
    return drugs <= held if len(drugs) == 1 else drugs == held


# ---- the patient of a line ----------------------------------------------------------------------------------------

_HERE = SourceLocator("eval/therapy_vignettes.jsonl")
_CONSEQUENCES = {"fs": "frameshift_variant", "*": "stop_gained", "del": "inframe_deletion", "ins": "inframe_insertion",
                 "dup": "inframe_insertion"}  # fmt: skip


def _patient(raw: Mapping[str, Any]) -> Patient:
    untested = set(raw.get("untested", ()))
    if untested - set(MODALITIES):
        raise ContractError(
            f"vignette {raw['id']!r}: untested is {sorted(untested)}; allowed: {', '.join(MODALITIES)}."
        )
    return Patient(
        raw["id"],
        oncotree_code=raw.get("code"),
        sex=raw.get("sex"),
        age_years=raw.get("age"),
        ecog=raw.get("ecog"),
        diagnosis=Diagnosis(stage=raw.get("stage", "IV")),
        variants=None if "variants" in untested else tuple(_variant(v) for v in raw.get("variants", ())),
        copy_number=None if "copy_number" in untested else tuple(_copy_number(c) for c in raw.get("copy_number", ())),
        fusions=None if "fusions" in untested else tuple(Fusion(*f.split("-"), _HERE) for f in raw.get("fusions", ())),
        biomarkers=tuple(_marker(m) for m in raw.get("markers", ())),
        treatments=tuple(_treatment(t) for t in raw.get("given", ())),
        medications=tuple(Medication(m, _HERE) for m in raw.get("takes", ())),
        labs=tuple(_lab(entry) for entry in raw.get("labs", ())),
    )


def _variant(written: str) -> Variant:
    """ "EGFR p.L858R", "BRCA1 p.C61G germline", "MET c.3028+1G>T splice_site", "KIT p.A502_Y503dup exon 9"."""
    words = written.split()
    gene, change, rest = words[0], words[1], words[2:]
    exon = rest[rest.index("exon") + 1] if "exon" in rest else None
    named = [w for w in rest if w not in ("germline", "exon", exon)]
    guessed = next((c for ending, c in _CONSEQUENCES.items() if ending in change), "missense_variant")
    return Variant(
        gene=gene,
        protein=change if change.startswith("p.") else None,
        coding=change if change.startswith("c.") else None,
        consequence=named[0] if named else guessed,
        source=_HERE,
        exon=exon,
        germline="germline" in rest,
    )


def _copy_number(written: str) -> CopyNumber:
    gene, call = written.split(maxsplit=1)
    return CopyNumber(gene, call, _HERE)


def _marker(written: str) -> Biomarker:
    """ "PD-L1: 60 %", "ER: positive", "HER2 IHC: 3+"."""
    name, value = (part.strip() for part in written.split(": ", maxsplit=1))
    figure = value.split()[0]
    if figure.replace(".", "", 1).isdigit():
        return Biomarker(name, float(figure), _HERE, unit=value.removeprefix(figure).strip() or None)
    return Biomarker(name, value, _HERE)


def _treatment(written: str) -> Treatment:
    """ "osimertinib 1 progression": drug, line, response."""
    drug, line, *response = written.rsplit(" ", 2) if written.endswith(("progression", "response")) else (
        *written.rsplit(" ", 1),
    )  # fmt: skip
    return Treatment(drug, _HERE, line=int(line), response=response[0] if response else None)


def _lab(written: str) -> Lab:
    """ "QTc: 520 ms"."""
    name, rest = (part.strip() for part in written.split(":", maxsplit=1))
    figure, _, unit = rest.partition(" ")
    return Lab(name, float(figure), unit, _HERE)
