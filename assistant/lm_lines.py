"""The COMPACT line form: one short line per evidence, which the embedded decoder reads.

A line is an id, a type, the names of the fields a claim may reference, and the few closed words that decide how the
sentence must go ("effect=truncating"). Values are not written: the decoder writes references and the ledger fills
them. Perceived findings are left out where soft tokens carry them.

Not known here: how sentences are worded (assistant/lm_phrases.py), or which evidence a section holds.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence

from assistant.evidence import EVIDENCE_FIELDS, Evidence

WORDS: Mapping[str, tuple[str, ...]] = {
    "absent": ("modality",),
    "appearance": ("attribute", "finding"),
    "cancer_type_prediction": ("agreement",),
    "contribution": ("top_modality", "direction"),
    "copy_number": ("call",),
    "expression_profile": ("attribute", "finding"),
    "hypothetical_risk": ("effect",),
    "hypothetical_therapy": ("effect",),
    "lab": (),
    "lesion_change": ("trend",),
    "molecular_prediction": ("agreement",),
    "pathway": ("direction",),
    "series": ("modality",),
    "survival": ("risk_group", "reliability"),
    "therapy": ("direction", "status"),
    "variant": ("effect",),
}
"""Evidence type -> fields whose word is written out."""

NO_LINES = "no lines"
CHUNK_LINES = 6
"""Evidence lines per request: what the decoder was trained on."""

_LINE = re.compile(r"^([FIMPXSG]\d+) ([a-z0-9_]+)((?: [a-z0-9_]+(?:=[^ ]+)?)*)$")
_WORD_LENGTH = 24


def word_of(display: str) -> str:
    """A closed word without blanks: "deep deletion" -> "deep_deletion", "excluded: prior use" -> "excluded"."""
    word = re.sub(r"[^a-z0-9]+", "_", display.lower().partition(":")[0]).strip("_")
    return word[:_WORD_LENGTH].rstrip("_")


def compact_line(item: Evidence, *, hidden: Iterable[str] = ()) -> str:
    """One evidence as a line; ``hidden`` names fields the reader must get from the soft tokens."""
    left_out = set(hidden)
    words = WORDS.get(item.type, ())
    parts = [item.id, item.type]
    for name in EVIDENCE_FIELDS[item.type][1]:
        value = item.fields.get(name)
        if value is None or value.value is None or not value.display or name in left_out:
            continue
        parts.append(f"{name}={word_of(value.display) or 'none'}" if name in words else name)
    return " ".join(parts)


def parse_line(line: str) -> tuple[str, str, dict[str, str | None]] | None:
    """(id, type, field name -> written word or None) of one line; None when it is not an evidence line."""
    match = _LINE.match(line)
    if match is None:
        return None
    fields: dict[str, str | None] = {}
    for part in match[3].split():
        name, _, word = part.partition("=")
        fields[name] = word or None
    return match[1], match[2], fields


def referable_fields(text: str) -> dict[str, tuple[str, ...]]:
    """Evidence id -> field names that may stand in a reference, read back from the lines of a message."""
    found: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        parsed = parse_line(line)
        if parsed is not None:
            found[parsed[0]] = tuple(parsed[2])
    return found


def chunks(evidence: tuple[Evidence, ...], size: int = CHUNK_LINES) -> tuple[tuple[Evidence, ...], ...]:
    """Cut evidence into runs of at most ``size``, as even as can be, in order."""
    if not evidence:
        return ()
    count = -(-len(evidence) // size)
    bounds = [round(i * len(evidence) / count) for i in range(count + 1)]
    return tuple(evidence[a:b] for a, b in itertools.pairwise(bounds))


def compact_parts(head: str, lines: Sequence[str], modalities: Sequence[str]) -> list[tuple[str, bool]]:
    """The one layout of a COMPACT message: (text, False) and (modality, True) where its soft tokens stand.

    Training (assistant/lm_pairs.py) and asking (assistant/prompt.py) both build messages here, so they cannot drift.
    """
    parts: list[tuple[str, bool]] = []
    text = head
    for modality in modalities:
        parts += [(f"{text}\n{modality} tokens:" if text else f"{modality} tokens:", False), (modality, True)]
        text = ""
    tail = "\n".join(lines) if lines else NO_LINES
    return [*parts, (f"{text}\n{tail}" if text else tail, False)]
