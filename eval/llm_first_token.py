"""Seconds from a chat question to the first words of its answer, embedded model, case already loaded.

The words shown are checked first, so this is the time to the first checked sentence, not to the model's first token.
Each question is asked once of one case, after one question that is not counted (it loads the indexes).
"""

from __future__ import annotations

import os
import statistics
import time

from assistant.chat import answer
from assistant.llm.chat_model import ChatModel
from assistant.pipeline import prepare_case
from encoders.synthetic.cohort import sample_case
from eval.benchmark import Better, Progress, Row

BAR_S = 1.5
QUESTIONS = (
    "Which variants were found?",
    "What does the image show?",
    "What is the risk and why?",
    "Which therapies are options?",
    "Is there a similar case?",
    "What is missing?",
)


def first_token_rows(llm: ChatModel, *, seed: int, progress: Progress = None) -> tuple[Row, ...]:
    """Median over QUESTIONS of the seconds to the first sentence of the answer."""
    context = prepare_case(sample_case(0, seed).patient)
    if progress:
        progress("first token: case loaded")
    start = time.monotonic()
    seconds_to_first("Hello, which cancer is it?", context, llm)
    found = [seconds_to_first(q, context, llm) for q in QUESTIONS]
    note = f"{min(found):.2f} to {max(found):.2f} s; machine load {os.getloadavg()[0]:.1f} at the end"
    value = statistics.median(found)
    return (Row("first_token_s", value, BAR_S, Better.LOWER, len(found), time.monotonic() - start, note=note),)


def seconds_to_first(question: str, context: object, llm: ChatModel) -> float:
    """Seconds until the first sentence, be it an abstention; until the end where nothing is said."""
    start = time.perf_counter()
    for event in answer(question, context, llm):  # type: ignore[arg-type]
        if event.kind in ANSWERING:
            break
    return time.perf_counter() - start


ANSWERING = frozenset({"claim", "abstain", "done"})
