"""An optional second judge: a local NLI cross-encoder reads each supported claim against its evidence.

Off by default; ``--nli ID|FOLDER`` turns it on. It can only withhold more: a claim the rules refused stays refused, and
a claim the judge finds contradicted by, or not entailed by, the cited evidence is withheld with its probabilities. A
claim too long for the judge is withheld too, and evidence longer than it reads is cut and counted.

What the pipeline quotes from the evidence is not judged. Not known here: which claims are made, and whether the model
reads oncology well (measure before use; a general NLI model calls many true numeric statements neutral).

References
----------
Bowman et al., EMNLP 2015 (doi:10.18653/v1/D15-1075): entailment, neutral, contradiction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from assistant.claim import CheckedClaim, Verdict
from assistant.evidence import Ledger
from encoders.errors import SettingsError, UnavailableError

MAX_TOKENS = 512
ENTAILED, CONTRADICTED = 0.5, 0.5
_LABELS = ("entailment", "contradiction")


class NliJudge(Protocol):
    """Reads a premise and a hypothesis. ``premises_cut`` : how many premises were longer than it reads, so far."""

    name: str
    premises_cut: int

    def probabilities(self, premise: str, hypothesis: str) -> Mapping[str, float] | None:
        """Label in lower case ("entailment", "neutral", "contradiction") -> probability; they sum to one.

        None where the hypothesis leaves no room for a premise.
        """
        ...


class CrossEncoderJudge:
    """A sequence-classification model of three NLI classes, through transformers, on the CPU.

    Parameters
    ----------
    model : hub id or folder of the model

    Raises
    ------
    UnavailableError: the model cannot be loaded.
    SettingsError: its labels are not those of an NLI model.
    """

    def __init__(self, model: str) -> None:
        import torch  # noqa: PLC0415  only a user who asks for the judge pays for it
        from transformers import AutoModelForSequenceClassification, AutoTokenizer  # noqa: PLC0415

        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(model)
            self._model: Any = AutoModelForSequenceClassification.from_pretrained(model).eval()
        except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
            raise UnavailableError(
                f"the NLI model {model!r} cannot be loaded ({error}); name a folder or hub id, or leave --nli out."
            ) from error
        self.name = model
        self.premises_cut = 0
        stated = getattr(self._model.config, "max_position_embeddings", MAX_TOKENS)
        self._limit = min(MAX_TOKENS, self._tokenizer.model_max_length, stated)
        self._torch = torch
        self._labels = [str(v).lower() for _, v in sorted(self._model.config.id2label.items())]
        if not set(_LABELS) <= set(self._labels):
            raise SettingsError(
                f"{model!r} has the labels {self._labels}; a judge needs {' and '.join(_LABELS)}: choose an NLI model."
            )

    def probabilities(self, premise: str, hypothesis: str) -> Mapping[str, float] | None:
        """As the protocol says; a premise that does not fit (512 tokens, or fewer where the model says so) is cut."""
        if len(self._tokenizer("", hypothesis).input_ids) >= self._limit:
            return None
        whole = self._tokenizer(premise, hypothesis, return_tensors="pt")
        encoded = whole
        if whole.input_ids.shape[1] > self._limit:
            self.premises_cut += 1
            encoded = self._tokenizer(
                premise, hypothesis, truncation="only_first", max_length=self._limit, return_tensors="pt"
            )
        with self._torch.inference_mode():
            chances = self._model(**encoded).logits[0].float().softmax(-1).tolist()
        return dict(zip(self._labels, chances, strict=True))


def judge_claim(checked: CheckedClaim, ledger: Ledger, judge: NliJudge | None) -> CheckedClaim:
    """``checked``, or a withheld copy of it when the judge does not agree that its evidence entails it."""
    if judge is None or checked.verdict is not Verdict.SUPPORTED:
        return checked
    premise = " ".join(ledger[c].text for c in checked.citations)
    chances = judge.probabilities(premise, checked.text)
    if chances is None:
        reason = f"passes the rules, but is longer than the judge {judge.name} reads; say it in shorter sentences"
        return replace(checked, verdict=Verdict.UNSUPPORTED, reason=reason, judge=judge.name)
    entailed, contradicted = (chances[label] for label in _LABELS)
    if contradicted >= CONTRADICTED:
        verdict, said = Verdict.CONTRADICTED, f"contradicted, probability {contradicted:.2f}"
    elif entailed < ENTAILED:
        verdict, said = Verdict.UNSUPPORTED, f"not entailed, probability of entailment {entailed:.2f}"
    else:
        return checked
    reason = f"passes the rules, but the judge {judge.name} calls it {said}"
    return replace(checked, verdict=verdict, reason=reason, judge=judge.name)


def judge_versions(judge: NliJudge | None, cut_before: int = 0) -> dict[str, str]:
    """For the versions of a report: which judge read, and how often it saw only the start of the evidence.

    cut_before : the judge's ``premises_cut`` when the report was begun; a server keeps one judge for many reports
    """
    if judge is None:
        return {}
    cut = judge.premises_cut - cut_before
    return {"nli_judge": judge.name, **({"nli_judge.premises_cut": str(cut)} if cut else {})}
