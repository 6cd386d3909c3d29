"""A recorded treatment as the drugs in it: "Carboplatin/Paclitaxel", "mFOLFOX6", "platinum doublet".

What this module does not know: doses, schedules, whether every drug of a regimen was given; a regimen that is not in
the table and no drug keeps its own words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from retrieval.lexicon import canonical_drug

PLATINUM = "platinum"
PLATINUM_DRUGS = frozenset(("cisplatin", "carboplatin", "oxaliplatin"))
CHEMOTHERAPY = "chemotherapy"
ENDOCRINE_TREATMENT = "endocrine treatment"
ENDOCRINE_OF_BREAST = frozenset(("aromatase inhibitor", "SERM", "SERD", "oral SERD", "ER degrader"))
"""Classes that an unnamed endocrine treatment stands for where a row asks for one of them."""

_FLUOROURACIL = ("fluorouracil", "leucovorin")
REGIMENS: Mapping[str, tuple[str, ...]] = {
    "folfox": ("oxaliplatin", *_FLUOROURACIL),
    "folfiri": ("irinotecan", *_FLUOROURACIL),
    "folfirinox": ("irinotecan", "oxaliplatin", *_FLUOROURACIL),
    "folfoxiri": ("irinotecan", "oxaliplatin", *_FLUOROURACIL),
    "capox": ("capecitabine", "oxaliplatin"),
    "xelox": ("capecitabine", "oxaliplatin"),
    "flot": ("docetaxel", "oxaliplatin", *_FLUOROURACIL),
    "pcv": ("procarbazine", "lomustine", "vincristine"),
    "tpf": ("docetaxel", "cisplatin", "fluorouracil"),
    "tchp": ("docetaxel", "carboplatin", "trastuzumab", "pertuzumab"),
}
"""Regimen, lower case without its number ("mFOLFOX6" is "folfox") -> its drugs."""

_BETWEEN = re.compile(r"\s*(?:[/+,;&]|\band\b|\bplus\b|\bwith\b)\s*", re.IGNORECASE)
_REGIMEN = re.compile(r"m?([a-z]+?)[- ]?\d*")


def drugs_of(written: str) -> tuple[str, ...]:
    """The generic names in a recorded treatment, each once, in order.

    "platinum", "chemotherapy" and "endocrine treatment" stand for a drug of that kind that the record does not name;
    words that are none of all this come back as they are, in lower case.
    """
    whole = _part(written)
    parts = whole if whole is not None else tuple(d for p in _BETWEEN.split(written) if p for d in _known_or_own(p))
    return tuple(dict.fromkeys(parts))


def _known_or_own(part: str) -> tuple[str, ...]:
    return _part(part) or (part.strip().lower(),)


def _part(written: str) -> tuple[str, ...] | None:
    drug = canonical_drug(written)
    if drug is not None:
        return (drug,)
    low = written.strip().lower()
    regimen = _REGIMEN.fullmatch(low)
    if regimen and regimen[1] in REGIMENS:
        return REGIMENS[regimen[1]]
    if re.fullmatch(r"platinum\b.*", low):
        return (PLATINUM,)
    if re.fullmatch(r"(?:\w+ )?(?:endocrine|hormonal|hormone) (?:therapy|treatment)", low):
        return (ENDOCRINE_TREATMENT,)
    return (CHEMOTHERAPY,) if re.fullmatch(r"(?:\w+ )?chemotherapy", low) else None
