"""Citation precision and recall of an answer's statements, by ALCE's definition, whatever decides entailment.

A statement is recalled when the passages it cites, taken together, entail it. A citation of a recalled statement is
precise unless it is irrelevant: it alone does not entail the statement, and the others entail it without it. A citation
of a statement that is not recalled is not precise. A statement without a citation is not recalled.

Not decided here: entailment. ``by_checker`` takes the project's checker; an NLI model is another function of the same
form.

References
----------
Gao et al., EMNLP 2023, 10.18653/v1/2023.emnlp-main.398 (ALCE).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from assistant.claim import Claim, Verdict
from assistant.evidence import Ledger
from assistant.grounding import check_claim
from encoders.errors import InputError

Entails = Callable[[Sequence[str], str], bool]
"""(ids of cited passages, statement) -> whether they entail it."""


@dataclass(frozen=True)
class CitationCounts:
    """statements and how many are recalled; citations and how many are precise. Counts add up over answers."""

    statements: int = 0
    recalled: int = 0
    citations: int = 0
    precise: int = 0

    def __add__(self, other: CitationCounts) -> CitationCounts:
        return CitationCounts(
            self.statements + other.statements, self.recalled + other.recalled,
            self.citations + other.citations, self.precise + other.precise,
        )  # fmt: skip

    @property
    def recall(self) -> float | None:
        """Share of statements that what they cite entails; None without a statement."""
        return self.recalled / self.statements if self.statements else None

    @property
    def precision(self) -> float | None:
        """Share of citations that are needed or entail by themselves; None without a citation."""
        return self.precise / self.citations if self.citations else None

    def to_dict(self) -> Mapping[str, float | int | None]:
        """JSON form, both shares with the counts they are of."""
        return {"statements": self.statements, "recall": self.recall, "citations": self.citations,
                "precision": self.precision}  # fmt: skip


def count_citations(statements: Sequence[tuple[str, Sequence[str]]], entails: Entails) -> CitationCounts:
    """Counts of one answer. statements : (text, ids it cites, each once)

    Raises
    ------
    InputError: a statement cites an id twice.
    """
    total = CitationCounts()
    for text, cited in statements:
        ids = list(cited)
        if len(set(ids)) != len(ids):
            raise InputError(f"{text[:60]!r} cites an id twice ({', '.join(ids)}); give each once.")
        recalled = bool(ids) and entails(ids, text)
        precise = sum(_is_relevant(one, ids, text, entails) for one in ids) if recalled else 0
        total += CitationCounts(1, int(recalled), len(ids), precise)
    return total


def _is_relevant(one: str, ids: Sequence[str], text: str, entails: Entails) -> bool:
    rest = [i for i in ids if i != one]
    return not rest or entails([one], text) or not entails(rest, text)


def by_checker(ledger: Ledger) -> Entails:
    """Entailment as the project's checker sees it: a claim that cites these ids is supported."""

    def entails(ids: Sequence[str], text: str) -> bool:
        return check_claim(Claim(text, tuple(ids)), ledger).verdict is Verdict.SUPPORTED

    return entails
