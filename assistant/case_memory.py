"""What was asked and answered about a case, kept by case: the thread of a conversation is the case's id.

A turn is stored in the namespace of its case, so another case's turns cannot be read by mistake. In memory only.
Not known here: how turns are worded for a model (assistant/prompt.py).
"""

from __future__ import annotations

from langgraph.store.memory import InMemoryStore

from encoders.errors import ContractError

MAX_TURNS = 12
"""Most turns handed to an answer, the newest; older ones stay stored until the case is forgotten."""


class CaseMemory:
    """Turns of conversations by case id, in a LangGraph store."""

    def __init__(self) -> None:
        self._store = InMemoryStore()
        self._count: dict[str, int] = {}

    def turns(self, case_id: str) -> tuple[tuple[str, str], ...]:
        """(question, answer) pairs of this case alone, oldest first."""
        last = self._count.get(case_id, 0)
        numbers = range(max(0, last - MAX_TURNS), last)
        found = [self._store.get(self._namespace(case_id), f"{n:06d}") for n in numbers]
        return tuple((item.value["question"], item.value["answer"]) for item in found if item is not None)

    def add(self, case_id: str, question: str, answer: str) -> None:
        """Store one turn of a case."""
        number = self._count.get(case_id, 0)
        self._store.put(self._namespace(case_id), f"{number:06d}", {"question": question, "answer": answer})
        self._count[case_id] = number + 1

    def forget(self, case_id: str) -> None:
        """Drop every turn of a case."""
        for number in range(self._count.pop(case_id, 0)):
            self._store.delete(self._namespace(case_id), f"{number:06d}")

    @staticmethod
    def _namespace(case_id: str) -> tuple[str, str]:
        if not case_id:
            raise ContractError("a conversation needs the id of its case; the thread of a chat is the case's id.")
        return "turns", case_id.replace(".", "\u2024")  # LangGraph keeps "." for itself in a namespace
