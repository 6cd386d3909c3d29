"""``openai:<url>#<model>``: any server that speaks the OpenAI chat form (Ollama, LM Studio, hosted). No soft tokens.

The answer's JSON schema is sent as ``response_format``; a server that refuses it is asked once more without, and one
whose chat template refuses a system message is asked with its text in the user message; the versions say so.
Connection failures, overload and server errors are tried again with growing pauses, all within one time limit
(assistant/llm/answer_limits.py), then named with the address. Several requests go out at once.

Not known here: what the messages say, whether claims are true.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ClassVar

import httpx
import openai

from assistant.llm.address import ServerAddress, parse_address
from assistant.llm.answer_limits import LimitedTransport, OverLimitError, answer_limits
from assistant.llm.chat_model import (
    SYSTEM_FOLDED,
    ChatRequest,
    ImagePart,
    Message,
    PromptStyle,
    SoftTokensPart,
    TextPart,
    fold_system,
    strip_ends,
)
from assistant.llm.locations import adapter_folder
from assistant.llm.vision import ImageReading, read_image_reading
from encoders.errors import ContractError, LLMUnreachableError, SettingsError

TIMEOUT_S = 120.0
"""One answer, retries included."""

CONNECT_TIMEOUT_S = 5.0
RETRIES = 2
NO_KEY = "not-needed"
_LISTING_TOKENS = 1_000  # room for a listing of models, in the unit of an answer


@dataclass(frozen=True)
class TokenCount:
    """What a server said it read and wrote. ``uncounted`` : answers that came without a count."""

    requests: int = 0
    prompt: int = 0
    completion: int = 0
    uncounted: int = 0


class OpenAIModel:
    """A chat server. Construction asks it for its models, so a wrong address or model fails before any work.

    system_refused : its chat template takes no system message; requests_folded : how many went without one so far
    images : how key slices are sent, or None when nothing says that the model reads images
    """

    scheme = "openai"
    CONCURRENT: ClassVar[int] = 4
    """Requests of one report that are open at once; a laptop server works them off one by one anyway."""

    def __init__(
        self, address: str, *, allow_remote: bool = False, timeout_s: float = TIMEOUT_S, retries: int = RETRIES
    ) -> None:
        self.address: ServerAddress = parse_address(address, allow_remote=allow_remote)
        self.style = PromptStyle.INSTRUCT
        self.takes_soft_tokens = False
        self.schema_refused = False
        self.system_refused = False
        self.requests_folded = 0
        self.timeout_s = timeout_s
        self._lock = threading.Lock()
        self._tokens = TokenCount()
        timeout = httpx.Timeout(timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s))
        self._client = openai.OpenAI(
            base_url=self.address.base_url,
            api_key=os.environ.get("OPENAI_API_KEY") or NO_KEY,
            timeout=timeout,
            max_retries=retries,
            http_client=httpx.Client(transport=LimitedTransport(), timeout=timeout),
        )
        self.served = self._find_model()
        self.model = str(self.served["id"])
        self.spec = f"{self.scheme}:{self.address.base_url}#{self.model}"
        self.images: ImageReading | None = read_image_reading(adapter_folder(self.model))

    def _find_model(self) -> dict[str, Any]:
        """The served model meant by the address, as the server lists it."""
        try:
            with answer_limits(self.timeout_s, _LISTING_TOKENS):
                listed = [m.model_dump() for m in self._client.models.list().data]
        except openai.NotFoundError:
            listed = []  # some servers have no listing; then the name must be given
        except openai.OpenAIError as error:
            raise self._unreachable(error) from error
        except (TypeError, AttributeError, ValueError) as error:
            raise self._unreachable(error) from error
        named = self.address.model
        if named is None:
            if len(listed) == 1:
                return listed[0]
            names = ", ".join(m["id"] for m in listed) or "no listing"
            raise SettingsError(f"name the model after # in the LLM address; {self.address.base_url} serves: {names}.")
        for entry in listed:
            if entry["id"] == named:
                return entry
        if listed:
            names = ", ".join(m["id"] for m in listed)
            raise SettingsError(f"{self.address.base_url} does not serve {named!r}; it serves: {names}.")
        return {"id": named}

    def _unreachable(self, error: Exception) -> LLMUnreachableError:
        return LLMUnreachableError(
            f"the LLM server at {self.address.base_url} does not answer ({_what_happened(error)}); start it, correct "
            "the address, or use --llm embedded."
        )

    # ---- the protocol ----

    @property
    def tokens(self) -> TokenCount:
        """Tokens read and written since this object was made, as the server counted them."""
        return self._tokens

    def soft_tokens(self, embeddings: Any) -> tuple[SoftTokensPart, ...]:
        """None: the OpenAI form has no place for them; the text carries everything."""
        return ()

    def versions(self) -> dict[str, str]:
        """Model and server as named by the address; what the server did not accept."""
        extra = {"response_format": "json_schema refused by the server; asked in words"} if self.schema_refused else {}
        if self.system_refused:
            extra["system_role"] = SYSTEM_FOLDED
        return {"llm": self.model, "llm_server": self.address.base_url, **extra}

    def generate(self, request: ChatRequest) -> str:
        """The whole answer.

        Raises
        ------
        LLMUnreachableError: no connection, no whole answer in time, or a server error after the retries.
        SettingsError: the server refuses the request (its words are in the message).
        """
        answer = self._ask(request, stream=False)
        try:
            text = answer.choices[0].message.content
        except (AttributeError, IndexError, TypeError):
            text = None
        if not isinstance(text, str):
            raise LLMUnreachableError(f"the LLM server at {self.address.base_url} sent an answer without text.")
        self._count(getattr(answer, "usage", None))
        return text.strip()

    def generate_many(self, requests: Sequence[ChatRequest]) -> list[str]:
        """One answer per request, in order; at most CONCURRENT of them are open at once."""
        if len(requests) < 2:
            return [self.generate(r) for r in requests]
        with ThreadPoolExecutor(min(self.CONCURRENT, len(requests))) as pool:
            waiting = [pool.submit(self.generate, r) for r in requests]
            try:
                return [w.result() for w in waiting]
            finally:
                pool.shutdown(wait=False, cancel_futures=True)  # after a failure the rest would be asked for nothing

    def stream(self, request: ChatRequest) -> Iterator[str]:
        """The answer in pieces as the server sends them, blank ends removed."""
        yield from strip_ends(self._pieces(request))

    # ---- inside ----

    def _pieces(self, request: ChatRequest) -> Iterator[str]:
        answer = self._ask(request, stream=True)
        try:
            for chunk in answer:
                if chunk.choices and chunk.choices[0].delta.content:
                    yield chunk.choices[0].delta.content
        except (openai.OpenAIError, httpx.HTTPError, ValueError, AttributeError, TypeError) as error:
            raise self._unreachable(error) from error
        finally:
            if hasattr(answer, "close"):
                answer.close()

    def _count(self, usage: Any) -> None:
        prompt, written = getattr(usage, "prompt_tokens", None), getattr(usage, "completion_tokens", None)
        missing = prompt is None or written is None
        with self._lock:
            t = self._tokens
            self._tokens = TokenCount(
                t.requests + 1, t.prompt + (prompt or 0), t.completion + (written or 0), t.uncounted + missing
            )

    def _ask(self, request: ChatRequest, *, stream: bool) -> Any:
        schema = not self.schema_refused
        try:
            with answer_limits(self.timeout_s, request.max_tokens):
                return self._create(request, stream=stream, schema=schema)
        except openai.BadRequestError as error:
            if not schema or request.schema is None or not _about_schema(error):
                raise self._refused(error) from error
            self.schema_refused = True
        except (openai.NotFoundError, openai.AuthenticationError, openai.PermissionDeniedError) as error:
            raise self._refused(error) from error
        except (openai.OpenAIError, json.JSONDecodeError) as error:
            raise self._unreachable(error) from error
        return self._ask(request, stream=stream)

    def _refused(self, error: openai.APIStatusError) -> SettingsError:
        return SettingsError(f"the LLM server at {self.address.base_url} refused the request: {error_words(error)}")

    def _create(self, request: ChatRequest, *, stream: bool, schema: bool, extra: dict[str, Any] | None = None) -> Any:
        """One answer of the server; asked once more without a system message where its template refuses one."""
        folds = any(m.role == "system" for m in request.messages)
        options = self._options(request, schema=schema) if extra is None else {"extra_body": extra}
        if not (folds and self.system_refused):
            try:
                return self._send(request, request.messages, stream=stream, options=options)
            except openai.APIStatusError as error:
                if not folds or not _about_system(error):
                    raise
        answer = self._send(request, fold_system(request.messages), stream=stream, options=options)
        with self._lock:
            self.system_refused = True
            self.requests_folded += 1
        return answer

    def _send(
        self, request: ChatRequest, messages: Sequence[Message], *, stream: bool, options: Mapping[str, Any]
    ) -> Any:
        return self._client.chat.completions.create(
            model=self.model,
            messages=[self._message(m) for m in messages],  # type: ignore[misc]
            **self._budget(request),
            temperature=request.temperature,
            seed=request.seed,
            stream=stream,
            **options,
        )

    def _budget(self, request: ChatRequest) -> dict[str, int]:
        """What limits the length of the answer."""
        return {"max_tokens": request.max_tokens}

    def _options(self, request: ChatRequest, *, schema: bool) -> dict[str, Any]:
        """What limits the form of the answer."""
        if request.schema is None or not schema:
            return {}
        form = {"name": "claims", "schema": dict(request.schema), "strict": True}
        return {"response_format": {"type": "json_schema", "json_schema": form}}

    def _message(self, message: Message) -> dict[str, Any]:
        if all(isinstance(p, TextPart) for p in message.parts):
            return {
                "role": message.role,
                "content": "\n".join(p.text for p in message.parts if isinstance(p, TextPart)),
            }
        return {"role": message.role, "content": [self._part(p) for p in message.parts]}

    def _part(self, part: TextPart | SoftTokensPart | ImagePart) -> dict[str, Any]:
        if isinstance(part, TextPart):
            return {"type": "text", "text": part.text}
        if isinstance(part, ImagePart):
            if self.images is None:
                raise ContractError(f"nothing says that {self.spec} reads images; build the request without them.")
            return {"type": "image_url", "image_url": {"url": part.data_uri}}
        raise ContractError(f"{self.spec} takes text alone; build the request with soft=().")


_HAPPENED: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    ((openai.APITimeoutError, httpx.TimeoutException), "no answer in time"),
    ((openai.APIConnectionError,), "no connection"),
    ((httpx.HTTPError,), "the connection broke off before the answer was whole"),
    ((ValueError, TypeError, AttributeError), "it sent something that is not a chat answer"),
)


def _what_happened(error: Exception) -> str:
    """The cause in a few words; a server's own words are not repeated."""
    over = next((e for e in (error, error.__cause__) if isinstance(e, OverLimitError)), None)
    if over is not None:
        return str(over)
    if isinstance(error, openai.APIStatusError):
        return f"HTTP {error.status_code}"
    if isinstance(error.__cause__, httpx.RemoteProtocolError | httpx.ReadError):
        error = error.__cause__
    return next((words for kinds, words in _HAPPENED if isinstance(error, kinds)), type(error).__name__)


def _about_schema(error: openai.BadRequestError) -> bool:
    text = error_words(error).lower()
    return any(word in text for word in ("response_format", "json_schema", "schema", "guided", "grammar"))


_NO_SYSTEM = ("system role", "system message", "roles must alternate", "only user and assistant roles")
"""Words of templates that refuse a system message: Gemma 2's "System role not supported", early Mistral's, Zephyr's."""


def _about_system(error: openai.APIStatusError) -> bool:
    """Whether a refusal names the system message; some servers answer a template's error with 500."""
    return any(words in error_words(error).lower() for words in _NO_SYSTEM)


def error_words(error: openai.APIStatusError) -> str:
    """What the server says about its refusal, cut to 300 characters."""
    body = error.body
    if isinstance(body, dict):
        return str(body.get("message", body))[:300]
    return str(body or error)[:300]
