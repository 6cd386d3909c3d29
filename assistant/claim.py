"""Claim: one sentence with citations, as an LLM wrote it. CheckedClaim: the same after the check."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What the checker says of a claim."""

    SUPPORTED = "SUPPORTED"
    CONTRADICTED = "CONTRADICTED"
    UNSUPPORTED = "UNSUPPORTED"
    UNCHECKED = "UNCHECKED"


@dataclass(frozen=True)
class Claim:
    """``text`` may hold references ({M1.variant}); ``citations`` are evidence ids, not checked yet."""

    text: str
    citations: tuple[str, ...]


@dataclass(frozen=True)
class CheckedClaim:
    """text : references filled in, citation marks removed; reason : why this verdict, in words a clinician reads.

    raw : the claim exactly as the LLM wrote it
    quoted : True when the pipeline quoted evidence itself because the LLM left nothing usable
    judge : name of the optional judge (assistant/grounding_judge.py) that withheld what the rules had passed; else ""
    """

    text: str
    citations: tuple[str, ...]
    verdict: Verdict
    reason: str
    raw: str
    quoted: bool = False
    judge: str = ""
