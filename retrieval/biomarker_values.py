"""Recorded biomarker values against a rule's threshold: numbers with their signs, and words with their synonyms.

What this module does not know: patients, genes, drugs; assay clones (a PD-L1 of 22C3 and one of SP142 compare
as equals), and which laboratory's cut-off stands behind a word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from encoders.patient import Biomarker

_SCORE = re.compile(r"\b(cps|ic|tps)\b", re.IGNORECASE)

MSI_WORDS: Mapping[str, str] = {
    **dict.fromkeys(
        ("msih", "msihigh", "high", "unstable", "instable", "microsatelliteinstable", "dmmr", "mmrd"), "msih"
    ),
    **dict.fromkeys(("mss", "msil", "stable", "microsatellitestable", "pmmr", "msilow"), "mss"),
}
POSITIVE = frozenset(("positive", "pos", "present", "detected", "yes", "methylated", "codeleted"))
NEGATIVE = frozenset(("negative", "neg", "absent", "notdetected", "no", "unmethylated", "notcodeleted", "intact"))

POSITIVE_FROM: Mapping[str, float] = {"ER": 1.0, "PR": 1.0, "PDL1": 1.0}
"""Per cent of stained cells from which the word "positive" holds. ER and PR: ASCO/CAP 2020 guideline (Allison et
al., J Clin Oncol 2020, DOI 10.1200/JCO.19.02309); PD-L1: the 1 % of the KEYNOTE-042 definition (TPS)."""

_NUMBER = re.compile(r"\s*([<>]=?|≥|≤)?\s*(\d+(?:\.\d+)?)\s*(?:%|\+|mut\w*/mb|mutations/mb)?\s*", re.IGNORECASE)
COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    ">=": lambda a, b: a >= b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    "<": lambda a, b: a < b,
    "=": lambda a, b: a == b,
}


def plain(text: str) -> str:
    """Lower case, letters and digits only: "MSI-High" -> "msihigh"."""
    return re.sub(r"[^a-z0-9]", "", text.lower())


NAMES: Mapping[str, str] = {
    **dict.fromkeys(("HER2", "ERBB2IHC", "HER2IMMUNOHISTOCHEMISTRY"), "HER2IHC"),
    **dict.fromkeys(("MGMTPROMOTERMETHYLATION", "MGMTMETHYLATION", "MGMTPROMOTER", "MGMTSTATUS"), "MGMT"),
    **dict.fromkeys(("ESTROGENRECEPTOR", "OESTROGENRECEPTOR", "ERSTATUS"), "ER"),
    **dict.fromkeys(("PROGESTERONERECEPTOR", "PRSTATUS", "PGR"), "PR"),
    **dict.fromkeys(("MICROSATELLITEINSTABILITY", "MSISTATUS", "MMR", "MISMATCHREPAIR"), "MSI"),
    **dict.fromkeys(("ALPHAFETOPROTEIN", "ALPHA1FETOPROTEIN"), "AFP"),
    **dict.fromkeys(("1P19QCODELETION", "1P19QSTATUS"), "1P19Q"),
    **dict.fromkeys(("TUMORMUTATIONALBURDEN", "TUMOURMUTATIONALBURDEN", "TUMORMUTATIONBURDEN"), "TMB"),
}
"""Written biomarker name (letters and digits, upper case) -> the analyte it stands for."""


def analyte_and_score(name: str) -> tuple[str, str]:
    """("PDL1", "cps") of "PD-L1 CPS"; the score is "" where the name gives none."""
    score = _SCORE.search(name)
    base = plain(_SCORE.sub("", name)).upper()
    return NAMES.get(base, base), (score[1].lower() if score else "")


def same_biomarker(recorded: Biomarker, wanted: str) -> bool:
    """The same analyte, and never a combined positive score where the rule means another one (TPS by default)."""
    base, score = analyte_and_score(recorded.name)
    in_unit = _SCORE.search(recorded.unit or "")
    score = score or (in_unit[1].lower() if in_unit else "")
    wanted_base, wanted_score = analyte_and_score(wanted)
    return base == wanted_base and (score or "tps") == (wanted_score or "tps")


def _numbers_hold(number: tuple[str, float], comparison: str, limit: float) -> bool | None:
    """Compare, minding a recorded sign: "<1" fails ">= 50", and is no answer to ">= 0.5"."""
    sign, figure = number
    if comparison in (">=", ">") and sign in ("<", "<="):
        return None if figure > limit else False
    if comparison in (">=", ">") and sign in (">", ">="):
        return True if figure >= limit else None
    return None if sign else COMPARE[comparison](figure, limit)


def value_holds(value: float | str, comparison: str, threshold: float | str | None, *, analyte: str) -> bool | None:
    """Whether a recorded value meets a rule; None when the two cannot be compared ("positive" with ">= 50")."""
    number, limit = _number(value), _number(threshold)
    if number is not None and limit is not None:
        return _numbers_hold(number, comparison, limit[1])
    if comparison != "=" or threshold is None or limit is not None:
        return None
    word = plain(str(threshold))
    if number is not None and word in POSITIVE | NEGATIVE and analyte in POSITIVE_FROM:
        sign, figure = number
        below = figure <= POSITIVE_FROM[analyte] if sign == "<" else figure < POSITIVE_FROM[analyte]
        return below == (word in NEGATIVE)
    return None if number is not None else _words_equal(plain(str(value)), word)


def _words_equal(value: str, wanted: str) -> bool:
    if wanted in MSI_WORDS:
        return MSI_WORDS.get(value) == MSI_WORDS[wanted]
    for group in (POSITIVE, NEGATIVE):
        if wanted in group and value in group:
            return True
    return value == wanted


def _number(value: float | str | None) -> tuple[str, float] | None:
    """(sign, figure) of "50", "<1 %", "3+", 12.0; None for words."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "", float(value)
    found = _NUMBER.fullmatch(str(value or ""))
    return ({"≥": ">=", "≤": "<="}.get(found[1] or "", found[1] or ""), float(found[2])) if found else None
