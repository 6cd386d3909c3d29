"""What an OpenAI request asks: its case, its question with the turns before, and what is not used."""

from __future__ import annotations

import pytest
from fastapi import HTTPException

from app.routes.openai import CompletionRequest, as_question, case_named, ignored_words


def request(model: str = "radomica/case-a", content: object = "Is EGFR mutated?", **more: object) -> CompletionRequest:
    return CompletionRequest(model=model, messages=[{"role": "user", "content": content}], **more)


def test_the_case_is_named_by_model_field_or_header() -> None:
    assert case_named(request(), None) == "case-a"
    assert case_named(request("radomica", case_id="case-b"), None) == "case-b"
    assert case_named(request("radomica"), "case-c") == "case-c"
    assert case_named(request(case_id="case-a"), "case-a") == "case-a"


@pytest.mark.parametrize(
    ("asked", "header", "status", "words"),
    [
        (request("radomica"), None, 400, "no case is named"),
        (request("radomica/"), None, 400, "no case is named"),
        (request(case_id="case-b"), None, 400, "2 different cases"),
        (request(), "case-b", 400, "2 different cases"),
        (request("gpt-4o"), "case-a", 404, "no model 'gpt-4o'"),
    ],
)
def test_no_case_two_cases_or_another_model_are_refused(asked, header, status, words) -> None:
    with pytest.raises(HTTPException, match=words) as refused:
        case_named(asked, header)
    assert refused.value.status_code == status


def test_earlier_turns_are_history_and_unused_parameters_are_named() -> None:
    asked = CompletionRequest(
        model="radomica/case-a", temperature=0.7, max_tokens=10, stop=["\n"], user=None,
        messages=[
            {"role": "system", "content": "You are a poet."},
            {"role": "user", "content": "Is EGFR mutated?"},
            {"role": "assistant", "content": "EGFR p.L858R is present. [M1]"},
            {"role": "user", "content": [{"type": "text", "text": "And TP53?"}]},
        ],
    )  # fmt: skip
    question, ignored = as_question(asked)
    assert question.question == "And TP53?"
    assert question.history == [("Is EGFR mutated?", "EGFR p.L858R is present. [M1]")]
    assert ignored == ["max_tokens", "messages[system]", "stop", "temperature"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("  ", "the last message must be the user's"),
        ("x" * 2001, "2001 characters"),
        ([{"type": "image_url", "image_url": {"url": "data:,"}}], "image_url are not taken"),
    ],
)
def test_questions_that_cannot_be_answered_are_refused(content: object, words: str) -> None:
    with pytest.raises(HTTPException, match=words) as refused:
        as_question(request(content=content))
    assert refused.value.status_code == 400


def test_the_last_word_must_be_the_users() -> None:
    talk = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    with pytest.raises(HTTPException, match="last message"):
        as_question(CompletionRequest(model="radomica/case-a", messages=talk))


def test_a_made_up_parameter_name_cannot_write_a_header() -> None:
    assert ignored_words(["top_p", "a\r\nSet-Cookie: x", "\u65e5"]) == "top_p, 2 more"
    assert ignored_words([f"p{i}" for i in range(40)]).endswith(", 10 more")
