"""``cnn3d`` and ``vit3d``: the image encoders of the shipped fusion models, on 64 mm lesion cubes.

Their embeddings are the imaging rows of ``predict(patient).embeddings``. What this module does not know: how they were
trained (encoders/train.py), what is predicted from them.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from encoders import radiology
from encoders.checkpoints import WEIGHTS_FILE
from encoders.compute import training_device
from encoders.errors import ContractError, UnavailableError
from encoders.fusion import IMAGE_ENCODERS
from encoders.image_encoders.card import Cut, EncoderCard, Paper, Recipe, Scaling, Window
from encoders.image_encoders.encode import PreparedSeries, SeriesEncoder, lesion_or_refuse
from encoders.models import load_models
from encoders.patient import ImagingSeries
from encoders.registry import FUSION_OF, entry

_MONAI = Paper("Cardoso et al. (MONAI)", 2022, "arXiv 2211.02701")
_PAPERS = {
    "cnn3d": (Paper("He et al.", 2016, "10.1109/CVPR.2016.90"), _MONAI),
    "vit3d": (
        Paper("Dosovitskiy et al.", 2021, "arXiv 2010.11929"),
        Paper("Xiao et al.", 2021, "arXiv 2106.14881"),
        _MONAI,
    ),
}
_FAMILY = {"cnn3d": "3D ResNet (MONAI)", "vit3d": "3D vision transformer (MONAI blocks)"}
_POOLING = {
    "cnn3d": "mean over the last feature map, linear, plus the embedding of the series' kind, standardised",
    "vit3d": "class token, linear, plus the embedding of the series' kind, standardised",
}
CROP_NETWORKS: tuple[str, ...] = IMAGE_ENCODERS
"""Specs this module loads."""


def crop_recipe() -> Recipe:
    """The lesion cube of encoders/radiology.py as data, read from its constants at the time of the call."""
    size, gain = radiology.LOCAL_CONTRAST
    limit = radiology.MR_LIMIT
    return Recipe(
        cut=Cut.LESION_CUBE,
        field_of_view_mm=radiology.CROP_VOXELS * radiology.CROP_SPACING_MM,
        size=(radiology.CROP_VOXELS,) * 3,
        windows=(
            Window("CT", "HU", Scaling.CLIP, *radiology.HU_RANGE),
            Window("PT", "SUVbw", Scaling.CLIP, *radiology.SUV_RANGE),
            Window("MR", "arbitrary", Scaling.ROBUST_Z, -limit, limit),
        ),
        scaled_to=(-1.0, 1.0),
        channels=("intensity", "intensity minus its local mean", "local standard deviation"),
        interpolation="linear, Gaussian first where voxels are finer",
        settings=(
            ("local_contrast_voxels", size),
            ("local_contrast_gain", gain),
            ("series_kinds", ", ".join(radiology.SERIES_KINDS)),
            ("robust_z_keeps_its_scale", f"-{limit}..{limit}"),
        ),
    )


class CropNetworkEncoder(SeriesEncoder):
    """A network on lesion cubes (N, 1, 32, 32, 32) and series kinds (N,)."""

    def __init__(self, card: EncoderCard, network: nn.Module, device: str) -> None:
        super().__init__(card)
        self.network, self.device = network, device

    def prepare(self, series: ImagingSeries) -> PreparedSeries:
        """The scaled cube around the largest lesion segment."""
        lesion_or_refuse(series, self.card)
        crop = radiology.crop_lesion(series)
        if crop is None:
            raise ContractError(f"series {series.series_uid} has a lesion segment and no crop.")
        return PreparedSeries(crop.image, crop.kind)

    def forward(self, prepared: Sequence[PreparedSeries]) -> NDArray[np.float32]:
        """(N, width): each row of mean 0 and variance 1."""
        crops = radiology.to_crop_tensor(np.stack([p.pixels for p in prepared]))
        kinds = torch.tensor([p.kind for p in prepared], dtype=torch.long)
        return run_network(lambda x: self.network(x, kinds.to(self.device)), crops, self.device)


def run_network(network: Any, inputs: Tensor, device: str) -> NDArray[np.float32]:
    """Call a network without gradients; on a GPU without TF32, whose short mantissa would change the golden output."""
    with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
        return network(inputs.to(device)).float().cpu().numpy()


def load_crop_network(spec: str, *, device: str | None = None) -> CropNetworkEncoder:
    """The image encoder of the shipped fusion model that was trained with it; on the CPU unless told otherwise.

    Raises
    ------
    UnavailableError: weights missing, or not those of their card
    """
    folder = entry(FUSION_OF[spec]).folder
    if not (folder / WEIGHTS_FILE).is_file():
        raise UnavailableError(
            f"{spec} has no weights in this installation; train them with `radomica train fusion --image {spec}`."
        )
    models = load_models(folder)
    where = training_device(device or "cpu")
    network = models.model.image
    if where != "cpu":
        network = copy.deepcopy(network).to(where)  # the shared models stay where prediction expects them
    data = models.card.get("training", {}).get("data", ())
    card = replace(
        crop_network_card(spec),
        width=int(models.model.config.width),
        weights_sha256=models.sha256,
        trained_on="; ".join(map(str, data)) or None,
    )
    return CropNetworkEncoder(card, network, where)


def crop_network_card(spec: str) -> EncoderCard:
    """The card without what only the weights tell."""
    return EncoderCard(
        id=f"radomica-{spec}",
        spec=spec,
        family=_FAMILY[spec],
        width=128,
        recipe=crop_recipe(),
        pooling=_POOLING[spec],
        purpose="lesion look and image-based molecular labels in the shipped fusion model",
        licence="Apache-2.0",
        papers=_PAPERS[spec],
        limits="Trained on synthetic patients only; says nothing about real patients. Sees 64 mm around the lesion's "
        "centroid; the outline itself is not an input.",
    )
