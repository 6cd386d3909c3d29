"""Hub models whose licence and paper are known for certain; everything else is described by its own files alone.

Looked up in the models' cards on 2026-11-21. What this module does not know: whether a model is on this machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from encoders.image_encoders.card import Paper


@dataclass(frozen=True)
class KnownModel:
    """Facts about one hub model. refused : why it cannot be loaded as it is, with the way round; None = it can."""

    hub_id: str
    family: str
    width: int
    licence: str
    papers: tuple[Paper, ...]
    purpose: str
    trained_on: str
    limits: str
    refused: str | None = None


_KNOWN = (
    KnownModel(
        hub_id="google/medsiglip-448",
        family="SigLIP vision tower",
        width=1152,
        licence="Health AI Developer Foundations terms of use (accept them on the hub page first)",
        papers=(Paper("Sellergren et al.", 2025, "arXiv 2507.05201"), Paper("Zhai et al.", 2023, "arXiv 2303.15343")),
        purpose="medical pictures of many kinds, slices of CT and MR among them",
        trained_on="chest radiographs, dermatology, ophthalmology, histopathology, CT and MR slices with text; natural "
        "images",
        limits="Reads 448-pixel pictures. Not a clinical device.",
    ),
    KnownModel(
        hub_id="microsoft/rad-dino",
        family="DINOv2 ViT-B/14",
        width=768,
        licence="MIT",
        papers=(Paper("Pérez-García et al.", 2025, "10.1038/s42256-024-00965-w"),),
        purpose="chest radiographs",
        trained_on="chest radiographs, without text (DINOv2)",
        limits="Made for chest radiographs: slices of CT, MR and PET are unlike everything it was trained on. "
        "Research only, by its own card.",
    ),
    KnownModel(
        hub_id="microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224",
        family="CLIP image tower, ViT-B/16",
        width=768,
        licence="MIT",
        papers=(Paper("Zhang et al.", 2023, "arXiv 2303.00915"),),
        purpose="figures of biomedical articles",
        trained_on="15 million figures with captions from PubMed Central (PMC-15M)",
        limits="Figures of articles, of every kind; research only, by its own card.",
        refused="its hub folder is in OpenCLIP's form (open_clip_config.json, pickled weights), which is not loaded "
        "here. Save its image tower once as a transformers ViTModel folder (config.json, model.safetensors, "
        "preprocessor_config.json) and give hf:FOLDER",
    ),
)

KNOWN_MODELS: Mapping[str, KnownModel] = MappingProxyType({model.hub_id: model for model in _KNOWN})
"""Hub id -> facts."""
