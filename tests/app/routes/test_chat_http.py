"""The chat and the OpenAI form of it over HTTP: events, stops, waiting, usage, what is ignored, a real client."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import openai
import pytest
from fastapi.testclient import TestClient

from app import workbench
from assistant.chat_events import ChatEvent
from assistant.claim import Verdict
from encoders.errors import LLMUnreachableError

DEMO = "demo-synthetic"
CHAT = f"/v1/cases/{DEMO}/chat"
QUESTION = "Is EGFR mutated?"


def kinds(text: str) -> list[str]:
    return [line[7:] for line in text.splitlines() if line.startswith("event: ")]


def completion(**more: object) -> dict:
    return {"model": f"radomica/{DEMO}", "messages": [{"role": "user", "content": QUESTION}], **more}


def test_the_chat_says_its_id_then_streams_checked_sentences(served: TestClient) -> None:
    answer = served.post(CHAT, json={"question": QUESTION})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert kinds(answer.text) == ["started", "step", "claim", "claim", "done"]
    first = json.loads(answer.text.splitlines()[1][6:])
    assert first["chat_id"].startswith("chat-") and first["ahead"] >= 0


@pytest.mark.parametrize(
    ("error", "code"), [(LLMUnreachableError("no server"), "LLMUnreachableError"), (KeyError("x"), "InternalError")]
)
def test_an_error_is_the_streams_last_event(
    served: TestClient, monkeypatch: pytest.MonkeyPatch, error: Exception, code: str
) -> None:
    def fails(*_: object, **__: object) -> Iterator[ChatEvent]:
        yield ChatEvent("step", "looking")
        raise error

    monkeypatch.setattr(workbench.Workbench, "ask", fails)
    answer = served.post(CHAT, json={"question": QUESTION})
    assert kinds(answer.text)[-1] == "error"
    last = json.loads(answer.text.strip().splitlines()[-1][6:])
    assert last["type"] == code and "Traceback" not in answer.text and "'x'" not in last["message"]
    whole = served.post("/v1/chat/completions", json=completion())
    assert whole.status_code == (503 if code == "LLMUnreachableError" else 500)


def test_a_streaming_answer_is_stopped_by_its_id(served: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(*_: object, **__: object) -> Iterator[ChatEvent]:
        begun.set()
        go_on.wait(20)
        yield ChatEvent("claim", "One.", ("M1",), Verdict.SUPPORTED)
        yield ChatEvent("claim", "Two.", ("M1",), Verdict.SUPPORTED)

    monkeypatch.setattr(workbench.Workbench, "ask", slow)
    texts: list[str] = []
    asking = threading.Thread(target=lambda: texts.append(served.post(CHAT, json={"question": QUESTION}).text))
    asking.start()
    assert begun.wait(20)
    pool = served.app.state.chats
    (chat_id,) = pool.running()
    assert served.post(f"{CHAT}/chat-of-another/stop").status_code == 404
    assert served.post(f"{CHAT}/{chat_id}/stop").json() == {"chat_id": chat_id, "state": "stopping"}
    go_on.set()
    asking.join(20)
    assert kinds(texts[0])[-1] == "stopped" and "Two." not in texts[0]


def test_a_completion_holds_the_checked_answer_its_citations_and_what_was_ignored(served: TestClient) -> None:
    asked = completion(temperature=0.7, max_tokens=5)
    answer = served.post("/v1/chat/completions", json=asked)
    found = answer.json()
    content = found["choices"][0]["message"]["content"]
    assert content.startswith("EGFR p.L858R is present. [M1]\n") and found["choices"][0]["finish_reason"] == "stop"
    assert found["radomica"] == {"case_id": DEMO, "citations": ["M1", "G1"], "withheld": 0, "abstained": False}
    assert answer.headers["x-radomica-ignored"] == "max_tokens, temperature"
    usage = found["usage"]
    assert usage["prompt_tokens"] == 4  # Is, EGFR, mutated, ?
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 4


def test_a_streamed_completion_is_the_same_text_in_chunks(served: TestClient) -> None:
    whole = served.post("/v1/chat/completions", json=completion()).json()["choices"][0]["message"]["content"]
    asked = completion(stream=True, stream_options={"include_usage": True})
    lines = [x[6:] for x in served.post("/v1/chat/completions", json=asked).text.splitlines() if x.startswith("data: ")]
    assert lines[-1] == "[DONE]"
    chunks = [json.loads(x) for x in lines[:-1]]
    said = "".join(c["choices"][0]["delta"].get("content", "") for c in chunks if c["choices"])
    assert said == whole and chunks[-1]["usage"]["total_tokens"] > 0
    assert [c["choices"][0]["finish_reason"] for c in chunks if c["choices"]][-1] == "stop"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"model": "radomica"}, 400), ({"model": "radomica/nobody"}, 404), ({"model": "gpt-4o"}, 404), ({"n": 2}, 422),
        ({"messages": []}, 422), ({"messages": [{"role": "assistant", "content": "a"}]}, 400),
    ],
)  # fmt: skip
def test_requests_that_name_no_case_or_no_question_are_refused(served: TestClient, change: dict, status: int) -> None:
    answer = served.post("/v1/chat/completions", json={**completion(), **change})
    assert answer.status_code == status and answer.json()["error"]["message"]


def test_the_openai_client_lists_asks_and_streams(served: TestClient) -> None:
    client = openai.OpenAI(
        base_url="http://testserver/v1", api_key="none-on-loopback", http_client=served, max_retries=0
    )
    assert f"radomica/{DEMO}" in [m.id for m in client.models.list()]
    messages = [{"role": "user", "content": QUESTION}]
    whole = client.chat.completions.create(model=f"radomica/{DEMO}", messages=messages)
    assert whole.choices[0].message.content.startswith("EGFR p.L858R is present. [M1]")
    parts = client.chat.completions.create(
        model="radomica", messages=messages, stream=True, extra_body={"case_id": DEMO}
    )
    assert "".join(p.choices[0].delta.content or "" for p in parts) == whole.choices[0].message.content
    with pytest.raises(openai.BadRequestError, match="no case is named"):
        client.chat.completions.create(model="radomica", messages=messages)


def test_a_client_that_does_what_a_harness_does_scores_a_task_file(served: TestClient, tmp_path) -> None:
    """The steps of lm-evaluation-harness's local-chat-completions: doc_to_text, one request a document, a filter, a
    metric. The harness itself is not installed."""
    task = {"doc_to_text": "{question}", "doc_to_target": "{answer}", "until": ["\n\n"], "max_gen_toks": 64}
    documents = [
        {"question": "Is EGFR mutated?", "answer": "p.L858R"}, {"question": "Which EGFR variant?", "answer": "p.T790M"},
    ]  # fmt: skip
    (tmp_path / "task.jsonl").write_text("\n".join(json.dumps(d) for d in documents), encoding="utf-8")
    scores = []
    for line in (tmp_path / "task.jsonl").read_text(encoding="utf-8").splitlines():
        document = json.loads(line)
        asked = task["doc_to_text"].format(**document)
        payload = {
            "model": f"radomica/{DEMO}", "messages": [{"role": "user", "content": asked}],
            "max_tokens": task["max_gen_toks"], "temperature": 0, "stop": task["until"], "seed": 1234,
        }  # fmt: skip
        answer = served.post("/v1/chat/completions", json=payload)
        answer.raise_for_status()
        said = answer.json()["choices"][0]["message"]["content"]
        scores.append(task["doc_to_target"].format(**document) in said)
    assert scores == [True, False]
