"""What an LLM can do, tried on it: soft tokens, JSON schema with citations limited to ids, streaming, images.

Each try is one small request. Soft tokens are tried only in the width of the adapters. Not measured here: how well it
answers (``radomica eval``).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from assistant.llm.chat_model import ChatModel, ChatRequest, Message, PromptStyle, SoftTokensPart, TextPart
from encoders.errors import LLMUnreachableError, RadomicaError, SettingsError

_SCHEMA_IDS = ("M1", "G2")


@dataclass(frozen=True)
class Capability:
    """``ok`` : True works, False does not, None does not apply; ``found`` in words."""

    name: str
    ok: bool | None
    found: str


def check_llm(llm: ChatModel) -> tuple[Capability, ...]:
    """Model, width, weights, then what was tried.

    Raises
    ------
    LLMUnreachableError: it stopped answering.
    """
    versions = llm.versions()
    adapters = getattr(llm, "adapters", None)
    width = str(adapters.hidden_size) if adapters is not None else "not known: no adapters for it are here"
    limit = getattr(llm, "context_tokens", None) or (getattr(llm, "served", None) or {}).get("max_model_len")
    return (
        Capability("model", True, versions.get("llm", llm.spec)),
        Capability("server", None, versions.get("llm_server", "none: runs in this process")),
        Capability("style", None, str(llm.style)),
        Capability("context", None, f"{limit} tokens" if limit else "not told"),
        Capability("width of soft tokens", None, width),
        Capability("weights", *_weights(llm, versions)),
        _tried("text", lambda: _text(llm)),
        _system(llm),
        _soft_tokens(llm),
        _schema(llm),
        _tried("streaming", lambda: _streaming(llm)),
        _images(llm),
    )


def _weights(llm: ChatModel, versions: dict[str, str]) -> tuple[bool | None, str]:
    if "llm_hash" in versions:
        return True, f"hash {versions['llm_hash'][:12]}"
    if getattr(llm, "weights_verified", False):
        return True, "the served folder's hash is the one the adapters were trained for"
    if llm.takes_soft_tokens:
        return None, "not verified: the served folder cannot be read from here, only the model's name tells"
    return None, "not known: a server does not tell"


def _tried(name: str, work: Callable[[], str]) -> Capability:
    start = time.perf_counter()
    try:
        found = work()
    except LLMUnreachableError:
        raise
    except RadomicaError as error:
        return Capability(name, False, str(error))
    return Capability(name, True, f"{found} ({time.perf_counter() - start:.2f} s)")


def _request(*parts: TextPart | SoftTokensPart, schema: dict[str, object] | None = None) -> ChatRequest:
    return ChatRequest((Message("user", parts),), (), schema, max_tokens=8 if schema is None else 120)


def _text(llm: ChatModel) -> str:
    return f"answered {len(llm.generate(_request(TextPart('section: summary'))))} characters"


def _system(llm: ChatModel) -> Capability:
    """INSTRUCT: a request with a system message, and where its text went."""
    if llm.style is PromptStyle.COMPACT:
        return Capability("system message", None, "none is sent to a compact decoder")

    def work() -> str:
        messages = Message("system", (TextPart("Answer briefly."),)), Message("user", (TextPart("Ready?"),))
        llm.generate(ChatRequest(messages, max_tokens=8))
        folded = getattr(llm, "requests_folded", 0)
        return llm.versions().get("system_role", "taken") + (f" ({folded} requests so far)" if folded else "")

    return _tried("system message", work)


def _streaming(llm: ChatModel) -> str:
    return f"{len(list(llm.stream(_request(TextPart('section: summary')))))} pieces"


def _soft_tokens(llm: ChatModel) -> Capability:
    adapters = getattr(llm, "adapters", None)
    if adapters is None:
        return Capability("soft tokens", None, "no adapters for this model are here; the evidence goes as text")
    part = SoftTokensPart(np.zeros((1, adapters.hidden_size), np.float32), "imaging")

    def work() -> str:
        llm.generate(_request(TextPart("section: imaging"), part, TextPart("no lines")))
        return "taken"

    return _tried("soft tokens", work)


def _schema(llm: ChatModel) -> Capability:
    """INSTRUCT: one answer under a schema whose only free choice is an id."""
    if llm.style is PromptStyle.COMPACT:
        refused = getattr(llm, "grammar_refused", False)
        found = "refused by the server" if refused else "brackets held inside the ledger by a grammar"
        return Capability("citations limited to ids", not refused, found)
    ids = {"type": "array", "minItems": 1, "maxItems": 2, "items": {"type": "string", "enum": list(_SCHEMA_IDS)}}
    schema = {
        "type": "object",
        "properties": {"citations": ids},
        "required": ["citations"],
        "additionalProperties": False,
    }

    def work() -> str:
        answer = llm.generate(_request(TextPart("Answer with citations in JSON."), schema=schema))
        if getattr(llm, "schema_refused", False):
            raise SettingsError("the server refuses response_format json_schema; it is asked in words")
        try:
            cited = json.loads(answer)["citations"]
        except (ValueError, KeyError, TypeError) as error:
            raise SettingsError("the server took the schema and did not follow it") from error
        if not cited or not set(cited) <= set(_SCHEMA_IDS):
            raise SettingsError("the server took the schema and cited something else")
        return "followed"

    return _tried("citations limited to ids", work)


def _images(llm: ChatModel) -> Capability:
    images = getattr(llm, "images", None)
    if images is None:
        return Capability("images", None, "nothing says that it reads images; none are sent")
    windows = ", ".join(images.windows) or "the usual window of each series"
    return Capability("images", None, f"key slices are sent; windows from its card: {windows}; not tried")
