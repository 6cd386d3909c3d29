"""A server that stalls, drips, never ends or breaks off is given up within the limit, with a message that says why."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from assistant.llm import answer_limits as limits
from assistant.llm.chat_model import ChatRequest, Message, TextPart
from assistant.llm.openai import OpenAIModel
from encoders.errors import LLMUnreachableError

REQUEST = ChatRequest((Message("user", (TextPart("x"),)),), max_tokens=10)
Write = Callable[[Callable[[bytes], None]], None]


def chunk(text: str) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    found = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "toy", "choices": [choice]}
    return f"data: {json.dumps(found)}\n\n".encode()


def drip(write: Callable[[bytes], None]) -> None:
    for _ in range(100):
        write(b": still here\n\n")
        time.sleep(0.05)


def endless(write: Callable[[bytes], None]) -> None:
    while True:
        write(chunk("and so on " * 50))


def truncated(write: Callable[[bytes], None]) -> None:
    write(chunk("half a "))
    write(b'data: {"id": "1", "choi\n\n')


def broken_off(write: Callable[[bytes], None]) -> None:
    write(chunk("half a "))


@pytest.fixture
def serving() -> Iterator[Callable[..., str]]:
    """serving(write, content_length=...) -> URL of a server whose every answer is written by ``write``."""
    servers: list[ThreadingHTTPServer] = []

    def start(write: Write, content_length: int | None = None) -> str:
        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args: object) -> None:
                pass

            def do_GET(self) -> None:
                body = json.dumps({"object": "list", "data": [{"id": "toy", "object": "model"}]}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                if content_length is not None:
                    self.send_header("Content-Length", str(content_length))
                self.end_headers()
                with contextlib.suppress(OSError):  # the client hangs up, as it should
                    write(self.wfile.write)

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("way", ["generate", "stream"])
def test_a_server_that_drips_is_given_up_although_every_read_brings_something(serving, way: str) -> None:
    model = OpenAIModel(serving(drip), timeout_s=0.5, retries=1)
    start = time.monotonic()
    with pytest.raises(LLMUnreachableError, match=r"no complete answer in time, 0\.5 s"):
        list(getattr(model, way)(REQUEST))
    assert time.monotonic() - start < 4.5


def test_an_endless_answer_is_cut_off_at_its_size(serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BASE_BYTES", 50_000)
    model = OpenAIModel(serving(endless), timeout_s=60, retries=0)
    with pytest.raises(LLMUnreachableError, match="an endless answer, cut off after"):
        list(model.stream(REQUEST))


def test_a_truncated_event_is_an_error_after_the_pieces_that_came(serving) -> None:
    pieces = []
    with pytest.raises(LLMUnreachableError, match="not a chat answer"):
        for piece in OpenAIModel(serving(truncated), retries=0).stream(REQUEST):
            pieces.append(piece)
    assert pieces == ["half a"]


def test_a_connection_that_breaks_off_in_the_answer_is_an_error(serving) -> None:
    with pytest.raises(LLMUnreachableError, match="broke off before the answer was whole"):
        list(OpenAIModel(serving(broken_off, content_length=100_000), retries=0).stream(REQUEST))


def test_a_retry_after_the_time_is_over_is_not_sent(llm_server) -> None:
    model = OpenAIModel(llm_server.url, timeout_s=0.4, retries=2)
    llm_server.sleep_s = 1.0
    with pytest.raises(LLMUnreachableError, match="no complete answer in time"):
        model.generate(REQUEST)
    assert len(llm_server.requests) == 1
