"""LLM spec -> backend: ``embedded``, ``hf:<id or folder>``, ``vllm:<url>#<model>``, ``openai:<url>#<model>``."""

from __future__ import annotations

from functools import cache

from assistant.llm.chat_model import ChatModel
from encoders.errors import SettingsError

FORMS = ("embedded", "hf:<hub id or folder>", "vllm:<url>#<model>", "openai:<url>#<model>")


def load_llm(spec: str, *, allow_remote: bool = False) -> ChatModel:
    """The backend a spec names, ready to use.

    Raises
    ------
    SettingsError: the spec has none of the four forms, or its address may not be used.
    LLMUnreachableError: the server does not answer.
    UnavailableError: the model's files are not here.
    ContractError: its adapters were trained with other encoders than those in use, or for another LLM.
    """
    model = _open(spec, allow_remote=allow_remote)
    adapters = getattr(model, "adapters", None)
    if adapters is not None:
        from assistant.llm.soft_tokens import check_encoder  # noqa: PLC0415

        check_encoder(adapters)
    return model


def _open(spec: str, *, allow_remote: bool) -> ChatModel:
    scheme, _, rest = spec.strip().partition(":")
    if scheme == "embedded" and not rest:
        return _embedded()
    if not rest or scheme not in {"hf", "vllm", "openai"}:
        raise SettingsError(f"the LLM spec is {spec!r}; allowed: {', '.join(FORMS)}.")
    # Imported where needed: torch and the OpenAI client take seconds that the other specs need not pay.
    if scheme == "hf":
        from assistant.llm.huggingface import open_hugging_face  # noqa: PLC0415

        return open_hugging_face(rest, spec=spec)
    if scheme == "vllm":
        from assistant.llm.vllm import VLLMModel  # noqa: PLC0415

        return VLLMModel(rest, allow_remote=allow_remote)
    from assistant.llm.openai import OpenAIModel  # noqa: PLC0415

    return OpenAIModel(rest, allow_remote=allow_remote)


@cache
def _embedded() -> ChatModel:
    from assistant.llm.embedded import EmbeddedModel  # noqa: PLC0415

    return EmbeddedModel()
