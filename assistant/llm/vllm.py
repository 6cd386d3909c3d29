"""``vllm:<url>#<model>``: vLLM's server started with ``--enable-prompt-embeds``; soft tokens go as content parts.

``radomica llm serve`` starts one. Soft tokens are sent where adapters for the served model are found: in the model's
own folder, in the shipped decoder's, or under RADOMICA_HOME/adapters. Otherwise the ledger's text carries everything.
A COMPACT decoder's brackets are held inside the ledger by a grammar, as the embedded model's are.

vLLM's maintainers warn that a wrong tensor shape can crash the engine: tensors are built and checked here and never
taken from a client. Keep that server on loopback or a private network.

Not checked: that a server elsewhere, whose model folder cannot be read from here, serves the very weights the adapters
were trained for; only the name tells (``radomica llm check`` says so).
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import openai
import torch

from assistant.llm.answer_limits import answer_limits
from assistant.llm.chat_model import ChatRequest, ImagePart, PromptStyle, SoftTokensPart, TextPart, read_evidence_types
from assistant.llm.locations import SHIPPED_LM, adapter_folder
from assistant.llm.lora import check_served_lora
from assistant.llm.openai import RETRIES, TIMEOUT_S, OpenAIModel, error_words
from assistant.llm.reference_ebnf import reference_ebnf
from assistant.llm.soft_tokens import CARD_FILE, AdapterSet, llm_fingerprint
from assistant.llm.vision import read_image_reading
from assistant.lm_lines import referable_fields
from encoders.errors import ContractError, LLMUnreachableError, SettingsError

TEMPLATE_TOKENS = 64
"""Room for what a chat template adds."""


def encode_prompt_embeds(part: SoftTokensPart, hidden_size: int) -> str:
    """Soft tokens (n, H) float32 as base64 of ``torch.save``, the form vLLM reads.

    Raises
    ------
    ContractError: any other shape or dtype, or a value that is not finite.
    """
    vectors = part.vectors
    if vectors.ndim != 2 or len(vectors) < 1 or vectors.shape[1] != hidden_size or vectors.dtype != np.float32:
        raise ContractError(
            f"{part.modality} soft tokens are {vectors.dtype} {vectors.shape}; vLLM needs "
            f"float32 (n >= 1, {hidden_size})."
        )
    if not np.isfinite(vectors).all():
        raise ContractError(f"{part.modality} soft tokens hold a value that is not finite.")
    buffer = io.BytesIO()
    torch.save(torch.from_numpy(vectors.copy()), buffer)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


class VLLMModel(OpenAIModel):
    """A vLLM server; soft tokens where adapters for its model exist.

    weights_verified : the served folder can be read here and its weights are those the adapters were trained for
    """

    scheme = "vllm"
    CONCURRENT: ClassVar[int] = 16
    """vLLM batches what is open at once."""

    def __init__(
        self, address: str, *, allow_remote: bool = False, timeout_s: float = TIMEOUT_S, retries: int = RETRIES
    ) -> None:
        super().__init__(address, allow_remote=allow_remote, timeout_s=timeout_s, retries=retries)
        served_folder = Path(str(self.served.get("root") or self.model))
        folder = self._card_folder(served_folder)
        self.grammar_refused = False
        self.weights_verified = False
        self.adapters = self._adapters(folder, served_folder) if folder is not None else None
        self.takes_soft_tokens = self.adapters is not None
        self.images = read_image_reading(served_folder, adapter_folder(self.model))
        if folder is not None:
            card = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
            check_served_lora(card, folder, served_folder)
            self.style = PromptStyle(card.get("style", PromptStyle.INSTRUCT.value))
            self.evidence_types = read_evidence_types(card)

    def _card_folder(self, served_folder: Path) -> Path | None:
        """The folder whose card speaks for the served model: its own, the shipped one, or the user's adapters."""
        card = served_folder / CARD_FILE
        if (
            card.is_file()
        ):  # a link in a folder made by `llm serve`, which leads to the adapters; never a hub cache's blob
            return card.resolve().parent if card.resolve().name == CARD_FILE else served_folder
        if self.model == "radomica-lm" and (SHIPPED_LM / CARD_FILE).is_file():
            return SHIPPED_LM
        users = adapter_folder(self.model)
        return users if (users / CARD_FILE).is_file() else None

    def _adapters(self, folder: Path, served_folder: Path) -> AdapterSet | None:
        """Adapters in ``folder``, tied to the served weights where they can be read here, else to those beside them."""
        readable = (served_folder / "config.json").is_file()
        weights = served_folder if readable else folder if (folder / "config.json").is_file() else None
        found = AdapterSet.load(folder, llm_hash=llm_fingerprint(weights) if weights is not None else None)
        width = _width_of(served_folder)
        if found is not None and width is not None and width != found.hidden_size:
            raise ContractError(
                f"the adapters write vectors of width {found.hidden_size}, the served {self.model} reads {width}; "
                "nothing is sent, a wrong width can crash vLLM's engine."
            )
        self.weights_verified = found is not None and readable
        return found

    def soft_tokens(self, embeddings: Any) -> tuple[SoftTokensPart, ...]:
        """Adapter output for these embeddings; () when no adapter for the served model is found."""
        return self.adapters(embeddings) if self.adapters is not None else ()

    def versions(self) -> dict[str, str]:
        """As the OpenAI backend, and whether soft tokens are sent."""
        extra = {"grammar": "refused by the server; citations are checked afterwards"} if self.grammar_refused else {}
        return {**super().versions(), "adapters": "trained" if self.adapters else "none", **extra}

    def generate_token_ids(self, requests: Sequence[ChatRequest]) -> list[list[int]]:
        """The generated token ids of each request, without grammar or schema; what the benchmarks compare.

        Raises
        ------
        LLMUnreachableError: the server does not answer, or not with token ids (vLLM before 0.11).
        """

        def ask(request: ChatRequest) -> list[int]:
            bare = replace(request, schema=None, allowed_ids=())
            try:
                with answer_limits(self.timeout_s, request.max_tokens):
                    answer = self._create(bare, stream=False, schema=False, extra={"return_token_ids": True})
            except openai.BadRequestError as error:
                raise self._refused(error) from error
            except openai.OpenAIError as error:
                raise self._unreachable(error) from error
            ids = getattr(answer.choices[0], "token_ids", None)
            if ids is None:
                raise LLMUnreachableError(f"the vLLM server at {self.address.base_url} does not tell token ids.")
            return list(ids)

        with ThreadPoolExecutor(self.CONCURRENT) as pool:
            return list(pool.map(ask, requests))

    def _budget(self, request: ChatRequest) -> dict[str, int]:
        """Nothing where prompt and answer might not fit the model together: vLLM then gives the room that is left.

        A prompt has at most as many tokens as bytes, so what is sent always fits.
        """
        parts = [p for m in request.messages for p in m.parts]
        most = sum(len(p.text.encode()) if isinstance(p, TextPart) else 0 for p in parts)
        most += sum(len(p.vectors) for p in parts if isinstance(p, SoftTokensPart))
        limit = self.served.get("max_model_len")
        fits = not isinstance(limit, int) or most + TEMPLATE_TOKENS + request.max_tokens <= limit
        return super()._budget(request) if fits else {}

    def _options(self, request: ChatRequest, *, schema: bool) -> dict[str, Any]:
        """The JSON schema as everywhere; a COMPACT decoder gets the grammar of its brackets instead."""
        if self.style is not PromptStyle.COMPACT or self.grammar_refused or not request.allowed_ids:
            return super()._options(request, schema=schema)
        text = "\n".join(p.text for m in request.messages for p in m.parts if isinstance(p, TextPart))
        found = referable_fields(text)
        grammar = reference_ebnf({i: found.get(i, ()) for i in request.allowed_ids})
        return {"extra_body": {"structured_outputs": {"grammar": grammar}}}

    def _ask(self, request: ChatRequest, *, stream: bool) -> Any:
        try:
            return super()._ask(request, stream=stream)
        except SettingsError as error:
            cause = error.__cause__
            words = error_words(cause).lower() if isinstance(cause, openai.BadRequestError) else ""
            if self.style is not PromptStyle.COMPACT or self.grammar_refused or "grammar" not in words:
                raise
            self.grammar_refused = True
        return super()._ask(request, stream=stream)

    def _refused(self, error: openai.APIStatusError) -> SettingsError:
        if "prompt_embeds" in error_words(error) or "prompt-embeds" in error_words(error):
            return SettingsError(
                f"the vLLM server at {self.address.base_url} was started without --enable-prompt-embeds, which soft "
                "tokens need; start it with `radomica llm serve`, or use "
                f"--llm openai:{self.address.base_url}#{self.model} to send text alone."
            )
        return super()._refused(error)

    def _part(self, part: TextPart | SoftTokensPart | ImagePart) -> dict[str, Any]:
        if not isinstance(part, SoftTokensPart):
            return super()._part(part)
        if self.adapters is None:
            raise ContractError(f"{self.spec} has no adapters; build the request with soft=().")
        return {"type": "prompt_embeds", "data": encode_prompt_embeds(part, self.adapters.hidden_size)}


def _width_of(folder: Path) -> int | None:
    """Hidden size of the model in a folder that can be read here, else None."""
    config = folder / "config.json"
    if not config.is_file():
        return None
    found = json.loads(config.read_text(encoding="utf-8"))
    width = found.get("hidden_size", found.get("text_config", {}).get("hidden_size"))
    return int(width) if width else None
