"""Tumour biomarkers in a note against the record's: TMB, PD-L1, MSI, hormone receptors, HER2 by IHC, MGMT.

Words are compared by the rules therapy matching uses (retrieval/biomarker_values.py). A note older than the recorded
result is left alone, and so is a PD-L1 combined positive score against a tumour proportion score.

What this module does not know: assay clones, tumour sites, whether a later result is a second biopsy. HER2 2+ is
neither positive nor negative (ASCO/CAP 2018, Wolff et al., J Clin Oncol 2018, 10.1200/JCO.2018.77.8738).
"""

# ruff: noqa: E501  a pattern reads better unwrapped
from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from assistant.contradictions_scope import Case, Clause, Disagreement, is_older, placed, stated_on
from encoders.patient import Biomarker, Note, Patient
from retrieval.biomarker_values import COMPARE, MSI_WORDS, POSITIVE_FROM, plain, same_biomarker, value_holds

_TMB = re.compile(r"(?i)\b(?:TMB|tumou?r mutation(?:al)? burden)\b[^.;\d]{0,24}?(\d+(?:\.\d+)?)\s*mut")
_PDL1 = re.compile(
    r"(?i)\bPD-?L1\b(?:[\s:=()]|TPS|CPS|is|was|of|expression|score|staining|in|tumou?r proportion|at|on|tumou?r cells|cells|\(?(?:22C3|28-8|SP263|SP142|73-10)\)?){0,12}"
    r"(<=|>=|<|>|≤|≥|at least|below|under|above|over)?\s*(\d+(?:\.\d+)?)\s*%"
)
_PDL1_WORD = re.compile(r"(?i)\bPD-?L1\b(?:[\s:=-]|TPS|is|was|expression|status){0,12}(negative|positive)\b")
_OPERATORS = {"at least": ">=", "≥": ">=", "≤": "<=", "below": "<", "under": "<", "above": ">", "over": ">"}
_MSI = re.compile(
    r"(?i)(?<!not )(?<!no )(?<!non-)\b(?:(MSI[- ]?H(?:igh)?|microsatellite instability[- ]high|microsatellite[- ](?:unstable|instable)|dMMR|"
    r"(?:mismatch repair|MMR)[- ]deficient)|(MSS|microsatellite[- ]stable|pMMR|(?:mismatch repair|MMR)[- ]proficient))\b"
)
_STATE = r"(?:[\s:,=-]|receptors?|status|is|was|by|IHC|immunohistochemistry|promoter|score|staining){0,12}"
_POSITIVE, _NEGATIVE = r"(?:positive|pos\b|\+(?!\d))", r"(?:negative|neg\b|-(?=[\s,;.)]|$))"
_RECEPTORS: tuple[tuple[str, str], ...] = (
    ("ER", r"(?:\b(?-i:ER)\b|o?estrogen receptors?)"),
    ("PR", r"(?:\b(?-i:PR|PgR)\b|progesterone receptors?)"),
    ("HER2 IHC", r"\bHER-?2(?:/neu)?\b"),
)
_TRIPLE = re.compile(r"(?i)\btriple[- ]negative\b")
_HORMONE = re.compile(rf"(?i)\b(?:hormone receptors?|HR)[\s-]*(?:({_POSITIVE})|{_NEGATIVE})")
_HER2_SCORE = re.compile(
    r"(?i)\bHER-?2(?:/neu)?\b(?:[\s:(=-]|score|IHC|status|by|was|is|immunohistochemistry){0,12}(0|[123]\s?\+)"
)
_MGMT = re.compile(rf"(?i)\bMGMT\b(?:{_STATE})(?:(not methylated|unmethylated|non-?methylated)|methylated)")
_VALUE_TOLERANCE = 0.05
"""Relative difference below which two written numbers count as one, rounded differently."""

Find = Callable[[Patient, Clause], Iterator[tuple[str, str, str]]]
"""(analyte as recorded names go, what the note says, the word or number that stands for)."""


def find_biomarkers(case: Case, clause: Clause, note: Note) -> Iterator[Disagreement]:
    """Every biomarker of a clause that the record gives another value; a clause that doubts is left alone."""
    if not clause.is_stated:
        return
    for analyte, said, agrees in stated_markers(clause):
        held = [m for m in case.patient.biomarkers if same_biomarker(m, analyte)]
        if not held or any(is_older(stated_on(clause, note), m.date) for m in held):
            continue
        verdicts = [agrees(m) for m in held]
        if all(v is False for v in verdicts):
            source = held[0].source
            other = f"{placed('the record', source)} says {held[0].name} {_shown(held[0])}"
            yield Disagreement("biomarker", analyte.removesuffix(" IHC"), said, other, source)


