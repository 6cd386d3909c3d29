"""One evidence -> the words a sentence about it may be filled with, each with false words of the same form.

The forms are other than the ledger's own: a brand for a generic, "p.Leu858Arg" for "p.L858R", 3.7 cm for 37 mm,
11 % for 0.11, 22 April 2024 for 2024-04-22. A false word differs by one digit, unit, name or direction.

Not known here: sentences (eval/grounding_wordings.py), what the checker does with them.
"""

# ruff: noqa: E501  the tables below are easier to read unwrapped
from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from assistant.evidence import Evidence, Ledger

BRANDS: Mapping[str, str] = {
    "pembrolizumab": "Keytruda", "nivolumab": "Opdivo", "osimertinib": "Tagrisso", "sunitinib": "Sutent", "erlotinib": "Tarceva",
    "temozolomide": "Temodal", "trastuzumab": "Herceptin", "olaparib": "Lynparza", "bevacizumab": "Avastin", "axitinib": "Inlyta",
    "pazopanib": "Votrient", "cabozantinib": "Cabometyx", "everolimus": "Afinitor", "durvalumab": "Imfinzi", "sotorasib": "Lumakras",
    "atezolizumab": "Tecentriq", "ipilimumab": "Yervoy", "palbociclib": "Ibrance", "fulvestrant": "Faslodex", "alectinib": "Alecensa",
    "crizotinib": "Xalkori", "capivasertib": "Truqap", "alpelisib": "Piqray", "pertuzumab": "Perjeta", "lapatinib": "Tykerb",
    "gefitinib": "Iressa", "afatinib": "Gilotrif", "dabrafenib": "Tafinlar", "trametinib": "Mekinist", "cetuximab": "Erbitux",
    "panitumumab": "Vectibix", "encorafenib": "Braftovi", "lenvatinib": "Lenvima", "vorasidenib": "Voranigo", "belzutifan": "Welireg",
}  # fmt: skip
"""Generic -> brand, a list of its own: the checker's is retrieval/knowledge/drugs.tsv."""

_OTHER_DRUGS = (
    "imatinib",
    "vemurafenib",
    "Zelboraf",
    "rituximab",
    "venetoclax",
    "Gleevec",
    "capmatinib",
    "ruxolitinib",
)
_OTHER_GENES = ("NRAS", "PDGFRA", "FGFR3", "JAK2", "VHL", "APC", "NTRK1", "RB1", "MAP2K1", "IDH2")
_OTHER_STAGES = ("stage IA", "stage IIB", "stage IIIC", "stage IV", "stage IB", "stage IIIA", "stage II")
_OTHER_TRIALS = ("KEYNOTE-987", "CheckMate 555", "IMpower999", "CROWN-7", "SOLAR-1X", "STELLAR-9")
_THREE = {
    "A": "Ala", "R": "Arg", "N": "Asn", "D": "Asp", "C": "Cys", "Q": "Gln", "E": "Glu", "G": "Gly", "H": "His", "I": "Ile", "L": "Leu",
    "K": "Lys", "M": "Met", "F": "Phe", "P": "Pro", "S": "Ser", "T": "Thr", "W": "Trp", "Y": "Tyr", "V": "Val", "*": "Ter",
}  # fmt: skip
_OPPOSITES = (
    ("high", "low"), ("intermediate", "low"), ("present", "absent"), ("smooth", "spiculated"), ("circumscribed", "infiltrative"),
    ("homogeneous", "heterogeneous"), ("mild", "avid"), ("mutated", "wild type"), ("amplified", "not amplified"),
    ("amplification", "deletion"), ("gain", "loss"), ("deep deletion", "amplification"), ("female", "male"), ("passed", "failed"),
    ("partial response", "complete response"), ("progressive disease", "stable disease"), ("stable disease", "progressive disease"),
    ("complete response", "progressive disease"), ("MSS", "MSI-H"), ("MSI-H", "MSS"), ("MSI-high", "MSS"), ("raises", "lowers"),
    ("died", "was alive at last follow-up"), ("was alive at last follow-up", "died"), ("up", "down"), ("active", "inactive"),
    ("positive", "negative"), ("increased", "decreased"), ("methylated", "unmethylated"),
    ("agrees with sequencing", "disagrees with sequencing"), ("agrees with the record", "disagrees with the record"),
)  # fmt: skip
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_UNITS = {"mm": "cm", "cm": "mm", "mL": "L", "HU": "SUV", "SUVbw": "HU", "months": "weeks", "mg/dL": "g/dL", "g/dL": "mg/L",
          "U/L": "mg/dL", "mutations/Mb": "%", "%": "mutations/Mb"}  # fmt: skip


@dataclass(frozen=True)
class Slot:
    """text : the true words; wrong : (kind of corruption, false words) pairs, all false of this evidence."""

    text: str
    wrong: tuple[tuple[str, str], ...] = ()


