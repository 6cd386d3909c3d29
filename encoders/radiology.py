"""Imaging: cut the lesion out of a series, and encode the cut with a 3D CNN.

The crop is a physical cube of 64 mm at 2 mm (32^3) centred on the largest segment's centroid, on axes parallel to the
patient's (z up, y to the back, x to the left), so that pixel spacing and slice order do not matter. The network sees
intensities only: the mask places the cube and is not an input. A series without a segment is not encoded.

What this module does not know or check: whether the segment is the tumour, who drew it, the patient's other data.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from monai.networks.nets import ResNet
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates
from torch import Tensor, nn

from encoders.errors import ContractError
from encoders.lesion_choice import lesions
from encoders.patient import ImagingModality, ImagingSeries, Patient, Segment
from encoders.series_choice import SeriesChoice, choose_series
from encoders.series_kind import SERIES_KINDS, series_kind

CROP_VOXELS = 32
"""Side of the crop, in voxels."""
CROP_SPACING_MM = 2.0
"""Distance between crop voxels; 32 of them span 64 mm."""
HU_RANGE = (-1000.0, 400.0)
"""CT window in Hounsfield units, mapped to [-1, 1]."""
SUV_RANGE = (0.0, 20.0)
"""PET window in SUVbw, mapped to [-1, 1]."""
MR_LIMIT = 3.5
"""MR robust z-scores are compressed as asinh(z / 2), so that avid enhancement does not saturate, then clipped here."""
LOCAL_CONTRAST = (5, 4.0)
"""Second and third input channel of the network: crop minus its mean over this many voxels cubed, and the standard
deviation over as many, both times this gain. The third makes texture, whose sign is random, a plain brightness."""


def lesion_segment(series: ImagingSeries) -> Segment | None:
    """The lesion (encoders/lesion_choice.py) with the most voxels, or None when the series has none."""
    return max(lesions(series), key=lambda s: int(s.mask.sum()), default=None)


def background_value(series: ImagingSeries) -> float:
    """What "nothing there" is in this series: air for CT, no uptake for PET, no signal for MR."""
    return HU_RANGE[0] if series.modality is ImagingModality.CT else 0.0


def scale_intensity(values: NDArray[np.float32], series: ImagingSeries) -> NDArray[np.float32]:
    """Map intensities to the network's scale, about [-3, 3].

    CT and PET by fixed windows (``HU_RANGE``, ``SUV_RANGE`` -> [-1, 1]); MR has no unit, so by the median and
    interquartile range of the whole series' signal (voxels above a tenth of its 99th percentile).
    """
    if series.modality is ImagingModality.MR:
        return _robust_z(values, series.volume)
    low, high = HU_RANGE if series.modality is ImagingModality.CT else SUV_RANGE
    scaled = 2.0 * (np.clip(values, low, high) - low) / (high - low) - 1.0
    return scaled.astype(np.float32)


def _robust_z(values: NDArray[np.float32], volume: NDArray[np.float32]) -> NDArray[np.float32]:
    sample = volume[:, ::2, ::2]
    signal = sample[sample > 0.1 * float(np.percentile(sample, 99))]
    if signal.size < 32:
        return np.zeros_like(values, dtype=np.float32)
    q25, q50, q75 = np.percentile(signal, (25, 50, 75))
    if q75 - q25 <= 0:
        return np.zeros_like(values, dtype=np.float32)
    z = (values - q50) / ((q75 - q25) / 1.349)
    return np.clip(np.arcsinh(z / 2), -MR_LIMIT, MR_LIMIT).astype(np.float32)


@dataclass(frozen=True)
class LesionCrop:
    """One lesion cube. image (32, 32, 32) float32, scaled; crop_to_lps (4, 4): crop index (x, y, z, 1) -> LPS mm."""

    image: NDArray[np.float32]
    crop_to_lps: NDArray[np.float64]
    kind: int
    series_uid: str
    segment_label: str


def crop_lesion(series: ImagingSeries) -> LesionCrop | None:
    """Cut the 64 mm cube around the largest segment of ``series``.

    Returns
    -------
    LesionCrop, or None when the series has no filled segment
    """
    segment = lesion_segment(series)
    if segment is None:
        return None
    centroid_zyx = np.argwhere(segment.mask).mean(0)
    centre = series.affine_lps @ np.array([*centroid_zyx[::-1], 1.0])
    crop_to_lps = np.diag([CROP_SPACING_MM] * 3 + [1.0])
    crop_to_lps[:3, 3] = centre[:3] - CROP_SPACING_MM * (CROP_VOXELS - 1) / 2
    index = _crop_points_in_series(crop_to_lps, series.affine_lps)  # (3, n, n, n): z, y, x
    raw = _sample(series, index)
    return LesionCrop(scale_intensity(raw, series), crop_to_lps, series_kind(series), series.series_uid, segment.label)


def _crop_points_in_series(crop_to_lps: NDArray[np.float64], affine_lps: NDArray[np.float64]) -> NDArray[np.float64]:
    to_index = np.linalg.inv(affine_lps) @ crop_to_lps  # crop (x, y, z, 1) -> series (x, y, z, 1)
    axis = np.arange(CROP_VOXELS, dtype=np.float64)
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    xyz = np.tensordot(to_index[:3, :3], np.stack([x, y, z]), axes=1) + to_index[:3, 3][:, None, None, None]
    return xyz[::-1]


def _sample(series: ImagingSeries, index: NDArray[np.float64]) -> NDArray[np.float32]:
    """Linear interpolation of the volume at ``index`` (3, n, n, n), smoothed first where its voxels are finer."""
    low = np.maximum(np.floor(index.min(axis=(1, 2, 3))).astype(int) - 3, 0)
    high = np.minimum(np.ceil(index.max(axis=(1, 2, 3))).astype(int) + 4, series.volume.shape)
    outside = background_value(series)
    if np.any(high <= low):
        return np.full(index.shape[1:], outside, np.float32)
    part = series.volume[low[0] : high[0], low[1] : high[1], low[2] : high[2]].astype(np.float32)
    sigma = [max(CROP_SPACING_MM / s - 1.0, 0.0) / 2 for s in series.spacing_mm]
    if max(sigma) > 0.2:
        part = gaussian_filter(part, sigma, mode="nearest")
    local = index - low[:, None, None, None]
    return map_coordinates(part, local, order=1, mode="constant", cval=outside, output=np.float32)


def crop_series(patient: Patient) -> tuple[tuple[LesionCrop, ...], tuple[SeriesChoice, ...]]:
    """Crops of the chosen series, and the choice for every series with its reason (encoders/series_choice.py)."""
    choices = choose_series(patient.imaging)
    pairs = zip(patient.imaging, choices, strict=True)
    crops = (crop_lesion(series) for series, choice in pairs if choice.chosen)
    return tuple(crop for crop in crops if crop is not None), choices


def blank_images(patient: Patient) -> Patient:
    """The same patient with every volume replaced by its background value; masks and everything else stay.

    Used to ask how much a prediction rests on the image (a model that scores the same was not reading it).
    """
    return replace(
        patient,
        imaging=tuple(replace(s, volume=np.full_like(s.volume, background_value(s))) for s in patient.imaging),
    )


def check_crops(crops: Tensor) -> None:
    """ContractError unless crops are (N, 1, 32, 32, 32)."""
    if crops.ndim != 5 or tuple(crops.shape[1:]) != (1, CROP_VOXELS, CROP_VOXELS, CROP_VOXELS):
        raise ContractError(f"crops have shape {tuple(crops.shape)}; the rule is (N, 1, 32, 32, 32).")


def contrast_channels(crops: Tensor) -> Tensor:
    """Crops (N, 1, ...) -> (N, 3, ...): the crop, its local contrast and its local spread (``LOCAL_CONTRAST``)."""
    size, gain = LOCAL_CONTRAST
    mean = torch.nn.functional.avg_pool3d(crops, size, stride=1, padding=size // 2, count_include_pad=False)
    detail = crops - mean
    power = torch.nn.functional.avg_pool3d(detail.square(), size, stride=1, padding=size // 2, count_include_pad=False)
    spread = torch.sqrt(power + 1e-6)  # the root's slope at 0 is infinite; blank crops must keep a gradient
    return torch.cat([crops, detail * gain, spread * gain], 1).contiguous(memory_format=torch.channels_last_3d)


class ImageEncoder(nn.Module):
    """MONAI 3D ResNet on a lesion crop plus an embedding of what the series shows -> (N, D).

    References
    ----------
    He et al., CVPR 2016 (residual learning); 3D form from MONAI (Cardoso et al., arXiv 2211.02701, 2022).
    Deviation: four stages of one basic block, first convolution 5^3 with stride 2, no max pooling, and the crop's
    local contrast and local spread as further channels (texture is small beside a CT window).
    """

    def __init__(self, width: int, planes: tuple[int, ...] = (16, 32, 64, 128), *, local_contrast: bool = True) -> None:
        super().__init__()
        self.local_contrast = local_contrast
        self.backbone = ResNet(
            block="basic",
            layers=[1, 1, 1, 1],
            block_inplanes=list(planes),
            spatial_dims=3,
            n_input_channels=3 if local_contrast else 1,
            conv1_t_size=5,
            conv1_t_stride=2,
            no_max_pool=True,
            feed_forward=False,
            act=("relu", {"inplace": False}),
        )
        self.project = nn.Linear(planes[-1], width)
        self.kind = nn.Embedding(len(SERIES_KINDS), width)
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.dropout = nn.Dropout(0.1)

    def stem(self, crops: Tensor) -> Tensor:
        """Crops (N, 1, 32, 32, 32) -> activations of the second stage (N, C, 8, 8, 8): the map Grad-CAM reads."""
        check_crops(crops)
        net = self.backbone
        if self.local_contrast:
            crops = contrast_channels(crops)
        return net.layer2(net.layer1(net.act(net.bn1(net.conv1(crops)))))

    def trunk(self, activations: Tensor, kind: Tensor) -> Tensor:
        """Second-stage activations and series kind (N,) -> embeddings (N, D)."""
        return self.top(self.deepen(activations), kind)

    def deepen(self, activations: Tensor) -> Tensor:
        """Second-stage activations -> those of the third stage (N, C, 4, 4, 4)."""
        return self.backbone.layer3(activations)

    def top(self, activations: Tensor, kind: Tensor) -> Tensor:
        """Third-stage activations and series kind (N,) -> embeddings (N, D)."""
        pooled = self.backbone.layer4(activations).mean(dim=(2, 3, 4))  # (N, C)
        return self.norm(self.project(self.dropout(pooled)) + self.kind(kind))

    def forward(self, crops: Tensor, kind: Tensor) -> Tensor:
        """Crops (N, 1, 32, 32, 32) and kind (N,) int -> embeddings (N, D), each of mean 0 and variance 1."""
        return self.trunk(self.stem(crops), kind)


def to_crop_tensor(images: NDArray[np.float32]) -> Tensor:
    """(N, 32, 32, 32) array -> (N, 1, 32, 32, 32) tensor in the memory order that is fast on CPUs."""
    return torch.from_numpy(np.ascontiguousarray(images)).unsqueeze(1).contiguous(memory_format=torch.channels_last_3d)
