"""Does a sentence of a document talk to a language model instead of about medicine?

Documents are data. Such sentences are never followed; where they are quoted they are replaced
(assistant/collect_draft.py), and ``radomica knowledge list`` counts the passages that hold one.
Not known here: intent. A guideline that "states that ..." is matched too; a match is a flag, not a verdict.
"""

from __future__ import annotations

import re

INSTRUCTION_LIKE = re.compile(
    r"(?i)\b(?:ignore|disregard|forget|override)\b.{0,40}\b(?:instructions?|previous|above|prompt|rules?|guidelines?|"
    r"ledger|evidence|check(?:s|er)?)\b"
    r"|\bsystem\s*(?:prompt|message|:)|\b(?:as an?|you are (?:an?|now))\b.{0,20}\b(?:ai|assistant|model|chatbot)\b"
    r"|<\s*/?\s*(?:system|user|assistant|im_start|im_end)|\bprint\b.{0,20}\bprompt\b"
    r"|\b(?:write|say|state|output|respond|answer)\b.{0,20}\b(?:that|in the report|the following|only)\b"
)
"""A sentence of a document that talks to a language model instead of about the patient."""