def stated_markers(clause: Clause) -> Iterator[tuple[str, str, Callable[[Biomarker], bool | None]]]:
    """(analyte, what is said, does a recorded marker agree; None = cannot be compared) of every marker stated."""
    text = clause.text
    if not re.search(r"(?i)\bexcluded", text):
        yield from _words(text)
    if clause.denied:
        return
    if match := _TMB.search(text):
        yield "TMB", f"TMB {match[1]}", _near(float(match[1]))
    if match := _PDL1.search(text):
        sign, figure = match[1], float(match[2])
        analyte = "PD-L1 CPS" if "cps" in text.lower() else "PD-L1"
        compare = _meets(_OPERATORS.get((sign or "").lower(), sign), figure) if sign else _near(figure)
        yield analyte, f"PD-L1 {_sign(sign)}{match[2]} %", compare


def _words(text: str) -> Iterator[tuple[str, str, Callable[[Biomarker], bool | None]]]:
    if match := _PDL1_WORD.search(text):
        yield "PD-L1", f"PD-L1 {match[1].lower()}", _is_word(match[1].lower(), "PDL1")
    if match := _MSI.search(text):
        yield "MSI", match[0], _is_msi("msih" if match[1] else "mss")
    for analyte, name in _RECEPTORS:
        match = re.search(rf"(?i){name}{_STATE}(?:({_POSITIVE})|{_NEGATIVE})", text)
        match = match or re.search(rf"(?i)(?:(\bpositive)|\bnegative) for (?:the )?{name}(?!\W+(?:amplif|gene))", text)
        if match:
            word = "positive" if match[1] else "negative"
            yield analyte, f"{analyte.removesuffix(' IHC')} {word}", _is_word(word, analyte.replace(" ", ""))
        elif analyte != "HER2 IHC" and (match := re.search(rf"(?i){name}{_STATE}(<?)\s?(\d+)\s?%", text)):
            word = "positive" if not match[1] and int(match[2]) >= POSITIVE_FROM[analyte] else "negative"
            yield analyte, f"{analyte} {_sign(match[1])}{match[2]} %", _is_word(word, analyte)
    if match := _HER2_SCORE.search(text):
        score = match[1].replace(" ", "")
        word = {"0": "negative", "1+": "negative", "3+": "positive"}.get(score)
        if word:
            yield "HER2 IHC", f"HER2 {score}", _is_word(word, "HER2IHC")
    hormone = _HORMONE.search(text)
    called = (
        "triple-negative" if _TRIPLE.search(text) else "hormone receptor negative" if hormone and not hormone[1] else ""
    )
    for analyte, _ in _RECEPTORS if called else ():
        if called == "triple-negative" or analyte != "HER2 IHC":
            yield analyte, called, _is_word("negative", analyte.replace(" ", ""))
    if match := _MGMT.search(text):
        yield "MGMT", f"MGMT {'unmethylated' if match[1] else 'methylated'}", _is_methylated(not match[1])


def _sign(written: str | None) -> str:
    """A sign in words: the ledger turns "<" into a bracket, because it opens chat delimiters."""
    sign = _OPERATORS.get((written or "").lower(), written or "")
    return {"<": "below ", "<=": "at most ", ">": "above ", ">=": "at least "}.get(sign, "")


def _near(figure: float) -> Callable[[Biomarker], bool | None]:
    def agrees(marker: Biomarker) -> bool | None:
        value = _number(marker)
        return None if value is None else abs(figure - value) <= max(_VALUE_TOLERANCE * value, 0.5)

    return agrees


def _meets(sign: str, figure: float) -> Callable[[Biomarker], bool | None]:
    def agrees(marker: Biomarker) -> bool | None:
        value = _number(marker)
        return None if value is None else COMPARE[sign](value, figure)

    return agrees


def _number(marker: Biomarker) -> float | None:
    if isinstance(marker.value, str):
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%?\s*", marker.value)
        return float(match[1]) if match else None
    return float(marker.value)


def _is_word(word: str, analyte: str) -> Callable[[Biomarker], bool | None]:
    def agrees(marker: Biomarker) -> bool | None:
        value = str(marker.value).strip().lower()
        if analyte == "HER2IHC":
            score = re.match(r"(0|[123]\+?)(?!\d)", value)
            called = {"0": "negative", "1": "negative", "3": "positive"}.get(score[1].rstrip("+")) if score else value
            return (called == word) if called in ("positive", "negative") else None
        if isinstance(marker.value, str) and value not in ("positive", "negative", "present", "absent", "pos", "neg"):
            return None
        return value_holds(marker.value, "=", word, analyte=analyte)

    return agrees


def _is_msi(wanted: str) -> Callable[[Biomarker], bool | None]:
    def agrees(marker: Biomarker) -> bool | None:
        held = MSI_WORDS.get(plain(str(marker.value)))
        return None if held is None else held == wanted

    return agrees


def _is_methylated(wanted: bool) -> Callable[[Biomarker], bool | None]:
    def agrees(marker: Biomarker) -> bool | None:
        held = plain(str(marker.value))
        if held not in ("methylated", "unmethylated", "notmethylated", "positive", "negative"):
            return None
        return (held in ("methylated", "positive")) == wanted

    return agrees


def _shown(marker: Biomarker) -> str:
    value = marker.value if isinstance(marker.value, str) else f"{marker.value:g}"
    return f"{value} {marker.unit}" if marker.unit else value
