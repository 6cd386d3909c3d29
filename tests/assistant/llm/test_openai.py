"""The OpenAI-form backend against a real local server: answers, streams, refusals, slowness."""

from __future__ import annotations

import numpy as np
import pytest

from assistant.llm.chat_model import ChatRequest, Message, SoftTokensPart, TextPart
from assistant.llm.check_server import check_llm
from assistant.llm.openai import OpenAIModel
from assistant.prompt import claims_schema
from encoders.errors import ContractError, LLMUnreachableError, SettingsError

REQUEST = ChatRequest(
    (Message("user", (TextPart("one"), TextPart("two"))),), ("M1",), claims_schema(("M1",)), 50, 0.0, 7
)


def test_the_answer_is_the_servers_and_the_schema_is_sent_with_the_ids(llm_server) -> None:
    llm_server.answer = ' {"claims": []} '
    model = OpenAIModel(f"{llm_server.url}#toy")
    assert model.generate(REQUEST) == '{"claims": []}'
    sent = llm_server.requests[0]
    assert sent["messages"] == [{"role": "user", "content": "one\ntwo"}]
    assert (sent["max_tokens"], sent["temperature"], sent["seed"]) == (50, 0.0, 7)
    citations = sent["response_format"]["json_schema"]["schema"]["properties"]["claims"]["items"]["properties"][
        "citations"
    ]
    assert citations["items"]["enum"] == ["M1"]


def test_a_server_with_one_model_needs_no_name(llm_server) -> None:
    assert OpenAIModel(llm_server.url).spec == f"openai:{llm_server.url}/v1#toy"


def test_streamed_pieces_join_to_the_generated_answer(llm_server) -> None:
    llm_server.answer = "a longer answer in pieces"
    model = OpenAIModel(llm_server.url)
    assert "".join(model.stream(REQUEST)) == model.generate(REQUEST)


def test_a_server_without_json_schema_is_asked_once_more_and_that_is_said(llm_server) -> None:
    llm_server.refuse_schema = True
    model = OpenAIModel(llm_server.url)
    model.generate(REQUEST)
    model.generate(REQUEST)
    assert ["response_format" in r for r in llm_server.requests] == [True, False, False]
    assert "refused" in model.versions()["response_format"]


SYSTEM = ChatRequest((Message("system", (TextPart("Rules."),)), Message("user", (TextPart("one"), TextPart("two")))))
REFUSALS = (
    "System role not supported",
    "Conversation roles must alternate user/assistant/user/assistant/...",
    'Error rendering prompt with jinja template: "Only user and assistant roles are supported!"',
)


@pytest.mark.parametrize("words", REFUSALS)
def test_a_template_without_a_system_role_gets_its_text_in_the_user_message_and_that_is_said(llm_server, words) -> None:
    model = OpenAIModel(llm_server.url)
    assert model.generate(SYSTEM) == llm_server.answer and "system_role" not in model.versions()
    llm_server.requests.clear()
    llm_server.refuse_system = words
    assert model.generate(SYSTEM) == llm_server.answer
    "".join(model.stream(SYSTEM))
    roles = [[m["role"] for m in r["messages"]] for r in llm_server.requests]
    assert roles == [["system", "user"], ["user"], ["user"]]  # refused once, then never sent again
    assert llm_server.requests[-1]["messages"] == [{"role": "user", "content": "Rules.\n\none\ntwo"}]
    assert model.versions()["system_role"] == "not taken by the chat template; its text opens the user message"
    assert model.requests_folded == 2


def test_another_refusal_is_no_reason_to_leave_the_system_message_out(llm_server) -> None:
    model = OpenAIModel(llm_server.url)
    llm_server.fail_with, llm_server.error = [400], "the prompt is too long"
    with pytest.raises(SettingsError, match="too long"):
        model.generate(SYSTEM)
    assert len(llm_server.requests) == 1 and not model.system_refused


def test_check_says_where_the_system_message_went(llm_server) -> None:
    llm_server.refuse_system = REFUSALS[0]
    found = {c.name: c for c in check_llm(OpenAIModel(llm_server.url))}
    assert found["system message"].ok and "opens the user message" in found["system message"].found


def test_an_overloaded_server_is_tried_again(llm_server) -> None:
    llm_server.fail_with = [503]
    model = OpenAIModel(llm_server.url)
    assert model.generate(REQUEST) == '{"claims": []}'
    assert len(llm_server.requests) == 2


def test_a_server_that_keeps_failing_is_unreachable_with_its_address(llm_server) -> None:
    llm_server.fail_with = [500, 500]
    model = OpenAIModel(llm_server.url, retries=1)
    with pytest.raises(LLMUnreachableError, match=r"127\.0\.0\.1.*HTTP 500.*--llm embedded"):
        model.generate(REQUEST)


def test_a_slow_server_is_given_up_in_time(llm_server) -> None:
    model = OpenAIModel(llm_server.url, timeout_s=0.3, retries=0)
    llm_server.sleep_s = 1.5
    with pytest.raises(LLMUnreachableError, match="no answer in time"):
        model.generate(REQUEST)


def test_nobody_at_the_address_is_unreachable() -> None:
    with pytest.raises(LLMUnreachableError, match=r"http://127\.0\.0\.1:9/v1 does not answer \(no connection\)"):
        OpenAIModel("http://127.0.0.1:9#toy", retries=0)


def test_a_model_the_server_does_not_have_is_named_with_those_it_has(llm_server) -> None:
    with pytest.raises(SettingsError, match=r"does not serve 'gpt-9'; it serves: toy"):
        OpenAIModel(f"{llm_server.url}#gpt-9")


def test_several_models_and_no_name_is_a_settings_error(llm_server) -> None:
    llm_server.models = [{"id": "a", "object": "model"}, {"id": "b", "object": "model"}]
    with pytest.raises(SettingsError, match="serves: a, b"):
        OpenAIModel(llm_server.url)


def test_the_users_key_is_sent_and_a_placeholder_otherwise(llm_server, monkeypatch) -> None:
    OpenAIModel(llm_server.url).generate(REQUEST)
    monkeypatch.setenv("OPENAI_API_KEY", "key-of-the-user")
    OpenAIModel(llm_server.url).generate(REQUEST)
    assert [{k.lower(): v for k, v in h.items()}["authorization"] for h in llm_server.headers] == [
        "Bearer not-needed",
        "Bearer key-of-the-user",
    ]


def test_soft_tokens_are_refused_because_the_form_has_no_place_for_them(llm_server) -> None:
    soft = SoftTokensPart(np.zeros((2, 4), np.float32), "imaging")
    with pytest.raises(ContractError, match="text alone"):
        OpenAIModel(llm_server.url).generate(ChatRequest((Message("user", (soft,)),)))
