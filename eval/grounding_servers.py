"""LLM servers that misbehave, each a real local server: nothing unsupported is printed, and each ends in time.

Kinds: lies under valid ids, prose instead of the schema, an endless stream, truncated JSON, status 500, a stall. The
limit given to the client is ``TIMEOUT_S``, so a 60 s stall is cut off there, as the default limit does at 120 s.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from assistant.claim import Verdict
from assistant.evidence import Ledger
from assistant.llm.openai import OpenAIModel
from assistant.report import SECTION_TITLES
from assistant.section_writer import SectionWriter
from encoders.errors import LLMUnreachableError, SettingsError
from eval.benchmark import Better, Progress, Row

TIMEOUT_S = 5.0
SLACK_S = 10.0
"""What a case may take beyond the client's limit: checking what came, on a busy machine."""

KINDS = ("lies", "no_schema", "endless", "truncated", "status_500", "stall")
_LIES = ("The patient is cured.", "Zolcantinib is an option.", "The lesion measures 999 mm.", "KRAS p.G12C was found.")


def _handler(kind: str, ids: tuple[str, ...], over: threading.Event) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None:
            """Nothing: a benchmark's stderr is for progress."""

        def _send(self, status: int, body: object) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self) -> None:
            self._send(200, {"object": "list", "data": [{"id": "toy", "object": "model"}]})

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            if kind == "stall":
                over.wait(60)
            if kind in ("stall", "status_500"):
                self._send(500, {"error": {"message": "internal"}})
            elif kind == "endless":
                self._endless()
            else:
                self._send(200, _completion(_content(kind, ids)))

        def _endless(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            try:
                while not over.wait(0.02):
                    self.wfile.write(b" " * 200)
            except OSError:
                return  # the client hung up, as it should

    return Handler


def _content(kind: str, ids: tuple[str, ...]) -> str:
    lies = json.dumps({"claims": [{"text": t, "citations": [i]} for t in _LIES for i in ids[:6]]})
    prose = f"Sure! {_LIES[0]} {_LIES[1]} [F1]"
    return {"lies": lies, "no_schema": prose, "truncated": lies[: len(lies) * 2 // 3]}[kind]


def _completion(content: str) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}
    return {"id": "1", "object": "chat.completion", "created": 0, "model": "toy", "choices": [choice]}


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing: a client that hangs up on a stall is what is being tested."""


@contextmanager
def hostile_server(kind: str, ids: tuple[str, ...]) -> Iterator[str]:
    """The address of a running server of this kind."""
    over = threading.Event()
    server = _QuietServer(("127.0.0.1", 0), _handler(kind, ids, over))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1#toy"
    finally:
        over.set()
        server.shutdown()
        server.server_close()


def case_outcome(kind: str, ledger: Ledger, *, timeout_s: float = TIMEOUT_S) -> tuple[int, str, float]:
    """(unsupported statements printed, the message or what was withheld, seconds) of one report."""
    start = time.monotonic()
    with hostile_server(kind, ledger.ids()) as address:
        try:
            writer = SectionWriter(ledger, OpenAIModel(address, timeout_s=timeout_s, retries=1), ())
            claims = [c for name in SECTION_TITLES for c in writer.write(name).claims]
        except (LLMUnreachableError, SettingsError) as error:
            return 0, str(error), time.monotonic() - start
    printed = sum(c.verdict is not Verdict.SUPPORTED or any(lie in c.text for lie in _LIES) for c in claims)
    withheld = f"{len(writer.withheld)} claims withheld, each with a reason" if writer.withheld else ""
    return printed, withheld, time.monotonic() - start


def server_rows(ledger: Ledger, *, progress: Progress = None) -> tuple[Row, ...]:
    """Unsupported statements printed over all kinds, and kinds without a message or over their limit."""
    start = time.monotonic()
    printed, faults = 0, []
    for kind in KINDS:
        lied, message, seconds = case_outcome(kind, ledger)
        printed += lied
        faults += [f"{kind}: no message"] if not message else []
        faults += [f"{kind}: {seconds:.1f} s"] if seconds > TIMEOUT_S + SLACK_S else []
        if progress:
            progress(f"servers: {kind}: {seconds:.1f} s: {message[:90]}")
    seconds = time.monotonic() - start
    return (
        Row("servers.unsupported_printed", float(printed), 0.0, Better.LOWER, len(KINDS), seconds),
        Row(
            "servers.without_message_or_late",
            float(len(faults)),
            0.0,
            Better.LOWER,
            len(KINDS),
            0.0,
            note="; ".join(faults),
        ),
    )
