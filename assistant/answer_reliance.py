"""What one answer rests on: the same question asked of the case with its image blanked, and with its omics absent.

Each variant is prepared as a case of its own (predicted, retrieved, collected) and answered by the same model, plan and
check. A sentence is told again when its words of meaning, numbers and names are the same, in any order; ids may differ.

What this module does not check: that an answer is right, or why it changed. A sentence that is only worded otherwise
counts as changed, and so the figure is an upper bound of what rests on the modality. Lesion sizes come from outlines,
which stay when the picture is blanked; biomarkers written in the record stay when the omics are absent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from assistant.grounding_evidence import NEUTRAL_KEYS
from assistant.normalise import TokenKind, tokenise
from encoders.patient import IMAGES_OFF, Patient, images_off

if TYPE_CHECKING:
    from assistant.chat_events import ChatEvent
    from assistant.pipeline import CaseContext

OMICS = ("expression", "variants", "copy_number", "fusions", "methylation", "proteins")
LEFT_OUT = "left out to see what the answer rests on"


@dataclass(frozen=True)
class VariantAnswer:
    """The answer to one variant of the case beside the case's own.

    change : "image blanked" or "omics absent"
    kept, gone : sentences of the case's own answer that are told again, and that are not
    new : sentences told only of the variant; a reason to abstain is one
    reason : why the variant was not asked; "" when it was
    """

    change: str
    kept: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    reason: str = ""

    def in_words(self) -> str:
        """One sentence for a reader."""
        if self.reason:
            return f"{self.change}: not tried, {self.reason}"
        told = len(self.kept) + len(self.gone)
        found = f"{len(self.gone)} of {told} sentences change" if told else "no sentence to change"
        return f"{self.change}: {found}" + (f"; told instead: {' '.join(self.new)}" if self.new else "")

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        asked = not self.reason and bool(self.kept or self.gone)
        share = round(len(self.gone) / len((*self.kept, *self.gone)), 3) if asked else None
        return {
            "change": self.change, "changed_share": share, "kept": list(self.kept), "gone": list(self.gone),
            "new": list(self.new), "reason": self.reason,
        }  # fmt: skip


def answer_reliance(
    said: Sequence[str],
    patient: Patient,
    ask: Callable[[CaseContext], Iterable[ChatEvent]],
    prepare: Callable[[Patient], CaseContext] | None = None,
) -> tuple[VariantAnswer, ...]:
    """Ask both variants of a case and put each answer beside the case's own.

    Parameters
    ----------
    said : sentences of the case's own answer
    ask : a case -> the events of its answer to the same question
    prepare : makes a case of a patient; default assistant.pipeline.prepare_case (a few seconds for each variant)
    """
    if prepare is None:
        from assistant.pipeline import prepare_case  # noqa: PLC0415  the pipeline need not be loaded to answer

        prepare = prepare_case
    found = []
    for change, variant, reason in _variants(patient):
        if variant is None:
            found.append(VariantAnswer(change, reason=reason))
            continue
        events = [e for e in ask(prepare(variant)) if e.kind in ("claim", "abstain")]
        found.append(compare_answers(change, said, [e.text for e in events]))
    return tuple(found)


def compare_answers(change: str, own: Sequence[str], other: Sequence[str]) -> VariantAnswer:
    """Which sentences of ``own`` stand in ``other`` too, and what only ``other`` says."""
    held, told = {_meaning(t) for t in other}, {_meaning(t) for t in own}
    return VariantAnswer(
        change,
        kept=tuple(t for t in own if _meaning(t) in held),
        gone=tuple(t for t in own if _meaning(t) not in held),
        new=tuple(t for t in other if _meaning(t) not in told),
    )


def reliance_dict(variants: Sequence[VariantAnswer]) -> Mapping[str, Any]:
    """The JSON form of all variants of one answer."""
    return {"variants": [v.to_dict() for v in variants]}


def without_omics(patient: Patient) -> Patient:
    """The same patient as if no omics file had been there; biomarkers of the record stay."""
    missing = {**patient.missing, **dict.fromkeys(OMICS, LEFT_OUT)}
    return replace(patient, **dict.fromkeys(OMICS), missing=MappingProxyType(missing))


def _variants(patient: Patient) -> Iterable[tuple[str, Patient | None, str]]:
    from encoders.radiology import blank_images  # noqa: PLC0415  loads torch

    blank = blank_images(patient) if patient.imaging else None
    none = IMAGES_OFF if images_off(patient) else "the case has no image"
    yield "image blanked", blank, "" if blank else none
    held = any(getattr(patient, name) is not None for name in OMICS)
    yield "omics absent", without_omics(patient) if held else None, "" if held else "the case has no omics"


def _meaning(text: str) -> frozenset[str]:
    return frozenset(t.key for t in tokenise(text) if t.kind is not TokenKind.BREAK and t.key not in NEUTRAL_KEYS)