def slots(item: Evidence, ledger: Ledger, rng: random.Random) -> dict[str, Slot]:
    """Slot name -> words, for every form this evidence has a value for."""
    shown = {name: f.display for name, f in item.fields.items()}
    found = {name: _plain(text) for name, text in shown.items() if name not in ("drug", "gene", "variant", "stage")}
    held = " ".join([item.text, *shown.values()])
    for maker in (_names, _stage_and_dates, _numbers, _lists):
        found |= maker(item, shown, ledger, rng)
    return {
        name: Slot(s.text, tuple(w for w in s.wrong if w[1] != s.text and w[1].lower() not in held.lower()))
        for name, s in found.items()
    }


def _plain(text: str) -> Slot:
    """A display as it stands: a direction where it is one, else its numbers and units are what can be wrong."""
    opposite = next((b for pair in _OPPOSITES for a, b in (pair, pair[::-1]) if a.lower() == text.lower()), None)
    if opposite:
        return Slot(text, (("direction", opposite),))
    return Slot(text, (*_digits(text), *_unit(text)))


def _digits(text: str) -> tuple[tuple[str, str], ...]:
    numbers = list(re.finditer(r"(?<![\w.-])\d+(?:\.\d+)?(?![\w-]|\.\d)", text))
    wrong: list[tuple[str, str]] = []
    for match in numbers[:3]:
        places = len(match[0].partition(".")[2])
        value = float(match[0])
        for changed in (value + 7, value * 10, value + 3 * 10**-places, value - 2 * 10**-places):
            if changed > 0:
                wrong.append(("number", f"{text[: match.start()]}{changed:.{places}f}{text[match.end() :]}"))
    return tuple(wrong)


def _unit(text: str) -> tuple[tuple[str, str], ...]:
    for unit, other in _UNITS.items():
        if re.search(rf"\d ?{re.escape(unit)}$", text):
            return (("unit", re.sub(rf"{re.escape(unit)}$", other, text)),)
    return ()


def _pick(kind: str, text: str, others: tuple[str, ...], rng: random.Random) -> Slot:
    left = [o for o in others if o.lower() != text.lower()]
    return Slot(text, tuple((kind, o) for o in rng.sample(left, min(3, len(left)))))


def _names(item: Evidence, shown: Mapping[str, str], ledger: Ledger, rng: random.Random) -> dict[str, Slot]:
    out: dict[str, Slot] = {}
    everything = " ".join(e.text for e in ledger).lower()
    if "drug" in shown:
        drugs = tuple(d for d in _OTHER_DRUGS if d.lower() not in everything)
        out["drug"] = _pick("drug", shown["drug"], drugs, rng)
        parts = [BRANDS.get(d.strip(), d.strip()) for d in shown["drug"].split("+")]
        out["brand"] = _pick("drug", " + ".join(parts), drugs, rng)
    if "gene" in shown:
        out["gene"] = _pick("gene", shown["gene"], tuple(g for g in _OTHER_GENES if g.lower() not in everything), rng)
    if "variant" in shown:
        out |= _variant(shown["variant"], rng)
    if "name" in shown and item.type == "fusion":
        first, _, second = shown["name"].partition("-")
        out["name"] = Slot(
            shown["name"], (("gene", f"{first}-{rng.choice(_OTHER_GENES)}"), ("gene", f"{second}-{first}"))
        )
    if item.type == "therapy":
        out |= {"trial": _pick("trial", shown["trial"], _OTHER_TRIALS, rng)} if "trial" in shown else {}
        if shown.get("status", "").startswith("excluded: "):
            out["reason"] = Slot(shown["status"].partition(": ")[2])
    if item.source.pmid:
        out["pmid"] = Slot(item.source.pmid, (("trial", str(int(item.source.pmid) + rng.randint(3, 900))),))
    if "sex" in shown:
        female = shown["sex"] == "female"
        out["woman"] = Slot(*(("woman", (("direction", "man"),)) if female else ("man", (("direction", "woman"),))))
    return out


def _variant(shown: str, rng: random.Random) -> dict[str, Slot]:
    match = re.fullmatch(r"p\.([A-Z])(\d+)([A-Z*])", shown)
    if match is None:
        return {}
    first, place, last = match.groups()
    end = rng.choice([a for a in "CDHKRSWY" if a not in (first, last)])
    wrongs = (
        (first, place, end),
        (first, str(int(place) + rng.randint(1, 9)), last),
        (last if last != "*" else "Q", place, "P"),
    )
    return {
        "v1": Slot(f"{first}{place}{last}", tuple(("variant", "".join(w)) for w in wrongs)),
        "v3": Slot(
            f"p.{_THREE[first]}{place}{_THREE[last]}",
            tuple(("variant", f"p.{_THREE[a]}{p}{_THREE[z]}") for a, p, z in wrongs),
        ),
    }


