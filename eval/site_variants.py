"""The same case with something taken away: what a report is compared with, to see what each part is worth.

image blank              every volume at its background value; outlines, and what is measured from them, stay
image swapped            another case's images in their place
without images           as if no image had been there
molecular data shuffled  another case's molecular data in their place
without molecular data   as if no molecular file had been there
without notes            as if no note had been there

The other case is the next one of the site that has the modality, else a synthetic patient of the same cancer; which it
was is said. ``llm_alone`` is no change of the case: the model is given what was read from the files as text (facts,
image measurements, variants), without predictions, passages, therapy rows or similar cases, and nothing checks it.

Variants are prepared without heat maps, which take most of a report's time; their sentences are left out of both sides.

Not measured here: whether a part that changes nothing was ignored or was not needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from assistant.answer_reliance import OMICS
from assistant.evidence import EvidenceKind, Ledger
from assistant.llm.chat_model import ChatModel, generate_all
from assistant.prompt import parse_claims, report_requests
from assistant.report import SECTION_TITLES
from encoders.patient import ModalityName, Patient
from eval.modality_subsets import without

if TYPE_CHECKING:
    from assistant.pipeline import CaseContext

LLM_ALONE = "llm alone"
BLANK, SWAPPED, SHUFFLED = "image blank", "image swapped", "molecular data shuffled"
READ_FROM_FILES = (EvidenceKind.FACT, EvidenceKind.IMAGE, EvidenceKind.MOLECULAR)
_INTERPRETED = ("appearance", "expression_profile", "pathway")
"""Evidence types among those kinds that a network of ours read, which a model alone would not have."""

Donor = Callable[[str], tuple[Patient | None, str]]
"""A modality group ("imaging", "omics") -> another case that has it, and where it is from; None where there is none."""


@dataclass(frozen=True)
class CaseVariant:
    """name : as above; patient : None where it cannot be made, ``note`` then says why; else whose data were put in."""

    name: str
    patient: Patient | None
    note: str = ""


def has_omics(patient: Patient) -> bool:
    """Whether any molecular file was read."""
    return any(getattr(patient, name) is not None for name in OMICS)


def case_variants(patient: Patient, donor: Donor) -> Iterator[CaseVariant]:
    """Every variant of what this case has, one at a time (an image volume each)."""
    from encoders.radiology import blank_images  # noqa: PLC0415  loads torch

    if patient.imaging:
        yield CaseVariant(BLANK, blank_images(patient))
        other, source = donor("imaging")
        yield CaseVariant(SWAPPED, other and replace(patient, imaging=other.imaging), source)
        yield CaseVariant("without images", without(patient, (ModalityName.IMAGING,)))
    if has_omics(patient):
        other, source = donor("omics")
        yield CaseVariant(SHUFFLED, other and _with_omics(patient, other), source)
        yield CaseVariant("without molecular data", without(patient, OMICS))
    if patient.notes:
        yield CaseVariant("without notes", without(patient, (ModalityName.NOTES,)))


def _with_omics(patient: Patient, other: Patient) -> Patient:
    """The patient with all of the other's molecular data, and what the other lacks lacking with its reason."""
    missing = {k: v for k, v in patient.missing.items() if k not in OMICS}
    missing |= {k: v for k, v in other.missing.items() if k in OMICS}
    return replace(patient, **{n: getattr(other, n) for n in OMICS}, missing=MappingProxyType(missing))


def prepare_unexplained(patient: Patient) -> CaseContext:
    """``prepare_case`` without explanations.

    Raises
    ------
    UnavailableError: weights or the knowledge files are not there
    """
    from assistant.collect import collect_evidence  # noqa: PLC0415
    from assistant.pipeline import CaseContext  # noqa: PLC0415
    from encoders.predict import predict  # noqa: PLC0415  loads torch
    from retrieval.search import retrieve  # noqa: PLC0415

    prediction = predict(patient, explain=False)
    retrieved = retrieve(patient, prediction)
    return CaseContext(patient, prediction, retrieved, collect_evidence(patient, prediction, retrieved))


def llm_alone(context: CaseContext, llm: ChatModel, *, seed: int) -> tuple[str, ...]:
    """Sentences the model writes from what was read from the files, references filled in, unchecked."""
    kept = tuple(e for e in context.ledger if e.kind in READ_FROM_FILES and e.type not in _INTERPRETED)
    ledger = Ledger(kept)
    asked = [r for section in SECTION_TITLES for r in report_requests(ledger, section, llm, (), seed)]
    answers = generate_all(llm, asked)
    claims = [claim for answer in answers for claim in parse_claims(answer, llm.style)]
    return tuple(dict.fromkeys(ledger.fill(claim.text)[0] for claim in claims))
