"""Classes of drugs as clinicians name them ("a PARP inhibitor", "checkpoint blockade", "anti-HER2", "chemo").

A class is named by its target and kind as the drug table has it (retrieval/lexicon.py), by another word for its kind,
or by one of the group names below. Not known here: which drugs a case has rows for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from retrieval.lexicon import drug_classes

_KINDS = (
    r"(?:inhibitors?|inhibition|blockers?|blockade|tkis?|tyrosine kinase inhibitors?|antibod(?:y|ies)|adcs?|agents?"
)
_KINDS += r"|antibody[\s-]drug conjugates?|degraders?|drugs?|targeted|targeting|directed|therapy|treatment)"
_ANTIBODY, _CONJUGATE = (
    re.compile(r"(?i)\bantibod(?:y|ies)\b(?![\s-]drug)|\bmabs?\b"),
    re.compile(r"(?i)\badcs?\b|conjugate"),
)

GROUPS: Mapping[str, tuple[str, ...]] = {
    r"immunotherap\w+|immune[\s-]checkpoint|checkpoint|immuno[\s-]?oncology|\bio\b|\bici\b|anti-?pd-?l?-?1": (
        "PD-1 antibody", "PD-L1 antibody", "CTLA-4 antibody", "LAG-3 antibody",
    ),
    r"immuno-?chemo\w*|chemo-?immuno\w*": ("PD-1 antibody", "PD-L1 antibody", "chemotherapy"),
    r"chemo(?:therap\w+)?|cytotoxics?|cytostatics?|platinum": ("chemotherapy",),
    r"endocrine|hormon(?:e|al) (?:therapy|treatment)|anti-?hormon\w+|anti-?o?estrogens?": (
        "SERD", "SERM", "aromatase inhibitor", "ER degrader", "oral SERD", "GnRH agonist", "progestin",
    ),
    r"anti-?angiogenic\w*|angiogenesis inhibit\w+|anti-?vegf\w*": ("VEGF antibody", "VEGFR TKI", "VEGFR antibody"),
}  # fmt: skip
"""Words for a group of classes -> the classes."""


@lru_cache(maxsize=1)
def _targets() -> Mapping[str, frozenset[str]]:
    """Target in lower case ("parp", "cdk4/6", "her2") -> the classes that name it."""
    found: dict[str, set[str]] = {}
    for name in drug_classes():
        target, _, kind = name.partition(" ")
        if not kind or not re.search(r"[A-Z0-9]", target):
            continue
        for one in {target, *target.split("-HER"), *(target.split("/") if "4/6" not in target else ())}:
            found.setdefault(one.lower(), set()).add(name)
    return {k: frozenset(v) for k, v in found.items()}


def asked_classes(question: str) -> frozenset[str]:
    """The classes of drugs a question names; empty where it names none.

    "antibody" and "ADC" beside a target keep to that kind; any other word ("inhibitor", "-directed") means all of it.
    """
    low = question.lower()
    found = {
        c for words, classes in GROUPS.items() if re.search(rf"(?<![a-z])(?:{words})(?![a-z])", low) for c in classes
    }
    for target, classes in _targets().items():
        name = re.escape(target).replace("/", r"[/\s-]?")
        if re.search(rf"(?<![a-z0-9])(?:anti[\s-]?{name}|{name}[\s-]?{_KINDS})(?![a-z])", low):
            found |= _of_kind(classes, question)
    return frozenset(found)


def _of_kind(classes: frozenset[str], question: str) -> frozenset[str]:
    if _CONJUGATE.search(question):
        return frozenset(c for c in classes if "conjugate" in c) or classes
    if _ANTIBODY.search(question):
        return frozenset(c for c in classes if c.endswith("antibody")) or classes
    return classes
