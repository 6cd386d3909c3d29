"""``openai:<url>#<model>``: any server that speaks the OpenAI chat form (Ollama, LM Studio, hosted). Text only.

The answer's JSON schema is sent as ``response_format``; a server that refuses it is asked once more without, and the
versions say so. Connection failures and overload are tried again with growing pauses, then named with the address.

Not known here: what the messages say, whether claims are true.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import openai

from assistant.llm.address import ServerAddress, parse_address
from assistant.llm.chat_model import ChatRequest, Message, PromptStyle, SoftTokensPart, TextPart
from encoders.errors import ContractError, LLMUnreachableError, SettingsError

TIMEOUT_S = 120.0
CONNECT_TIMEOUT_S = 5.0
RETRIES = 2
NO_KEY = "not-needed"


class OpenAIModel:
    """A chat server. Construction asks it for its models, so a wrong address or model fails before any work."""

    scheme = "openai"

    def __init__(
        self, address: str, *, allow_remote: bool = False, timeout_s: float = TIMEOUT_S, retries: int = RETRIES
    ) -> None:
        self.address: ServerAddress = parse_address(address, allow_remote=allow_remote)
        self.style = PromptStyle.INSTRUCT
        self.takes_soft_tokens = False
        self.schema_refused = False
        self._client = openai.OpenAI(
            base_url=self.address.base_url,
            api_key=os.environ.get("OPENAI_API_KEY") or NO_KEY,
            timeout=openai.Timeout(timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s)),
            max_retries=retries,
        )
        self.served = self._find_model()
        self.model = str(self.served["id"])
        self.spec = f"{self.scheme}:{self.address.base_url}#{self.model}"

    def _find_model(self) -> dict[str, Any]:
        """The served model meant by the address, as the server lists it."""
        try:
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
        found = f"HTTP {error.status_code}" if isinstance(error, openai.APIStatusError) else type(error).__name__
        if isinstance(error, openai.APITimeoutError):
            found = "no answer in time"
        elif isinstance(error, openai.APIConnectionError):
            found = "no connection"
        return LLMUnreachableError(
            f"the LLM server at {self.address.base_url} does not answer ({found}); start it, correct the address, "
            "or use --llm embedded."
        )

    # ---- the protocol ----

    def soft_tokens(self, embeddings: Any) -> tuple[SoftTokensPart, ...]:
        """None: the OpenAI form has no place for them; the text carries everything."""
        return ()

    def versions(self) -> dict[str, str]:
        """Model and server as named by the address; what the server did not accept."""
        extra = {"response_format": "json_schema refused by the server; asked in words"} if self.schema_refused else {}
        return {"llm": self.model, "llm_server": self.address.base_url, **extra}

    def generate(self, request: ChatRequest) -> str:
        """The whole answer.

        Raises
        ------
        LLMUnreachableError: no connection, no answer in time, or a server error after the retries.
        SettingsError: the server refuses the request (its words are in the message).
        """
        answer = self._ask(request, stream=False)
        if not answer.choices or answer.choices[0].message.content is None:
            raise LLMUnreachableError(f"the LLM server at {self.address.base_url} sent an answer without text.")
        return answer.choices[0].message.content.strip()

    def stream(self, request: ChatRequest) -> Iterator[str]:
        """The answer in pieces as the server sends them."""
        try:
            for chunk in self._ask(request, stream=True):
                if chunk.choices and chunk.choices[0].delta.content:
                    yield chunk.choices[0].delta.content
        except openai.OpenAIError as error:
            raise self._unreachable(error) from error

    # ---- inside ----

    def _ask(self, request: ChatRequest, *, stream: bool) -> Any:
        try:
            return self._create(request, stream=stream, schema=not self.schema_refused)
        except openai.BadRequestError as error:
            if self.schema_refused or request.schema is None or not _about_schema(error):
                raise SettingsError(f"the LLM server refused the request: {_words(error)}") from error
            self.schema_refused = True
        except (openai.NotFoundError, openai.AuthenticationError, openai.PermissionDeniedError) as error:
            raise SettingsError(f"the LLM server at {self.address.base_url} refused: {_words(error)}") from error
        except openai.OpenAIError as error:
            raise self._unreachable(error) from error
        return self._ask(request, stream=stream)

    def _create(self, request: ChatRequest, *, stream: bool, schema: bool) -> Any:
        options: dict[str, Any] = {}
        if request.schema is not None and schema:
            form = {"name": "claims", "schema": dict(request.schema), "strict": True}
            options["response_format"] = {"type": "json_schema", "json_schema": form}
        return self._client.chat.completions.create(
            model=self.model,
            messages=[self._message(m) for m in request.messages],  # type: ignore[misc]
            max_tokens=request.max_tokens,
            temperature=request.temperature,
            seed=request.seed,
            stream=stream,
            **options,
        )

    def _message(self, message: Message) -> dict[str, Any]:
        return {"role": message.role, "content": "\n".join(self._text_of(p) for p in message.parts)}

    def _text_of(self, part: TextPart | SoftTokensPart) -> str:
        if isinstance(part, SoftTokensPart):
            raise ContractError(f"{self.spec} takes text alone; build the request with soft=().")
        return part.text


def _about_schema(error: openai.BadRequestError) -> bool:
    text = _words(error).lower()
    return any(word in text for word in ("response_format", "json_schema", "schema", "guided"))


def _words(error: openai.APIStatusError) -> str:
    body = error.body
    if isinstance(body, dict):
        return str(body.get("message", body))[:300]
    return str(body or error)[:300]
