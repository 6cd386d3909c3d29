"""Multiple-choice questions in the published MIRAGE form, and the letter a model's answer stands for.

The file is ``{dataset: {id: {"question", "options": {letter: text}, "answer": letter[, "PMID"]}}}``
(Xiong et al., Findings of ACL 2024, 10.18653/v1/2024.findings-acl.372). One real item:
bioasq/60258ebe1cb411341a0000a8 "Has tocilizumab been assessed against Covid-19?" A yes, B no; answer A.

Not checked: whether the gold answer is right.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from encoders.errors import InputError


@dataclass(frozen=True)
class Question:
    """One item. options : letter -> text; answer : the gold letter."""

    dataset: str
    id: str
    question: str
    options: Mapping[str, str]
    answer: str


def load_questions(path: Path, *, datasets: tuple[str, ...] = ()) -> tuple[Question, ...]:
    """Every question of a MIRAGE-form file, in file order; limited to ``datasets`` when given.

    Raises
    ------
    InputError: the file is missing, not JSON, not of this form, or lacks a named dataset.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}). Give a MIRAGE benchmark.json with --data."
        ) from error
    except ValueError as error:
        raise InputError(f"{path}: not JSON ({error}). Give a MIRAGE benchmark.json with --data.") from error
    if not isinstance(content, dict) or not all(isinstance(v, dict) for v in content.values()):
        raise InputError(f"{path}: the rule is {{dataset: {{id: question}}}}; found another JSON shape.")
    unknown = set(datasets) - set(content)
    if unknown:
        raise InputError(f"{path}: no dataset {sorted(unknown)}; it holds {', '.join(sorted(content))}.")
    wanted = datasets or tuple(content)
    questions = tuple(_question(path, name, key, item) for name in wanted for key, item in content[name].items())
    if not questions:
        raise InputError(f"{path}: holds no question; give a file with at least one.")
    return questions


def _question(path: Path, dataset: str, key: str, item: Any) -> Question:
    where = f"{path.name}: {dataset}/{key}"
    if not isinstance(item, dict) or not {"question", "options", "answer"} <= set(item):
        raise InputError(f"{where}: an item needs question, options and answer; found {str(item)[:80]}.")
    options = item["options"]
    if not isinstance(options, dict) or len(options) < 2 or item["answer"] not in options:
        raise InputError(
            f"{where}: answer {item['answer']!r} must be one of at least two options; found {str(options)[:80]}."
        )
    return Question(dataset, key, str(item["question"]), {k: str(v) for k, v in options.items()}, item["answer"])


_STATED = re.compile(
    r"""(?i:["']?\banswer(?:[_ ]?choice)?["']?\s*(?:is|:|=))\s*["'(\[]*"""
    # a small letter counts only where the phrase ends with it: "the answer is a matter of taste" answers nothing
    r"""([A-Z](?![A-Za-z'])|[a-z](?=["')\].,;}]*\s*(?:$|\n)))"""
)
_ALONE = re.compile(r"^\W*(?:option\s+)?([A-Za-z])\W*$", re.IGNORECASE)
_LEADING = re.compile(r"^\W*([A-Z])[.):]\s")


def extract_answer(text: str, options: Mapping[str, str]) -> str | None:
    """The letter ``text`` settles on, or None when it settles on none (no answer is not a wrong answer).

    Accepted, in this order: a stated answer ("answer: B", {"answer_choice": "B"}), of which the last counts;
    a letter alone; a leading "B. ..."; the text of exactly one option, word for word. A letter that is no
    option is no answer. A letter inside a sentence ("a" in "a patient") never counts.
    """
    stated = [m[1].upper() for m in _STATED.finditer(text)]
    if stated:
        return stated[-1] if stated[-1] in options else None
    for pattern in (_ALONE, _LEADING):
        found = pattern.match(text.strip())
        if found:
            return found[1].upper() if found[1].upper() in options else None
    plain = text.strip().strip(".\"'").casefold()
    named = [letter for letter, option in options.items() if option.strip().strip(".").casefold() == plain]
    return named[0] if len(named) == 1 else None
