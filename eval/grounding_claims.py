"""The labelled set of the checker: claims over ledgers of synthetic patients, half of them corrupted one way each.

Every item says its text, citations, expected verdict and, where it is false, the one thing that was changed. Made by
code from a seed: the sentences are hand-written (eval/grounding_wordings.py), their values come from the ledger.

Not known here: what the checker answers (eval/grounding.py counts that).
"""

# ruff: noqa: E501  the tables below are easier to read unwrapped
from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from assistant.claim import Claim
from assistant.evidence import Evidence, Ledger
from assistant.sections import SECTION_TYPES
from eval.grounding_slots import Slot, slots

_SLOT = re.compile(r"\{([a-z0-9_.]+)\}")
_VERB = re.compile(r"\[\[(\w+)\]\]")
_CHOICE = re.compile(r"<<(.*?)\|\|(\w+)\|\|(.*?)>>")
_DENIED = {
    "is": "is not", "was": "was not", "has": "has no", "had": "had no", "can": "cannot", "appears": "does not appear",
    "measures": "does not measure", "shows": "does not show", "harbours": "does not harbour", "identified": "did not identify",
    "confirms": "does not confirm", "carries": "does not carry",
}  # fmt: skip
_ALTERNATIVES = 3
"""Least number of other ids a claim could be cited to before one is drawn."""


@dataclass(frozen=True)
class LabelledClaim:
    """One item. corruption : "" for an honest claim, else the kind; section : checked as a claim of that section."""

    text: str
    citations: tuple[str, ...]
    corruption: str
    wording: str
    ledger: Ledger
    section: str | None = None

    @property
    def claim(self) -> Claim:
        """What the checker is given."""
        return Claim(self.text, self.citations)


def labelled_claims(
    ledgers: Sequence[Ledger], wordings: Mapping[str, tuple[str, ...]], *, seed: int, per_wording: int = 3
) -> tuple[LabelledClaim, ...]:
    """Honest claims, ``per_wording`` of each sentence where the ledgers allow it, and one corruption of each.

    The corruption of an honest claim is drawn from the kinds it allows, rarer kinds first, so that every kind is met.
    """
    rng = random.Random(seed)
    items: list[LabelledClaim] = []
    counts: dict[str, int] = {}
    for key, sentences in wordings.items():
        for sentence in sentences:
            places = list(_places(key, ledgers))
            rng.shuffle(places)
            made = 0
            for ledger, evidence in places:
                pair = _pair(sentence, ledger, evidence, ledgers, rng, counts)
                if pair is None:
                    continue
                items += pair
                made += 1
                if made == per_wording:
                    break
    return tuple(items)


def _places(key: str, ledgers: Sequence[Ledger]) -> Iterator[tuple[Ledger, tuple[Evidence, ...]]]:
    for ledger in ledgers:
        first, _, second = key.partition("+")
        for a in _of(first, ledger):
            if not second:
                yield ledger, (a,)
            else:
                yield from ((ledger, (a, b)) for b in _of(second, ledger) if a.id != b.id and _belong(a, b))


def _of(key: str, ledger: Ledger) -> tuple[Evidence, ...]:
    if key == "therapy":
        return tuple(e for e in ledger.of_type("therapy") if _is_offered(e))
    if key == "therapy_excluded":
        return tuple(e for e in ledger.of_type("therapy") if e.fields["status"].display.startswith("excluded: "))
    return ledger.of_type(key)


def _is_offered(item: Evidence) -> bool:
    return item.fields["status"].display == "offered" and item.fields["direction"].display == "sensitivity"


def _belong(a: Evidence, b: Evidence) -> bool:
    """Whether one sentence may join them: a therapy with its own variant, an appearance with its own series."""
    if b.type == "therapy":
        gene = a.fields["gene"].display
        variant = a.fields["variant"].display if "variant" in a.fields else "-"
        return gene in b.fields["biomarker"].display and variant in b.text
    if b.type == "appearance":
        return a.fields["series"].display in b.text
    return True


def _pair(
    sentence: str, ledger: Ledger, evidence: tuple[Evidence, ...], ledgers: Sequence[Ledger], rng: random.Random,
    counts: dict[str, int],
) -> tuple[LabelledClaim, ...] | None:  # fmt: skip
    """The honest claim and one corruption of it; None where the evidence lacks a value the sentence needs."""
    known = _known(ledger, evidence, rng)
    if not set(_SLOT.findall(sentence)) <= set(known):
        return None
    ids = tuple(e.id for e in evidence)
    honest = LabelledClaim(_finish(sentence, known), ids, "", sentence, ledger)
    options = [
        *_wrong_words(sentence, known, ids, ledger), *_wrong_place(honest, sentence, known, evidence, ledgers, rng)
    ]  # fmt: skip
    kinds = {o.corruption for o in options}
    if not kinds:
        return None
    kind = min(sorted(kinds), key=lambda k: (counts.get(k, 0), rng.random()))
    counts[kind] = counts.get(kind, 0) + 1
    return honest, rng.choice([o for o in options if o.corruption == kind])


