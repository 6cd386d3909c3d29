"""Weights on disk: model.safetensors and its card.json, written together, read back only when the hash matches.

A card is data: architecture, input recipe, training command, seed, data, metrics, limits, SHA-256 of the weights.
What this module does not know: what the tensors mean, where a folder should be.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from encoders.atomic_write import write_atomically
from encoders.errors import UnavailableError

WEIGHTS_FILE = "model.safetensors"
CARD_FILE = "card.json"
_REQUIRED = ("id", "architecture", "inputs", "training", "metrics", "limits", "sha256")


@dataclass(frozen=True)
class Checkpoint:
    """Tensors by name, the card, and the SHA-256 (hex) both agree on."""

    tensors: Mapping[str, Tensor]
    card: Mapping[str, Any]
    sha256: str


def save_checkpoint(folder: Path, tensors: Mapping[str, Tensor], card: Mapping[str, Any]) -> str:
    """Write weights and card into ``folder``; returns the weights' SHA-256 (hex), which the card then holds."""
    folder.mkdir(parents=True, exist_ok=True)
    data = save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})
    digest = hashlib.sha256(data).hexdigest()
    text = json.dumps({**card, "sha256": digest}, indent=1, sort_keys=True)
    write_atomically(folder / WEIGHTS_FILE, data)
    write_atomically(folder / CARD_FILE, (text + "\n").encode())
    return digest


def load_checkpoint(folder: Path) -> Checkpoint:
    """Read weights and card.

    Raises
    ------
    UnavailableError: a file is missing, is not what its name says, or the SHA-256 differs from the card's
    """
    weights, card_file = folder / WEIGHTS_FILE, folder / CARD_FILE
    for path in (weights, card_file):
        if not path.is_file():
            raise UnavailableError(f"{path.name} is not in {folder}; train with `radomica train fusion` or reinstall.")
    try:
        card = json.loads(card_file.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise UnavailableError(f"{card_file} is not JSON ({error}); reinstall or retrain.") from error
    absent = [key for key in _REQUIRED if key not in card]
    if absent:
        raise UnavailableError(f"{card_file} lacks {', '.join(absent)}; reinstall or retrain.")
    data = weights.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if digest != card["sha256"]:
        raise UnavailableError(
            f"{weights} has SHA-256 {digest[:12]}, its card says {str(card['sha256'])[:12]}; the weights are refused. "
            "Reinstall, or retrain with `radomica train fusion`."
        )
    try:
        return Checkpoint(load(data), card, digest)
    except SafetensorError as error:
        raise UnavailableError(f"{weights} is not a safetensors file ({error}); reinstall or retrain.") from error
