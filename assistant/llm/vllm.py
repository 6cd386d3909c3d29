"""``vllm:<url>#<model>``: vLLM's server started with ``--enable-prompt-embeds``; soft tokens go as content parts.

Start it with ``python -m vllm.entrypoints.openai.api_server --model DIR --enable-prompt-embeds``. Soft tokens are sent
where adapters for the served model are found: in the model's own folder, in the shipped decoder's, or under
RADOMICA_HOME/adapters. Otherwise the ledger's text carries everything.

vLLM's maintainers warn that a wrong tensor shape can crash the engine: tensors are built and checked here and never
taken from a client. Keep that server on loopback or a private network.
"""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from assistant.llm.chat_model import Message, PromptStyle, SoftTokensPart, TextPart, read_evidence_types
from assistant.llm.locations import SHIPPED_LM, adapter_folder
from assistant.llm.openai import RETRIES, TIMEOUT_S, OpenAIModel
from assistant.llm.soft_tokens import CARD_FILE, AdapterSet, llm_fingerprint
from encoders.errors import ContractError


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
    """A vLLM server; soft tokens where adapters for its model exist."""

    scheme = "vllm"

    def __init__(
        self, address: str, *, allow_remote: bool = False, timeout_s: float = TIMEOUT_S, retries: int = RETRIES
    ) -> None:
        super().__init__(address, allow_remote=allow_remote, timeout_s=timeout_s, retries=retries)
        folder = self._card_folder()
        self.adapters = self._adapters(folder) if folder is not None else None
        self.takes_soft_tokens = self.adapters is not None
        if folder is not None:
            card = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
            self.style = PromptStyle(card.get("style", PromptStyle.INSTRUCT.value))
            self.evidence_types = read_evidence_types(card)

    def _card_folder(self) -> Path | None:
        """The folder whose card speaks for the served model: its own, the shipped one, or the user's adapters."""
        own = Path(str(self.served.get("root") or self.model))
        if (own / CARD_FILE).is_file():
            return own
        if self.model == "radomica-lm" and (SHIPPED_LM / CARD_FILE).is_file():
            return SHIPPED_LM
        users = adapter_folder(self.model)
        return users if (users / CARD_FILE).is_file() else None

    @staticmethod
    def _adapters(folder: Path) -> AdapterSet | None:
        """Adapters in ``folder``, tied to the LLM beside them where its weights can be read here."""
        has_weights = (folder / "config.json").is_file()
        return AdapterSet.load(folder, llm_hash=llm_fingerprint(folder) if has_weights else None)

    def soft_tokens(self, embeddings: Any) -> tuple[SoftTokensPart, ...]:
        """Adapter output for these embeddings; () when no adapter for the served model is found."""
        return self.adapters(embeddings) if self.adapters is not None else ()

    def versions(self) -> dict[str, str]:
        """As the OpenAI backend, and whether soft tokens are sent."""
        return {**super().versions(), "adapters": "trained" if self.adapters else "none"}

    def _message(self, message: Message) -> dict[str, Any]:
        if all(isinstance(p, TextPart) for p in message.parts):
            return super()._message(message)
        return {"role": message.role, "content": [self._part(p) for p in message.parts]}

    def _part(self, part: TextPart | SoftTokensPart) -> dict[str, Any]:
        if isinstance(part, TextPart):
            return {"type": "text", "text": part.text}
        if self.adapters is None:
            raise ContractError(f"{self.spec} has no adapters; build the request with soft=().")
        return {"type": "prompt_embeds", "data": encode_prompt_embeds(part, self.adapters.hidden_size)}
