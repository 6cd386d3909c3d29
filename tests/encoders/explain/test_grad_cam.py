"""Grad-CAM finds the corner that decides, on either encoder, and the map returns to the right place of its grid."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from encoders.explain.crop_map import paste_into_series
from encoders.explain.grad_cam import CamWeights, grad_cam
from encoders.patient import ImagingModality, ImagingSeries, IntensityUnit, Segment, SourceLocator
from encoders.radiology import ImageEncoder, crop_lesion
from encoders.vit import ViTEncoder

WHERE = SourceLocator("ct")


class CornerNet(nn.Module):
    """A two-channel stand-in for the encoder: mean brightness (useful) and mean darkness (against)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv3d(1, 2, 4, stride=4, bias=False)
        with torch.no_grad():
            self.conv.weight[0].fill_(1 / 64)
            self.conv.weight[1].fill_(-1 / 64)

    def stem(self, crops):
        return torch.relu(self.conv(crops))

    def trunk(self, activations, kind):
        return activations.mean(dim=(2, 3, 4))

    def forward(self, crops, kind):
        return self.trunk(self.stem(crops), kind)


def bright_corner():
    crops = torch.full((1, 1, 32, 32, 32), -1.0)
    crops[0, 0, 2:10, 20:30, 4:8] = 2.0
    return crops


KIND = torch.zeros(1, dtype=torch.long)


def target(rows):
    return rows[0, 0] - rows[0, 1]


def test_map_peaks_on_the_voxels_that_raise_the_target():
    cam = grad_cam(CornerNet(), bright_corner(), KIND, target)
    z, y, x = np.unravel_index(int(cam[0].argmax()), (32, 32, 32))
    assert 0 <= z < 12 and 18 <= y < 32 and 2 <= x < 10
    assert float(cam.max()) == pytest.approx(1.0)
    assert float(cam[0, 20:, :10, 20:].max()) < 0.05


def test_nothing_raises_the_target_gives_zeros_not_nan():
    assert float(grad_cam(CornerNet(), bright_corner(), KIND, lambda rows: -rows[0, 0]).abs().max()) == 0.0


@pytest.mark.parametrize("form", list(CamWeights))
@pytest.mark.parametrize("encoder", [ImageEncoder(8, planes=(4, 4, 4, 8)), ViTEncoder(8, hidden=8, depth=1, heads=1)])
def test_every_form_works_on_both_encoders(form, encoder):
    torch.manual_seed(0)
    crops = torch.randn(2, 1, 32, 32, 32)
    cam = grad_cam(encoder.eval(), crops, torch.tensor([0, 2]), lambda rows: rows[:, 0].sum(), form=form)
    assert cam.shape == (2, 32, 32, 32)
    assert float(cam.min()) >= 0 and cam.amax(dim=(1, 2, 3)).tolist() == pytest.approx([1, 1])


@pytest.mark.parametrize("flip", [False, True])
def test_paste_lands_on_the_marked_voxel_of_an_anisotropic_series(flip):
    """One bright crop voxel comes back at the same place in patient space, whatever the slice order."""
    mask = np.zeros((40, 60, 50), bool)
    mask[14:20, 22:34, 18:30] = True
    affine = np.array([[1.5, 0, 0, -30.0], [0, 1.2, 0, 12.0], [0, 0, -2.5 if flip else 2.5, 7.0], [0, 0, 0, 1]])
    series = ImagingSeries(
        ImagingModality.CT, "1", None, mask.astype(np.float32), IntensityUnit.HU, (2.5, 1.2, 1.5), affine, WHERE,
        segments=(Segment("Lesion", mask, WHERE),),
    )  # fmt: skip
    crop = crop_lesion(series)
    z, y, x = 20, 11, 17
    cam = np.zeros((32, 32, 32), np.float32)
    cam[z - 1 : z + 2, y - 1 : y + 2, x - 1 : x + 2] = 1
    pasted = paste_into_series(cam, crop, affine, mask.shape)
    marked = np.argwhere(pasted > 0.5).mean(0)
    in_patient = affine @ np.array([*marked[::-1], 1])
    expected = crop.crop_to_lps @ np.array([x, y, z, 1.0])
    assert np.abs(in_patient - expected).max() < 1.5
    assert pasted.shape == mask.shape
    assert pasted.min() >= 0 and pasted.max() <= 1
