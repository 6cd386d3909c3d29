"""A local server that speaks the OpenAI chat form at a fixed token rate: a 1 B-class model, emulated.

Each answer holds the evidence's own sentences as claims, one per id, and takes as long as its tokens at that rate. At
most ``SLOTS`` requests are served at once, the rest wait, as a batching server does.

What it cannot show: what a real model's own computing takes away from the pipeline on the same cores; it computes
nothing while it "generates".
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = "paced-1b"
SLOTS = 256
"""Answers written side by side."""

CHARACTERS_PER_TOKEN = 4
"""Rule of thumb for English text in the vocabularies of general models."""


@contextmanager
def paced_server(*, tokens_per_s: float) -> Iterator[str]:
    """Serve on a free loopback port within the block; gives the URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(tokens_per_s))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def _handler(tokens_per_s: float) -> type[BaseHTTPRequestHandler]:
    slots = threading.BoundedSemaphore(SLOTS)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            self._send({"object": "list", "data": [{"id": MODEL, "object": "model"}]})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = _answer(body)
            tokens = -(-len(answer) // CHARACTERS_PER_TOKEN)
            with slots:
                time.sleep(tokens / tokens_per_s)
            message = {"role": "assistant", "content": answer}
            usage = {"prompt_tokens": 0, "completion_tokens": tokens, "total_tokens": tokens}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            self._send({"id": "1", "object": "chat.completion", "created": 1, "model": MODEL, "choices": [choice],
                        "usage": usage})  # fmt: skip

        def _send(self, found: dict[str, Any]) -> None:
            data = json.dumps(found).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    return Handler


def _answer(body: dict[str, Any]) -> str:
    """The evidence's own sentences as claims, one per id the schema allows: what a good model would write."""
    form = body.get("response_format", {}).get("json_schema", {}).get("schema", {})
    try:
        ids = form["properties"]["claims"]["items"]["properties"]["citations"]["items"]["enum"]
    except KeyError:
        return '{"claims": []}'
    text = "\n".join(str(m["content"]) for m in body["messages"])
    claims = []
    for one in ids:
        line = next((x for x in text.splitlines() if x.startswith(f"[{one}] ")), "")
        sentence = line.partition(": ")[2].rpartition(" (fields: ")[0]
        if sentence:
            claims.append({"text": sentence, "citations": [one]})
    return json.dumps({"claims": claims}, ensure_ascii=False)
