"""Models that can be loaded by name: their cards as data.

The card shipped beside the weights (card.json) is the authority; this table says where it is and what it is for.
What this module does not know: tensors, predictions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from encoders.errors import ContractError, SettingsError


@dataclass(frozen=True)
class ModelEntry:
    """One shipped model: name, folder of its weights, what it predicts, what it was trained on."""

    name: str
    folder: Path
    purpose: str
    trained_on: str


def build_registry(*entries: ModelEntry) -> Mapping[str, ModelEntry]:
    """Name -> entry; a name used twice is a ContractError."""
    out: dict[str, ModelEntry] = {}
    for entry in entries:
        if entry.name in out:
            raise ContractError(f"model {entry.name!r} is registered twice; give one of them another name.")
        out[entry.name] = entry
    return MappingProxyType(out)


REGISTRY: Mapping[str, ModelEntry] = build_registry(
    ModelEntry(
        name="fusion",
        folder=Path(__file__).parent / "weights" / "fusion",
        purpose="survival, cancer type, lesion appearance, molecular labels from the image, expression profiles",
        trained_on="synthetic patients (encoders/synthetic)",
    ),
    ModelEntry(
        name="fusion-vit3d",
        folder=Path(__file__).parent / "weights" / "fusion_vit3d",
        purpose="the same tasks with a 3D vision transformer as image encoder; for comparison and attention rollout",
        trained_on="synthetic patients (encoders/synthetic)",
    ),
)
FUSION_OF: Mapping[str, str] = MappingProxyType({"cnn3d": "fusion", "vit3d": "fusion-vit3d"})
"""Image encoder -> the shipped fusion model that was trained with it."""


def entry(name: str) -> ModelEntry:
    """The entry called ``name``, or SettingsError listing the names there are."""
    if name not in REGISTRY:
        raise SettingsError(f"no model is called {name!r}; known: {', '.join(REGISTRY)}.")
    return REGISTRY[name]
