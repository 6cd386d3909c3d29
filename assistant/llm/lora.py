"""The LoRA update trained beside an LLM's adapters: tied to them by hash, merged into the LLM in memory.

Not known here: how it was trained (assistant/adapter_training/).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from assistant.llm.soft_tokens import LORA_FILE, file_sha256
from encoders.errors import ContractError


def merge_lora(model: nn.Module, folder: Path, card: Mapping[str, Any]) -> nn.Module:
    """The LLM with the LoRA update of ``folder`` added to its weights; as it is where the card names none.

    Raises
    ------
    ContractError: the card names a LoRA update that is not there, or that is another one.
    """
    entry = card.get("lora")
    if not entry:
        return model
    path = folder / LORA_FILE
    found = file_sha256(path) if path.is_file() else "none"
    if found != entry["hash"]:
        raise ContractError(
            f"the adapters in {folder.name} were trained with the LoRA update {entry['hash'][:12]}, {LORA_FILE} there "
            f"is {found[:12]}. Restore that file, or run `radomica train adapters` again."
        )
    from peft import PeftModel  # noqa: PLC0415 - takes seconds; most models have no LoRA update

    return PeftModel.from_pretrained(model, str(folder)).merge_and_unload()


def check_served_lora(card: Mapping[str, Any], folder: Path, served_folder: Path) -> None:
    """Refuse adapters of ``folder`` that were trained with a LoRA update a server does not run.

    served_folder : what the server says it serves; a LoRA module served by name has its own folder there

    Raises
    ------
    ContractError: the card names a LoRA update and another folder is served.
    """
    if card.get("lora") and served_folder.resolve() != folder.resolve():
        raise ContractError(
            f"the adapters in {folder.name} were trained with a LoRA update that the server does not run. Start it "
            f"with `--enable-lora --max-lora-rank {card['lora']['rank']} --lora-modules NAME={folder}` and ask for "
            "NAME, or serve the folder that `radomica train adapters --merge DIR` writes."
        )
