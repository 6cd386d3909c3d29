"""A real local HTTP server that speaks the OpenAI chat form, and tiny random-weight models saved as real folders."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen3Config, Qwen3ForCausalLM

from assistant.lm_model import train_tokenizer

torch.set_num_threads(1)


@dataclass
class Server:
    """What the server was asked, and how it behaves."""

    models: list[dict[str, Any]] = field(default_factory=lambda: [{"id": "toy", "object": "model"}])
    answer: str = '{"claims": []}'
    refuse_schema: bool = False
    refuse_system: str = ""  # the words of a template that takes no system message
    fail_with: list[int] = field(default_factory=list)  # statuses to answer first
    sleep_s: float = 0.0
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    url: str = ""
    error: str = "try again"  # the words of a failure
    open: int = 0
    most_open: int = 0


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def _json(self, status: int, body: object) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self) -> None:
            self._json(200, {"object": "list", "data": server.models})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.requests.append(body)
            server.headers.append(dict(self.headers))
            server.open += 1
            server.most_open = max(server.most_open, server.open)
            time.sleep(server.sleep_s)
            server.open -= 1
            if server.fail_with:
                self._json(server.fail_with.pop(0), {"error": {"message": server.error}})
            elif server.refuse_system and body["messages"][0]["role"] == "system":
                self._json(400, {"error": {"message": server.refuse_system}})
            elif server.refuse_schema and "response_format" in body:
                self._json(400, {"error": {"message": "response_format json_schema is not supported"}})
            elif body.get("stream"):
                self._stream()
            else:
                message = {"role": "assistant", "content": server.answer}
                choice = {"index": 0, "message": message, "finish_reason": "stop"}
                self._json(200, {"id": "1", "object": "chat.completion", "created": 1, "model": body["model"],
                                 "choices": [choice]})  # fmt: skip

        def _stream(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            for i in range(0, len(server.answer), 5):
                choice = {"index": 0, "delta": {"content": server.answer[i : i + 5]}, "finish_reason": None}
                chunk = {
                    "id": "1",
                    "object": "chat.completion.chunk",
                    "created": 1,
                    "model": "toy",
                    "choices": [choice],
                }
                self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
            self.wfile.write(b"data: [DONE]\n\n")

    return Handler


@pytest.fixture
def llm_server() -> Iterator[Server]:
    server = Server()
    http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(server))
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{http.server_address[1]}"
    yield server
    http.shutdown()
    http.server_close()


TEXTS = ["section: molecular\nM1 variant gene variant\nThe patient has {M1.gene} {M1.variant}. [M1] [G12]"] * 4


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """tiny_folder("llama" | "qwen3", card={...} | None) -> a folder transformers can load."""

    def make(kind: str = "llama", card: dict[str, Any] | None = None) -> Path:
        folder = tmp_path_factory.mktemp(kind)
        tokenizer = train_tokenizer(TEXTS)
        torch.manual_seed(0)
        sizes = {
            "vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
            "num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 512,
            "pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id, "bos_token_id": None,
        }  # fmt: skip
        if kind == "qwen3":
            model = Qwen3ForCausalLM(Qwen3Config(**sizes, head_dim=16))
        else:
            model = LlamaForCausalLM(LlamaConfig(**sizes))
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        if card is not None:
            (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
        return folder

    return make
