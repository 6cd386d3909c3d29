"""Trained adapters on disk: ``adapters.safetensors`` + ``card.json``, tied by hashes to one encoder and one LLM.

An adapter only means something between the encoder and the LLM it was trained with, so another encoder's embeddings or
another LLM's weights are refused by name. ``radomica train lm`` (assistant/lm_train.py) and ``radomica train adapters``
(assistant/adapter_training/) write the card.

Not known here: how adapters are trained, or where soft tokens stand in a message.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from assistant.llm.chat_model import SoftTokensPart
from encoders.adapters import AdapterConfig, MLPAdapter, PerceiverResampler
from encoders.errors import ContractError, UnavailableError
from encoders.prediction import Embeddings

KINDS: Mapping[str, type[MLPAdapter] | type[PerceiverResampler]] = {"mlp": MLPAdapter, "perceiver": PerceiverResampler}
ADAPTERS_FILE = "adapters.safetensors"
LORA_FILE = "adapter_model.safetensors"
"""The LoRA update trained beside adapters, where ``peft`` and vLLM look for it."""

CARD_FILE = "card.json"
_SAMPLE = 1 << 20


def file_sha256(path: Path) -> str:
    """SHA-256 of a whole file."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_SAMPLE):
            digest.update(block)
    return digest.hexdigest()


def llm_fingerprint(folder: Path) -> str:
    """SHA-256 over each weight file's name, size, first and last MiB: quick on a 16 GB model, exact on a small one."""
    files = sorted(p for p in folder.glob("*.safetensors") if p.name not in {ADAPTERS_FILE, LORA_FILE})
    if not files:
        raise UnavailableError(f"{folder} holds no *.safetensors weights; point the LLM spec at a model folder.")
    digest = hashlib.sha256()
    for path in files:
        size = path.stat().st_size
        digest.update(f"{path.name}:{size}:".encode())
        with path.open("rb") as stream:
            digest.update(stream.read(_SAMPLE if size > 32 * _SAMPLE else size))
            if size > 32 * _SAMPLE:
                stream.seek(size - _SAMPLE)
                digest.update(stream.read(_SAMPLE))
    return digest.hexdigest()


def build_adapter(card: Mapping[str, Any]) -> nn.Module:
    """An untrained adapter as its card entry describes it: {"kind": "mlp", "embedding_width": 128, ...}."""
    kind = card.get("kind")
    if kind not in KINDS:
        raise ContractError(f"adapter kind is {kind!r}; allowed: {', '.join(KINDS)}.")
    return KINDS[kind](AdapterConfig(**{k: v for k, v in card.items() if k != "kind"}))


def _other_encoder(found: str, trained_with: str) -> str:
    return (
        f"the embeddings come from the encoder with hash {found[:12]}, the adapters were trained with "
        f"{trained_with[:12]}. Run `radomica train lm` again (for another LLM: `radomica train adapters`), or restore "
        "that encoder's weights."
    )


def check_encoder(adapters: AdapterSet) -> None:
    """Compare the encoder the adapters were trained with to the one in use, before anything is asked.

    Raises
    ------
    ContractError: they differ; both are named. UnavailableError: the encoder's weights are not there.
    """
    from encoders.models import load_models  # noqa: PLC0415  loads the weights, which text alone does not need

    in_use = load_models().sha256
    if in_use != adapters.encoder_hash:
        raise ContractError(_other_encoder(in_use, adapters.encoder_hash))


class AdapterSet:
    """Adapters of one LLM, one per modality ("imaging", "expression").

    encoder_hash : hash of the encoder they were trained with; embeddings of any other are refused
    hidden_size : H, width of the soft tokens
    """

    def __init__(self, adapters: Mapping[str, nn.Module], encoder_hash: str, hidden_size: int) -> None:
        self.adapters = {name: module.eval() for name, module in adapters.items()}
        self.encoder_hash = encoder_hash
        self.hidden_size = hidden_size

    @classmethod
    def load(cls, folder: Path, *, llm_hash: str | None = None, encoder_hash: str | None = None) -> AdapterSet | None:
        """Adapters in ``folder``, or None when there are none.

        Raises
        ------
        ContractError: ``llm_hash`` or ``encoder_hash`` is given and the card names another, the weights are not those
        the card was written with, or they do not fit it.
        """
        weights, card_path = folder / ADAPTERS_FILE, folder / CARD_FILE
        if not weights.is_file() or not card_path.is_file():
            return None
        card = json.loads(card_path.read_text(encoding="utf-8"))
        if llm_hash is not None and card["llm_hash"] != llm_hash:
            raise ContractError(
                f"the adapters in {folder.name} were trained for the LLM with hash {card['llm_hash'][:12]}, "
                f"this one has {llm_hash[:12]}. Train adapters for it, or remove {ADAPTERS_FILE} to use text alone."
            )
        if encoder_hash is not None and card["encoder_hash"] != encoder_hash:
            raise ContractError(_other_encoder(encoder_hash, card["encoder_hash"]))
        written = card.get("adapter_hash")  # cards made by hand may leave it out
        if written and (found := file_sha256(weights)) != written:
            raise ContractError(
                f"{ADAPTERS_FILE} in {folder.name} has SHA-256 {found[:12]}, its {CARD_FILE} says {written[:12]}. "
                "Restore the file that belongs to the card, or train the adapters again."
            )
        tensors = load_file(weights)
        adapters = {}
        for name, entry in card["adapters"].items():
            module = build_adapter(entry)
            state = {k.removeprefix(f"{name}."): v.float() for k, v in tensors.items() if k.startswith(f"{name}.")}
            try:
                module.load_state_dict(state)
            except RuntimeError as error:
                raise ContractError(f"{ADAPTERS_FILE} does not fit its {CARD_FILE} for {name!r}: {error}") from error
            adapters[name] = module
        return cls(adapters, card["encoder_hash"], int(card["hidden_size"]))

    def save_weights(self, folder: Path) -> Path:
        """Write ``adapters.safetensors`` in float16 and return its path."""
        tensors = {
            f"{n}.{k}": v.half().contiguous() for n, m in self.adapters.items() for k, v in m.state_dict().items()
        }
        path = folder / ADAPTERS_FILE
        save_file(tensors, path)
        return path

    @torch.no_grad()
    def __call__(self, embeddings: Embeddings | None) -> tuple[SoftTokensPart, ...]:
        """Soft tokens of every modality that is present and has an adapter.

        Raises
        ------
        ContractError: the embeddings come from another encoder.
        """
        if embeddings is None:
            return ()
        if embeddings.encoder_hash != self.encoder_hash:
            raise ContractError(_other_encoder(embeddings.encoder_hash, self.encoder_hash))
        parts = []
        for name, module in self.adapters.items():
            rows = embeddings.modality.get(name)
            if rows is not None and len(rows):
                vectors = module(torch.from_numpy(rows).float().unsqueeze(0))[0]  # (n, H)
                parts.append(SoftTokensPart(vectors.numpy().astype("float32"), name))
        return tuple(parts)
