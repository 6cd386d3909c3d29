"""``hf:<hub id or folder>``: transformers ``generate(inputs_embeds=...)`` with soft tokens, on CPU or GPU.

Text parts and soft tokens are joined with one newline, as vLLM joins content parts, so both give the same tokens.
A folder whose card says ``"style": "compact"`` (the shipped decoder) is asked in the COMPACT style.

Adapters lie in the model's own folder or under RADOMICA_HOME/adapters; ``hf:FOLDER`` of adapters trained elsewhere
(``radomica train adapters --out FOLDER``) loads the LLM its card names. A LoRA update trained with them is merged in
memory.

Not known here: what the messages say. Not done here: training adapters (assistant/adapter_training/).
"""

from __future__ import annotations

import inspect
import json
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, LogitsProcessorList, TextIteratorStreamer

from assistant.llm.chat_model import (
    SYSTEM_FOLDED,
    ChatRequest,
    PromptStyle,
    SoftTokensPart,
    TextPart,
    read_evidence_types,
    strip_ends,
)
from assistant.llm.chat_template import render_chat, takes_system_role
from assistant.llm.locations import adapter_folder
from assistant.llm.lora import merge_lora
from assistant.llm.reference_grammar import ReferenceGrammar
from assistant.llm.soft_tokens import ADAPTERS_FILE, CARD_FILE, AdapterSet, llm_fingerprint
from assistant.lm_lines import referable_fields
from encoders.errors import ContractError, SettingsError, UnavailableError

SOFT_MARK = "\ue000"  # private-use character; never in a message (prompt.neutralise removes it)
_SMALL_MODEL_BYTES = 2_000_000_000
_STREAM_TIMEOUT_S = 120.0


def resolve_folder(name: str) -> Path:
    """A local folder as it is, or a hub id from the local cache (downloaded unless RADOMICA_OFFLINE=1).

    Raises
    ------
    UnavailableError: neither a folder nor a model that can be had.
    """
    folder = Path(name).expanduser()
    if (folder / "config.json").is_file():
        return folder
    if folder.is_dir():
        raise SettingsError(f"{name} has no config.json; give a Hugging Face model folder or a hub id.")
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - only this spec needs it
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError  # noqa: PLC0415

    offline = os.environ.get("RADOMICA_OFFLINE") == "1" or os.environ.get("HF_HUB_OFFLINE") == "1"
    patterns = ["*.json", "*.safetensors", "*.txt", "*.jinja", "*.model"]
    try:
        return Path(snapshot_download(name, allow_patterns=patterns, local_files_only=offline))
    except HFValidationError as error:
        raise SettingsError(f"hf:{name} is neither a folder here nor a hub id (owner/name).") from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        step = "unset RADOMICA_OFFLINE to download it" if offline else "check the id and the network"
        raise UnavailableError(f"the model {name} is not on this machine and could not be fetched; {step}.") from error


def accept_embeds(model: Any) -> None:
    """Let ``generate`` take ``inputs_embeds`` for classes that only pass them on (Gemma3ForConditionalGeneration).

    transformers looks for the argument's name in the signature of ``prepare_inputs_for_generation``, and Gemma 3's has
    it under ``**kwargs``; the method it calls with them does read it.
    """
    prepare = model.prepare_inputs_for_generation
    if "inputs_embeds" in inspect.signature(prepare).parameters:
        return

    def named(input_ids: Tensor, inputs_embeds: Tensor | None = None, **kwargs: Any) -> Any:
        return prepare(input_ids, inputs_embeds=inputs_embeds, **kwargs)

    model.prepare_inputs_for_generation = named


def open_hugging_face(name: str, *, spec: str) -> HuggingFaceModel:
    """``name``: a model's folder or hub id, or a folder of adapters whose card names the LLM they were trained for."""
    folder = Path(name).expanduser()
    if (folder / ADAPTERS_FILE).is_file() and not (folder / "config.json").is_file():
        llm = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))["llm"]
        return HuggingFaceModel(resolve_folder(llm), spec=spec, name=llm, adapters=folder)
    return HuggingFaceModel(resolve_folder(name), spec=spec, name=name)