def _known(ledger: Ledger, evidence: tuple[Evidence, ...], rng: random.Random) -> dict[str, Slot]:
    known: dict[str, Slot] = {}
    for prefix, item in zip(("a.", "b."), evidence, strict=False):
        found = slots(item, ledger, rng)
        known |= {(prefix if len(evidence) > 1 else "") + name: s for name, s in found.items()}
    sexes = [str(e.fields["sex"].value) for e in ledger.of_type("demographics") if "sex" in e.fields]
    if sexes:
        female = sexes[0] == "female"
        known |= {"she": Slot("she" if female else "he"), "her": Slot("her" if female else "his")}
    return known


def _finish(sentence: str, known: Mapping[str, Slot]) -> str:
    text = _VERB.sub(r"\1", _CHOICE.sub(r"\1", sentence))
    return _sentence(_SLOT.sub(lambda m: known[m[1]].text, text))


def _sentence(text: str) -> str:
    text = re.sub(r"\b([Aa]) (?=[AEIO][A-Z0-9])", r"\1n ", text[:1].upper() + text[1:])
    return re.sub(r"(?<=\w)\.\.$", ".", text)


def _wrong_words(
    sentence: str, known: Mapping[str, Slot], ids: tuple[str, ...], ledger: Ledger
) -> Iterator[LabelledClaim]:
    """One slot, one verb or one marked place made false."""
    for name in dict.fromkeys(_SLOT.findall(sentence)):
        for kind, wrong in known[name].wrong:
            text = _finish(sentence, {**known, name: Slot(wrong)})
            yield LabelledClaim(text, ids, kind, sentence, ledger)
    for match in _VERB.finditer(sentence):
        denied = sentence[: match.start()] + _DENIED[match[1]] + sentence[match.end() :]
        yield LabelledClaim(_finish(_infinitive(denied), known), ids, "negation", sentence, ledger)
    for match in _CHOICE.finditer(sentence):
        changed = sentence[: match.start()] + match[3] + sentence[match.end() :]
        yield LabelledClaim(_finish(changed, known), ids, match[2], sentence, ledger)
    for first, second in (("a.v1", "b.v1"), ("a.v3", "b.v3"), ("a.af_pct", "b.af_pct"), ("a.value", "b.value")):
        if {first, second} <= set(_SLOT.findall(sentence)) and known[first].text != known[second].text:
            swapped = {**known, first: known[second], second: known[first]}
            yield LabelledClaim(_finish(sentence, swapped), ids, "swapped", sentence, ledger)


def _infinitive(sentence: str) -> str:
    """ "has no received" -> "has not received"; "has no an" -> "has no"."""
    sentence = re.sub(r"\b(has|had) no already\b", r"\1 not", sentence)
    return re.sub(r"\b(no|not) an? ", r"\1 ", sentence) if re.search(r"\bhas no an? ", sentence) else sentence


def _wrong_place(
    honest: LabelledClaim, sentence: str, known: Mapping[str, Slot], evidence: tuple[Evidence, ...],
    ledgers: Sequence[Ledger], rng: random.Random,
) -> Iterator[LabelledClaim]:  # fmt: skip
    """The same sentence under another id, about another patient, in a section it does not belong to."""
    if len(evidence) > 1:
        return
    (item,), ledger = evidence, honest.ledger
    said = [known[n].text.lower() for n in _SLOT.findall(sentence) if n not in ("she", "her")]
    others = [e for e in ledger if e.id != item.id and not any(t in e.text.lower() for t in said)]
    if len(others) >= _ALTERNATIVES:
        yield LabelledClaim(honest.text, (rng.choice(others).id,), "wrong_id", sentence, ledger)
    for other in rng.sample(list(ledgers), len(ledgers)):
        if other is not ledger and (claim := _of_another(honest, sentence, item, other, rng)) is not None:
            yield claim
            break
    if (section := _foreign_section(item.type, rng)) is not None:
        yield LabelledClaim(honest.text, honest.citations, "wrong_section", sentence, ledger, section)


def _of_another(
    honest: LabelledClaim, sentence: str, item: Evidence, other: Ledger, rng: random.Random
) -> LabelledClaim | None:
    """What is true of another patient, cited to this one's evidence of the same type."""
    for theirs in other.of_type(item.type):
        known = _known(other, (theirs,), rng)
        names = [n for n in _SLOT.findall(sentence) if n not in ("she", "her")]
        if not set(names) <= set(known) or not set(_SLOT.findall(sentence)) <= set(known):
            continue
        text = _finish(sentence, known)
        held = " ".join([item.text, *(f.display for f in item.fields.values())]).lower()
        differs = any(
            _TELLING.search(known[n].text) and known[n].text.lower() not in honest.text.lower() for n in names
        )
        if text != honest.text and differs and not all(known[n].text.lower() in held for n in names):
            return LabelledClaim(text, honest.citations, "wrong_patient", sentence, honest.ledger)
    return None


_TELLING = re.compile(r"[A-Z]{2}|\d")
"""What tells two patients apart: a name in capitals or a number."""


def _foreign_section(evidence_type: str, rng: random.Random) -> str | None:
    own = {s for s, types in SECTION_TYPES.items() if evidence_type in types}
    foreign = sorted(set(SECTION_TYPES) - own - {"summary", "uncertainties"})
    return rng.choice(foreign) if own else None


Maker = Callable[[str], tuple[LabelledClaim, ...]]
