"""How the embedded decoder learns to word each type of evidence: several phrasings a type, values as references.

A phrase is a small template. ``{field}`` becomes a reference to that field, ``<field>`` the word itself (for findings
that are perceived), ``[[a||b]]`` the first alternative whose fields are all there, or nothing. ``when`` limits a phrase
to lines with certain words ("status=excluded").

These are training targets only: at run time the decoder writes, and the checker judges what it wrote.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_OPTIONAL = re.compile(r"\[\[(.*?)\]\]")
_SLOT = re.compile(r"\{([a-z0-9_]+)\}|<([a-z0-9_]+)>")


@dataclass(frozen=True)
class Phrase:
    """``text`` with slots; ``when`` maps a field to the words it must have (prefix match)."""

    text: str
    when: Mapping[str, tuple[str, ...]]


def _load(path: Path) -> tuple[dict[str, tuple[Phrase, ...]], dict[str, tuple[str, ...]]]:
    """Phrases by evidence type, and clauses by perceived attribute, from the headings of a phrase file."""
    phrases: dict[str, list[Phrase]] = {}
    findings: dict[str, list[str]] = {}
    kind, when = "", {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            kind, *conditions = line[3:].split()
            when = {name: tuple(words.split("|")) for name, _, words in (c.partition("=") for c in conditions)}
        elif line.strip() and not line.startswith("#"):
            if kind.startswith("finding:"):
                findings.setdefault(kind.removeprefix("finding:"), []).append(line)
            else:
                phrases.setdefault(kind, []).append(Phrase(line, when))
    return {k: tuple(v) for k, v in phrases.items()}, {k: tuple(v) for k, v in findings.items()}


PHRASES, FINDING_PHRASES = _load(Path(__file__).parent / "prompts" / "phrases.txt")
"""Evidence type -> phrasings; perceived attribute -> clauses whose ``<finding>`` comes from the soft tokens."""

PROBABILITY_TAILS = ("", "", " (probability {probability})", ", probability {probability}")


def reference(evidence_id: str, name: str) -> str:
    """``{M1.gene}``."""
    return f"{{{evidence_id}.{name}}}"


def fill_phrase(text: str, evidence_id: str, fields: Mapping[str, str | None], words: Mapping[str, str]) -> str | None:
    """A phrase for one line, or None when a field it needs is not there.

    fields : names a reference may use; words : values of ``<...>`` slots
    """

    def choose(match: re.Match[str]) -> str:
        for option in match[1].split("||"):
            if _fits(option, fields, words):
                return option
        return ""

    plain = _OPTIONAL.sub(choose, text)
    if not _fits(plain, fields, words):
        return None
    return _SLOT.sub(lambda m: reference(evidence_id, m[1]) if m[1] else words[m[2]], plain)


def _fits(text: str, fields: Mapping[str, str | None], words: Mapping[str, str]) -> bool:
    return all((m[1] in fields) if m[1] else (m[2] in words) for m in _SLOT.finditer(text))


def applicable(phrase: Phrase, fields: Mapping[str, str | None]) -> bool:
    """True when the line's words are the ones this phrase is for; an empty word means the field must be absent."""
    for name, wanted in phrase.when.items():
        if wanted == ("",):
            if name in fields:
                return False
        elif not any((fields.get(name) or "").startswith(w) for w in wanted):
            return False
    return True


def word_line(evidence_id: str, kind: str, fields: Mapping[str, str | None], rng: random.Random) -> str | None:
    """One sentence for one evidence line without its full stop, fuller phrasings more often; None if none fits."""
    options: list[tuple[str, float]] = []
    for phrase in PHRASES.get(kind, ()):
        if applicable(phrase, fields):
            text = fill_phrase(phrase.text, evidence_id, fields, {})
            if text:
                options.append((text, float((1 + text.count("{")) ** 2) * (2.0 if phrase.when else 1.0)))
    if not options:
        return None
    return rng.choices([t for t, _ in options], [w for _, w in options])[0]


def word_findings(items: Sequence[tuple[str, str, str, bool]], rng: random.Random) -> str:
    """One sentence for one to three perceived findings: (evidence id, attribute, finding, has probability)."""
    clauses = []
    for evidence_id, attribute, finding, with_probability in items:
        clause = rng.choice(FINDING_PHRASES[attribute]).replace("<finding>", finding)
        tail = rng.choice(PROBABILITY_TAILS) if with_probability and len(items) == 1 else ""
        clauses.append(clause + tail.replace("{probability}", reference(evidence_id, "probability")))
    if len(clauses) == 1:
        return capital(clauses[0])
    glue = rng.choice((" and ", "; ", ", and "))
    return capital(f"{', '.join(clauses[:-1])}{glue}{clauses[-1]}")


def capital(text: str) -> str:
    """First letter in upper case, unless the text opens with a reference."""
    return text[:1].upper() + text[1:]
