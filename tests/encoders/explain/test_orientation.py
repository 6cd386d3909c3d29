"""Every method on one asymmetric phantom: a bright block in one corner of an oblique series with flipped axes.

The map's peak must lie at the block's place in the patient (LPS, mm), not at any of its seven mirror places.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from encoders.explain.crop_map import paste_into_series, to_crop_size
from encoders.explain.methods import METHODS
from encoders.patient import ImagingModality, ImagingSeries, IntensityUnit, Segment, SourceLocator
from encoders.radiology import CROP_VOXELS, ImageEncoder, crop_lesion, to_crop_tensor
from encoders.vit import ViTEncoder

WHERE = SourceLocator("ct")
SPACING = (3.0, 1.6, 1.2)  # z, y, x
BLOCK_MM = np.array([14.0, -10.0, 16.0])
"""Centre of the bright block from the lesion's centre, LPS mm: left, front, up."""
HALF_MM = 6.0
CELL_MM = 8.0


def oblique_affine() -> np.ndarray:
    """Index (x, y, z, 1) -> LPS: turned 25 degrees about z and 15 about x, x and z running backwards."""
    a, b = np.deg2rad(25), np.deg2rad(15)
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    affine = np.eye(4)
    affine[:3, :3] = about_z @ about_x @ np.diag([-SPACING[2], SPACING[1], -SPACING[0]])
    affine[:3, 3] = (40, -70, 55)
    return affine


@pytest.fixture(scope="module")
def phantom() -> tuple[ImagingSeries, np.ndarray]:
    """The series and the block's centre in LPS mm."""
    shape = (36, 70, 90)
    affine = oblique_affine()
    z, y, x = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    lps = np.stack([x, y, z, np.ones(shape)], -1) @ affine.T
    middle = (affine @ [45, 35, 18, 1])[:3]
    mask = np.linalg.norm(lps[..., :3] - middle, axis=-1) < 24
    middle = (affine @ np.array([*np.argwhere(mask).mean(0)[::-1], 1]))[:3]
    block = np.all(np.abs(lps[..., :3] - middle - BLOCK_MM) < HALF_MM, axis=-1)
    volume = np.where(block, 400, -1000).astype(np.float32)
    series = ImagingSeries(
        ImagingModality.CT, "1", None, volume, IntensityUnit.HU, SPACING, affine, WHERE,
        segments=(Segment("Lesion", mask, WHERE),),
    )  # fmt: skip
    return series, middle + BLOCK_MM


def brightness_transformer() -> ViTEncoder:
    """A ViT with weights set by hand: a token is as bright as its place, the class token attends to bright ones.

    Its embedding's first entry grows with the brightness that the class token has read.
    """
    vit = ViTEncoder(4, hidden=4, depth=1, heads=1).eval()
    with torch.no_grad():
        for parameter in vit.parameters():
            parameter.zero_()
        vit.conv_stem[0].weight[0, 0] = 1 / 125  # mean of the crop's own channel
        vit.conv_stem[0].weight[0, 0, 2, 2, 2] += 1
        vit.conv_stem[3].weight[0, 0] = 1 / 27
        for norm in (vit.conv_stem[1], vit.conv_stem[4]):
            norm.weight.fill_(1)
        vit.conv_stem[1].bias.fill_(2.0)  # darkness is -1: above zero before the rectifier
        vit.conv_stem[4].bias.fill_(-0.5)
        vit.embed.weight[0, 0] = 1
        frame = torch.tensor([0.0, 3.0, -3.0, 0.0])  # a normalised token still tells how bright it is
        vit.embed.bias.copy_(frame)
        vit.class_token[0, 0] = frame
        (block,) = vit.blocks
        block.norm1.weight.fill_(1)
        block.attn.qkv.bias[0] = 2  # query of every token
        block.attn.qkv.weight[4, 0] = 2  # key: brightness
        block.attn.qkv.weight[8, 0] = 1  # value: brightness
        block.attn.out_proj.weight[0, 0] = 1
        vit.hidden_norm.weight.fill_(1)
        vit.project.weight[0, 0] = 1
        vit.project.bias.copy_(torch.tensor([0.0, 1.0, -1.0, 0.0]))
    return vit


@pytest.mark.parametrize("name", METHODS)
def test_the_peak_lies_at_the_block_in_the_patient(name: str, phantom: tuple[ImagingSeries, np.ndarray]) -> None:
    series, block = phantom
    crop = crop_lesion(series)
    crops, kind = to_crop_tensor(crop.image[None]), torch.zeros(1, dtype=torch.long)
    (found,) = METHODS[name].compute(brightness_transformer(), crops, kind, [lambda rows: rows[0, 0]])
    values = paste_into_series(found.values[0].numpy(), crop, series.affine_lps, series.volume.shape)
    peak = np.unravel_index(int(values.argmax()), values.shape)
    at = (series.affine_lps @ np.array([*peak[::-1], 1.0]))[:3]
    assert values.max() > 0.5
    assert np.abs(at - block).max() <= HALF_MM + CELL_MM / 2
    assert np.abs(BLOCK_MM).min() > HALF_MM + CELL_MM / 2 - 1  # a mirrored axis would be 20 mm or more away


@pytest.mark.parametrize("encoder", [ImageEncoder(8, planes=(4, 4, 4, 8)), ViTEncoder(8, hidden=8, depth=1, heads=1)])
def test_a_cell_is_shown_at_the_voxel_round_which_its_stem_looks(encoder: ImageEncoder | ViTEncoder) -> None:
    """Cell (3, 4, 5) of either stem depends on the crop symmetrically about voxel (12, 16, 20): the map peaks there."""
    with torch.no_grad():
        for module in encoder.eval().modules():
            if isinstance(module, torch.nn.Conv3d):
                module.weight.fill_(1 / module.weight[0].numel())  # even weights: no pattern of their own
    crops = torch.ones(1, 1, *[CROP_VOXELS] * 3).requires_grad_()
    (gradient,) = torch.autograd.grad(encoder.stem(crops)[0, :, 3, 4, 5].sum(), crops)
    weight = gradient[0, 0].abs() / gradient.abs().sum()
    looks = [float((weight.sum([a for a in range(3) if a != axis]) * torch.arange(32)).sum()) for axis in range(3)]
    assert looks == pytest.approx([12, 16, 20], abs=0.3)
    cell = torch.zeros(1, 8, 8, 8)
    cell[0, 3, 4, 5] = 1
    shown = to_crop_size(cell)[0]
    assert np.unravel_index(int(shown.argmax()), shown.shape) == (12, 16, 20)
    assert float(shown[12, 16, 18]) == pytest.approx(0.5)  # half way to the next cell


def test_the_outer_cells_reach_the_ends_of_the_crop() -> None:
    shown = to_crop_size(torch.arange(8.0).expand(1, 8, 8, 8))[0, 0, 0]
    assert shown.tolist() == pytest.approx([min(v / 4, 7) for v in range(32)])