def _stage_and_dates(item: Evidence, shown: Mapping[str, str], ledger: Ledger, rng: random.Random) -> dict[str, Slot]:
    out: dict[str, Slot] = {}
    if (stage := shown.get("stage")) and (match := re.fullmatch(r"stage (I{1,3}V?|IV)([A-C]?\d?)", stage)):
        others = tuple(s for s in _OTHER_STAGES if not stage.startswith(s))
        out["stage"] = _pick("stage", stage, others, rng)
        number = str(("I", "II", "III", "IV").index(match[1]) + 1)
        out["stage_arabic"] = Slot(
            f"Stage {number}{match[2]}", tuple(("stage", f"Stage {n}{match[2]}") for n in "1234" if n != number)
        )
    if grade := shown.get("grade"):
        number = re.sub(r"\D", "", grade)
        out["grade_plain"] = Slot(f"grade {number}", tuple(("number", f"grade {n}") for n in "1234" if n != number))
    for name, prefix in (("date", "date"), ("start", "start")):
        if re.fullmatch(r"\d{4}-\d\d-\d\d", shown.get(name, "")):
            day = date.fromisoformat(shown[name])
            wrong = [day + timedelta(days=d) for d in (rng.randint(2, 9), 31, -31, 365, -730)]
            for form, put in _DATE_FORMS.items():
                others = tuple(("date", put(w)) for w in wrong if put(w) != put(day))
                out[f"{prefix}_{form}"] = Slot(put(day), others)
    return out


_DATE_FORMS: Mapping[str, Callable[[date], str]] = {
    "dmy": lambda d: f"{d.day} {_MONTHS[d.month - 1]} {d.year}",
    "mdy": lambda d: f"{_MONTHS[d.month - 1]} {d.day}, {d.year}",
    "my": lambda d: f"{_MONTHS[d.month - 1]} {d.year}",
}

_SHORT: Mapping[str, tuple[str, str]] = {
    "longest_diameter": ("ld", ""), "short_axis": ("sa", ""), "max_intensity": ("max", ""), "mean_intensity": ("mean", ""),
    "allele_fraction": ("af", ""), "depth": ("depth", " reads"), "log2_ratio": ("log2", ""), "survival_12m": ("s12", ""),
    "survival_24m": ("s24", ""), "interval_12m": ("i12", ""), "interval_24m": ("i24", ""), "median_survival": ("median", ""),
    "alive_12m": ("alive12", ""), "alive_24m": ("alive24", ""), "alive_36m": ("alive36", ""), "ecog": ("ps", "ECOG "),
    "events": ("events_n", " events"), "slice": ("slice", "slice "), "age": ("age", " years"),
}  # fmt: skip
"""Field -> (slot name, part of the display that the sentence says itself)."""


def _numbers(item: Evidence, shown: Mapping[str, str], ledger: Ledger, rng: random.Random) -> dict[str, Slot]:
    out: dict[str, Slot] = {}
    for name, (slot, said) in _SHORT.items():
        if name in shown:
            out[slot] = _plain(shown[name].replace(said, ""))
    for name, slot in (("longest_diameter", "ld_cm"), ("short_axis", "sa_cm")):
        if match := re.fullmatch(r"(\d+) mm", shown.get(name, "")):
            out[slot] = _plain(f"{int(match[1]) / 10:.1f} cm")
    if re.fullmatch(r"0\.\d\d", shown.get("allele_fraction", "")):
        out["af_pct"] = _plain(f"{round(float(shown['allele_fraction']) * 100)}%")
    if re.fullmatch(r"[01]\.\d\d", shown.get("probability", "")):
        out["prob_pct"] = _plain(f"{round(float(shown['probability']) * 100)}%")
    if match := re.fullmatch(r"(\d+\.\d) mL", shown.get("volume", "")):
        value = float(match[1])
        wrong = tuple(("number", str(round(value * f))) for f in (0.6, 1.5, 2))
        out |= {"volume_round": Slot(str(round(value)), wrong)} if value >= 5 else {}
    if match := re.match(r"\d+", shown.get("count", "")):
        out["count_n"] = _plain(match[0])
    return out


def _lists(item: Evidence, shown: Mapping[str, str], ledger: Ledger, rng: random.Random) -> dict[str, Slot]:
    out: dict[str, Slot] = {}
    if "genes_raising" in shown:
        up, down = shown["genes_raising"].split(", "), shown.get("genes_lowering", "").split(", ")
        out |= {f"up{i}": Slot(g, tuple(("direction", d) for d in down if d)) for i, g in enumerate(up, 1)}
        out |= {f"down{i}": Slot(g, tuple(("direction", u) for u in up)) for i, g in enumerate(down, 1) if g}
    if item.type == "contribution":
        shares = dict(re.findall(r"(\w+) (\d+ %)", shown["shares"]))
        others = tuple(("direction", m) for m in shares if m != shown["top_modality"])
        out["top"] = Slot(shown["top_modality"], others)
        if shown["top_modality"] in shares:
            out["top_share"] = _plain(shares[shown["top_modality"]])
    if "line" in shown:
        out["line_hyphen"] = Slot(shown["line"].replace(" ", "-"), (("number", "fifth-line"),))
        out["line"] = Slot(shown["line"], (("number", "fourth line"),))
    if "deletion_test" in shown:
        out["deletion"] = _plain(shown["deletion_test"].split(" ")[0])
    if "case" in shown:
        out["case"] = Slot(shown["case"].rpartition(" ")[2])
    if "outcome" in shown:
        out["outcome_verb"] = _plain("died" if shown["outcome"] == "died" else f"was {shown['outcome']}")
    return out
