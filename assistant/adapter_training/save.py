"""The folder of a finished training, and the same merged into one model folder.

``adapters.safetensors``, ``card.json`` and, after the instruct stage, ``adapter_config.json`` +
``adapter_model.safetensors`` as peft writes them. The card ties them by hash to the encoder, the LLM and the pairs.

``hf:`` reads the folder as it is. For vLLM, serve the LLM with ``--enable-lora --lora-modules NAME=FOLDER`` and ask
for NAME, or merge (``radomica train adapters --merge OUT``) and serve OUT.

Not known here: how the weights were trained (trainer.py).
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from assistant.adapter_training.trainer import AdapterTrainer
from assistant.llm.chat_model import PromptStyle
from assistant.llm.huggingface import resolve_folder
from assistant.llm.lora import merge_lora
from assistant.llm.soft_tokens import (
    ADAPTERS_FILE,
    CARD_FILE,
    LORA_FILE,
    AdapterSet,
    file_sha256,
    llm_fingerprint,
)
from assistant.report import RESEARCH_USE
from encoders.atomic_write import write_atomically
from encoders.errors import SettingsError, UnavailableError

_TOKENIZER_FILES = ("tokenizer*", "special_tokens_map.json", "*.jinja", "vocab*", "merges.txt", "added_tokens.json",
                    "generation_config.json", "*processor_config.json")  # fmt: skip


def save_trained(trainer: AdapterTrainer, out: Path, card: dict[str, Any]) -> dict[str, Any]:
    """Write the folder, the card last, with the hashes of what was written; returns the card."""
    out.mkdir(parents=True, exist_ok=True)
    (out / CARD_FILE).unlink(missing_ok=True)  # no card speaks for files of two runs
    settings = trainer.settings
    adapters = AdapterSet(dict(trainer.adapters.items()), trainer.pairs.encoder_hash, trainer.llm.hidden_size)
    lora = None
    if trainer.model is not trainer.llm.model:
        trainer.model.save_pretrained(out, save_embedding_layers=False)
        (out / "README.md").unlink(missing_ok=True)  # peft's empty form of a model card
        lora = {"rank": settings.lora_rank, "alpha": 2 * settings.lora_rank, "hash": file_sha256(out / LORA_FILE)}
    else:
        (out / LORA_FILE).unlink(missing_ok=True)
        (out / "adapter_config.json").unlink(missing_ok=True)
    full = {
        "name": f"adapters of {trainer.llm.name}",
        "style": PromptStyle.INSTRUCT.value,
        "research_use": RESEARCH_USE,
        "llm": trainer.llm.name,
        "llm_hash": trainer.llm.hash,
        "hidden_size": trainer.llm.hidden_size,
        "encoder_hash": adapters.encoder_hash,
        "adapter_hash": file_sha256(adapters.save_weights(out)),
        "adapters": {m: {"kind": settings.adapter, **asdict(a.config)} for m, a in trainer.adapters.items()},
        "soft_tokens": {m: a.config.n_tokens for m, a in trainer.adapters.items()},
        "lora": lora,
        "seed": trainer.seed,
        "recipe": settings.recipe(),
        "pairs": {
            "hash": trainer.pairs.hash,
            "training": {stage: len(found) for stage, found in trainer.training.items()},
            "held_out": {stage: len(found) for stage, found in trainer.held_out.items()},
            "too_long_left_out": trainer.too_long,
        },
        "metrics": trainer.metrics,
        **card,
    }
    write_atomically(out / CARD_FILE, json.dumps(full, indent=1) + "\n")
    return full


def read_trained_card(folder: Path) -> dict[str, Any]:
    """The card of a finished training.

    Raises
    ------
    UnavailableError: the folder holds none.
    """
    path = folder / CARD_FILE
    if not path.is_file() or not (folder / ADAPTERS_FILE).is_file():
        raise UnavailableError(
            f"{folder.name} holds no trained adapters; run `radomica train adapters --llm ... --out DIR` first."
        )
    return json.loads(path.read_text(encoding="utf-8"))


def merge_trained(llm: str, trained: Path, into: Path) -> dict[str, Any]:
    """Write the LLM with its LoRA update merged, the tokenizer, the adapters and a card of their new hashes.

    Raises
    ------
    ContractError: the adapters or the LoRA update were trained for another LLM, or are not those of the card.
    SettingsError: ``into`` is not empty.
    """
    if into.is_dir() and any(into.iterdir()):
        raise SettingsError(f"--merge {into.name} is not empty; name a new folder.")
    card = read_trained_card(trained)
    folder = resolve_folder(llm)
    adapters = AdapterSet.load(trained, llm_hash=llm_fingerprint(folder), encoder_hash=card["encoder_hash"])
    if adapters is None:
        raise UnavailableError(f"{trained.name} holds no trained adapters.")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto", local_files_only=True)
    with torch.no_grad():
        merged = merge_lora(model, trained, card)
    merged.save_pretrained(into)
    for pattern in _TOKENIZER_FILES:
        for path in folder.glob(pattern):
            shutil.copyfile(path, into / path.name)
    shutil.copyfile(trained / ADAPTERS_FILE, into / ADAPTERS_FILE)
    new = {**card, "lora": None, "merged": {"llm_hash": card["llm_hash"], "lora": card["lora"]},
           "llm_hash": llm_fingerprint(into)}  # fmt: skip
    write_atomically(into / CARD_FILE, json.dumps(new, indent=1) + "\n")
    return new