class HuggingFaceModel:
    """A causal LM run in this process. ``style`` and adapters come from the card in its folder, where there is one."""

    def __init__(
        self,
        folder: Path,
        *,
        spec: str,
        name: str | None = None,
        device: str | None = None,
        adapters: Path | None = None,
    ) -> None:
        self.spec = spec
        self.folder = folder
        self._adapters_in = adapters
        self.name = name or folder.name
        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        card = folder / CARD_FILE
        self.card: dict[str, Any] = json.loads(card.read_text(encoding="utf-8")) if card.is_file() else {}
        self.style = PromptStyle(self.card.get("style", PromptStyle.INSTRUCT.value))
        self.evidence_types = read_evidence_types(self.card)
        self.llm_hash = llm_fingerprint(folder)
        self.interventions = 0
        self.adapter_card: dict[str, Any] = {}
        self._load()
        self.adapters = self._load_adapters()
        self.takes_soft_tokens = self.adapters is not None

    def _load(self) -> None:
        size = sum(p.stat().st_size for p in self.folder.glob("*.safetensors"))
        dtype = torch.float32 if self.device == "cpu" and size < _SMALL_MODEL_BYTES else torch.bfloat16
        try:
            self.tokenizer = AutoTokenizer.from_pretrained(self.folder, local_files_only=True)
            self.model = AutoModelForCausalLM.from_pretrained(self.folder, dtype=dtype, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            raise UnavailableError(f"the model in {self.name} cannot be loaded: {error}") from error
        accept_embeds(self.model)
        self.model.eval().to(self.device)
        if self.tokenizer.chat_template is None:
            raise SettingsError(f"the model {self.name} has no chat template; choose an instruction-tuned model.")
        self.takes_system_role = takes_system_role(self.tokenizer)
        self.hidden_size = int(self.model.get_input_embeddings().weight.shape[1])

    def _load_adapters(self) -> AdapterSet | None:
        own = self._adapters_in or self.folder
        folder = own if (own / ADAPTERS_FILE).is_file() else adapter_folder(self.name)
        adapters = AdapterSet.load(folder, llm_hash=self.llm_hash)
        if adapters is not None:
            self.adapter_card = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
            self.model = merge_lora(self.model, folder, self.adapter_card).eval()
        if adapters is not None and adapters.hidden_size != self.hidden_size:
            raise ContractError(
                f"the adapters write vectors of width {adapters.hidden_size}, {self.name} reads {self.hidden_size}."
            )
        return adapters

    # ---- the protocol ----

    def soft_tokens(self, embeddings: Any) -> tuple[SoftTokensPart, ...]:
        """Adapter output for these embeddings; () when there is no adapter for this LLM."""
        return self.adapters(embeddings) if self.adapters is not None else ()

    @property
    def context_tokens(self) -> int | None:
        """Tokens that a prompt and its answer may hold together; None where the model's config does not say."""
        stated = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        return int(stated) if stated else None

    def versions(self) -> dict[str, str]:
        """Model name, hash of its weights and of the LoRA update merged into them; what its template does not take."""
        folded = self.style is PromptStyle.INSTRUCT and not self.takes_system_role
        lora = self.adapter_card.get("lora")
        return {
            "llm": self.name,
            "llm_hash": self.llm_hash,
            "adapters": "trained" if self.adapters else "none",
            **({"lora_hash": lora["hash"]} if lora else {}),
            **({"system_role": SYSTEM_FOLDED} if folded else {}),
        }

    def generate(self, request: ChatRequest) -> str:
        """The whole answer."""
        return self.generate_many((request,))[0]

    def generate_many(self, requests: Sequence[ChatRequest]) -> list[str]:
        """Answers to several requests in one padded batch; the same text as one by one when temperature is 0."""
        if not requests:
            return []
        if len({(r.temperature, r.seed) for r in requests}) > 1:
            return [self.generate(r) for r in requests]
        arguments, grammar = self._arguments(requests)
        with torch.inference_mode():
            output = self.model.generate(**arguments)
        self._count(grammar)
        return [t.strip() for t in self.tokenizer.batch_decode(output, skip_special_tokens=True)]

    def stream(self, request: ChatRequest) -> Iterator[str]:
        """The answer in pieces, from a thread of its own."""
        arguments, grammar = self._arguments((request,))
        streamer = TextIteratorStreamer(
            self.tokenizer, skip_prompt=False, timeout=_STREAM_TIMEOUT_S, skip_special_tokens=True
        )
        failure: list[BaseException] = []

        def work() -> None:
            try:
                with torch.inference_mode():
                    self.model.generate(**arguments, streamer=streamer)
            except (RuntimeError, ValueError) as error:  # raised again in the caller's thread
                failure.append(error)
                streamer.end()

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        yield from strip_ends(streamer)
        thread.join()
        self._count(grammar)
        if failure:
            raise failure[0]

    # ---- inside ----

    def _count(self, grammar: ReferenceGrammar | None) -> None:
        if grammar is not None:
            self.interventions += grammar.interventions

    def _arguments(self, requests: Sequence[ChatRequest]) -> tuple[dict[str, Any], ReferenceGrammar | None]:
        rows = [self.embed(r) for r in requests]
        longest = max(len(r) for r in rows)
        budget = max(r.max_tokens for r in requests)
        limit = self.context_tokens or longest + budget
        if longest >= limit:
            raise ContractError(f"the prompt has {longest} tokens, {self.name} reads {limit}; ask about less at once.")
        embeds = torch.zeros(len(rows), longest, self.hidden_size, dtype=rows[0].dtype, device=self.device)
        mask = torch.zeros(len(rows), longest, dtype=torch.long, device=self.device)
        for i, row in enumerate(rows):  # padded on the left, so that every answer starts at the same step
            embeds[i, longest - len(row) :] = row
            mask[i, longest - len(row) :] = 1
        grammar = self._grammar(requests)
        first = requests[0]
        arguments: dict[str, Any] = {
            "inputs_embeds": embeds,
            "attention_mask": mask,
            "max_new_tokens": min(budget, limit - longest),
            "do_sample": first.temperature > 0,
            "pad_token_id": self.tokenizer.pad_token_id or self.tokenizer.eos_token_id,
        }
        if first.temperature > 0:
            arguments["temperature"] = first.temperature
            torch.manual_seed(first.seed)
        if grammar is not None:
            arguments["logits_processor"] = LogitsProcessorList([grammar])
        return arguments, grammar

    def _grammar(self, requests: Sequence[ChatRequest]) -> ReferenceGrammar | None:
        if self.style is not PromptStyle.COMPACT:
            return None
        referable = []
        for request in requests:
            text = "\n".join(p.text for m in request.messages for p in m.parts if isinstance(p, TextPart))
            found = referable_fields(text)
            referable.append({i: found.get(i, ()) for i in request.allowed_ids})
        return ReferenceGrammar(self.tokenizer, referable)

    def embed(self, request: ChatRequest) -> Tensor:
        """(T, H): text tokens' embeddings with the soft tokens standing in their places."""
        soft = [p for m in request.messages for p in m.parts if isinstance(p, SoftTokensPart)]
        table = self.model.get_input_embeddings()
        pieces: list[Tensor] = []
        for index, text in enumerate(self.render(request).split(SOFT_MARK)):
            if text:
                ids = self.tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids[0]
                pieces.append(table(ids.to(self.device)).detach())
            if index < len(soft):
                pieces.append(self._checked(soft[index]))
        return torch.cat(pieces)

    def _checked(self, part: SoftTokensPart) -> Tensor:
        if part.vectors.ndim != 2 or part.vectors.shape[1] != self.hidden_size or len(part.vectors) < 1:
            raise ContractError(
                f"{part.modality} soft tokens have shape {part.vectors.shape}; "
                f"{self.name} reads (n, {self.hidden_size})."
            )
        return torch.from_numpy(part.vectors).to(self.model.get_input_embeddings().weight.dtype).to(self.device)

    def render(self, request: ChatRequest) -> str:
        """The chat template filled in, one SOFT_MARK for each soft-token part."""
        turns = [
            (m.role, "\n".join(p.text if isinstance(p, TextPart) else SOFT_MARK for p in m.parts))
            for m in request.messages
        ]
        return render_chat(self.tokenizer, turns)
