"""Does the answer follow the image? What the models say of one patient again, with the image blanked and exchanged.

The patient keeps everything but the pictures. Each variant is predicted and its imaging section written afresh; what
the language model states of each finding is read by the checker (assistant/stated_findings.py). A model that says the
same whatever the image shows was not reading it (Adebayo et al., NeurIPS 2018, ask the same of explanations).

What this module does not check: that the statements are right, or that another scanner would give them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import mean
from typing import TYPE_CHECKING, Any

from assistant.evidence import Ledger
from assistant.llm.chat_model import ChatModel
from assistant.prompt import parse_claims, report_requests
from assistant.stated_findings import stated_findings
from encoders.patient import IMAGES_OFF, Patient, images_off
from encoders.prediction import PatientPrediction

if TYPE_CHECKING:
    from assistant.pipeline import CaseContext

Progress = Callable[[str], None]
DONORS = 3
"""With how many other patients' images each statement is tried."""
DONOR_SEED = 77_001
"""Seed of the synthetic patients whose images are put in; no training cohort uses it."""
_POOL = 24
_IMAGE_ONLY = ("imaging",)


@dataclass(frozen=True)
class Variant:
    """One version of the patient: what the image networks read, and what the language model states.

    probability : image-only task -> probability of ``label`` of the unchanged patient
    read, stated : attribute -> finding word
    """

    probability: Mapping[str, float]
    read: Mapping[str, str]
    stated: Mapping[str, str]


@dataclass(frozen=True)
class Reliance:
    """How the image-based statements of one report change with the image.

    followed, due : of the findings that another image reads otherwise, how many statements changed with it
    rows : one an image-only task: own, blanked and mean exchanged probability
    statements : one a finding: words stated with the own, the blanked and each exchanged image
    reason : why nothing was measured; "" when something was
    """

    followed: int
    due: int
    rows: tuple[Mapping[str, Any], ...] = ()
    statements: tuple[Mapping[str, Any], ...] = ()
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        score = round(self.followed / self.due, 3) if self.due else None
        return {
            "score": score,
            "followed": self.followed,
            "due": self.due,
            "images": "blanked, and of other synthetic patients with the same cancer",
            "predictions": [dict(r) for r in self.rows],
            "statements": [dict(s) for s in self.statements],
            "reason": self.reason,
        }


def measure_reliance(
    context: CaseContext,
    llm: ChatModel,
    *,
    donors: Sequence[Patient] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Reliance:
    """Recompute the image-based statements of a case with its image blanked, and with other patients' images.

    Parameters
    ----------
    donors : patients whose images are put in; default: synthetic patients of the same cancer
    seed : handed to the backend
    """
    from encoders.radiology import blank_images  # noqa: PLC0415  loads torch

    patient, code = context.patient, _trained_code(context.patient)
    if images_off(patient):
        return Reliance(0, 0, reason=IMAGES_OFF)
    if not any(p.inputs == _IMAGE_ONLY for p in context.prediction.predictions):
        return Reliance(0, 0, reason="no prediction of this case rests on an image alone")
    labels = {p.task: p.label for p in context.prediction.predictions if p.inputs == _IMAGE_ONLY}
    own = _variant(context, context.prediction, context.ledger, llm, seed, labels)
    if progress is not None:
        progress("reliance: image blanked")
    blank = _predicted(context, blank_images(patient), llm, seed, labels)
    others = []
    for number, donor in enumerate(donors if donors is not None else donors_for(patient), start=1):
        if progress is not None:
            progress(f"reliance: another patient's image, {number}")
        others.append(_predicted(context, replace(patient, imaging=donor.imaging), llm, seed, labels))
    return compare(own, blank, others, labels, code)


def donors_for(patient: Patient) -> tuple[Patient, ...]:
    """Synthetic patients with images, of the same cancer where the cohort has it; () for a cancer it lacks."""
    from encoders.synthetic.cohort import sample_case  # noqa: PLC0415

    code = _trained_code(patient)
    found: list[Patient] = []
    for i in range(_POOL if code else 0):
        donor = sample_case(i, DONOR_SEED, code).patient
        if donor.imaging:
            found.append(donor)
        if len(found) == DONORS:
            break
    return tuple(found)


def _trained_code(patient: Patient) -> str:
    """The OncoTree code the models know this patient's cancer by; "" for one they were not trained on."""
    from encoders.inputs import CANCER_CODES, cancer_index  # noqa: PLC0415  loads torch

    index, _ = cancer_index(patient.oncotree_code)
    return CANCER_CODES[index] if index < len(CANCER_CODES) else ""


def compare(
    own: Variant, blank: Variant, others: Sequence[Variant], labels: Mapping[str, str | None], code: str
) -> Reliance:
    """Put the variants side by side. ``labels`` : image-only task -> label; ``code`` names the cancer in the reason."""
    rows = tuple(
        {
            "task": task,
            "label": label,
            "own": _rounded(own.probability.get(task)),
            "blank": _rounded(blank.probability.get(task)),
            "exchanged": _rounded(_mean([o.probability[task] for o in others if task in o.probability])),
        }
        for task, label in labels.items()
        if task in own.probability
    )
    followed = due = 0
    statements = []
    for attribute, word in own.stated.items():
        exchanged = [o.stated.get(attribute) for o in others]
        for other in others:
            if other.read.get(attribute, word) != own.read.get(attribute):
                due += 1
                followed += other.stated.get(attribute) == other.read[attribute]
        statements.append(
            {"finding": attribute, "own": word, "blank": blank.stated.get(attribute), "exchanged": exchanged}
        )
    reason = "" if others else f"no other patient's image of {code or 'this cancer'} to put in"
    return Reliance(followed, due, rows, tuple(statements), reason)


def _predicted(
    context: CaseContext, patient: Patient, llm: ChatModel, seed: int, labels: Mapping[str, str | None]
) -> Variant:
    from assistant.collect import collect_evidence  # noqa: PLC0415
    from encoders.predict import predict  # noqa: PLC0415  loads torch

    prediction = predict(patient, explain=False)
    return _variant(context, prediction, collect_evidence(patient, prediction, context.retrieved), llm, seed, labels)


def _variant(
    context: CaseContext,
    prediction: PatientPrediction,
    ledger: Ledger,
    llm: ChatModel,
    seed: int,
    labels: Mapping[str, str | None],
) -> Variant:
    soft = llm.soft_tokens(prediction.embeddings) if prediction.embeddings is not None else ()
    requests = report_requests(ledger, "imaging", llm, soft, seed)
    claims = [claim for r in requests for claim in parse_claims(llm.generate(r), llm.style)]
    return Variant(
        probability=_probabilities(prediction, labels),
        read=_by_attribute(ledger, {e.id: str(e.fields["finding"].value) for e in ledger.of_type("appearance")}),
        stated=_by_attribute(ledger, stated_findings(claims, ledger, _trained_code(context.patient))),
    )


def _probabilities(prediction: PatientPrediction, labels: Mapping[str, str | None]) -> dict[str, float]:
    found = {}
    for p in prediction.predictions:
        if p.inputs == _IMAGE_ONLY and p.probability is not None and p.task in labels:
            same = labels[p.task] == p.label
            found[p.task] = p.probability if same else 1 - p.probability  # every such task has two classes
    return found


def _by_attribute(ledger: Ledger, words: Mapping[str, str]) -> dict[str, str]:
    return {str(ledger[i].fields["attribute"].value).replace(" ", "_"): word for i, word in words.items()}


def _mean(values: Sequence[float]) -> float | None:
    return mean(values) if values else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
