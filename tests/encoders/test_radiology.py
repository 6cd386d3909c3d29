"""The lesion cube: same tissue whatever the grid, fixed windows, blank images."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from encoders.errors import ContractError
from encoders.patient import ImagingModality, ImagingSeries, IntensityUnit, Patient, Segment, SourceLocator
from encoders.radiology import (
    CROP_VOXELS,
    SERIES_KINDS,
    ImageEncoder,
    blank_images,
    crop_lesion,
    crop_series,
    scale_intensity,
    series_kind,
)

WHERE = SourceLocator("ct")


def make_series(
    volume, mask=None, *, modality=ImagingModality.CT, affine=None, role="", spacing=(2.0, 2.0, 2.0), uid="1"
):
    z, y, x = spacing
    affine = np.diag([x, y, z, 1.0]) if affine is None else affine
    segments = () if mask is None else (Segment("Lesion", mask, WHERE),)
    return ImagingSeries(
        modality,
        uid,
        None,
        volume.astype(np.float32),
        IntensityUnit.HU,
        spacing,
        affine,
        WHERE,
        role=role,
        segments=segments,
    )


def lps_ramp(shape, affine):
    """HU that depend on the place in the patient only: 1 HU per mm to the left, 2 back, 3 up."""
    z, y, x = np.indices(shape)
    lps = np.tensordot(affine[:3, :3], np.stack([x, y, z]), axes=1) + affine[:3, 3][:, None, None, None]
    return lps[0] + 2 * lps[1] + 3 * lps[2]


def test_crop_is_the_same_for_flipped_slices_and_other_spacing():
    centre = np.array([40.0, 30.0, 20.0])
    crops = []
    for step in ((2.0, 2.0, 2.0), (1.0, 1.5, 3.0), (1.0, 1.5, -3.0)):
        shape = (int(96 / abs(step[2])), int(96 / step[1]), int(96 / step[0]))
        origin = centre - 48 if step[2] > 0 else centre - np.array([48, 48, -48])
        affine = np.diag([*step, 1.0])
        affine[:3, 3] = origin
        z, y, x = np.indices(shape)
        lps = np.stack([x * step[0], y * step[1], z * step[2]]) + origin[:, None, None, None]
        mask = (np.abs(lps - centre[:, None, None, None]) <= 12).all(0)
        spacing = (abs(step[2]), step[1], step[0])
        crop = crop_lesion(make_series(lps_ramp(shape, affine), mask, affine=affine, spacing=spacing))
        # undo the half-voxel differences of the centroids between grids
        hu = (crop.image[4:-4, 4:-4, 4:-4] + 1) * 700 - 1000
        crops.append(hu - np.array([1, 2, 3]) @ crop.crop_to_lps[:3, 3])
    np.testing.assert_allclose(crops[1], crops[0], atol=0.6)
    np.testing.assert_allclose(crops[2], crops[0], atol=0.6)
    assert crops[0][5, 0, 0] - crops[0][4, 0, 0] == pytest.approx(6, abs=0.1)  # z is up: 3 HU per mm, 2 mm


def test_cube_is_centred_on_the_largest_segment():
    mask = np.zeros((60, 60, 60), bool)
    mask[20:30, 10:20, 40:50] = True
    small = np.zeros_like(mask)
    small[50, 50, 50] = True
    series = make_series(mask * 400.0, mask)
    series = ImagingSeries(**{**series.__dict__, "segments": (Segment("node", small, WHERE), *series.segments)})
    crop = crop_lesion(series)
    assert crop.segment_label == "Lesion"
    bright = np.argwhere(crop.image > 0.5).mean(0)
    assert bright == pytest.approx([15.5] * 3, abs=0.6)


def test_windows_by_hand():
    ct = make_series(np.zeros((2, 2, 2)))
    assert scale_intensity(np.array([-2000, -1000, -300, 400, 3000], np.float32), ct).tolist() == [-1, -1, 0, 1, 1]
    pet = make_series(np.zeros((2, 2, 2)), modality=ImagingModality.PT)
    assert scale_intensity(np.array([0, 5, 20, 40], np.float32), pet).tolist() == [-1, -0.5, 1, 1]


def test_mr_scale_ignores_the_scanner_gain_and_offset_free_signal():
    rng = np.random.default_rng(0)
    volume = rng.uniform(50, 150, (10, 20, 20))
    a = make_series(volume, modality=ImagingModality.MR)
    b = make_series(volume * 7, modality=ImagingModality.MR)
    np.testing.assert_allclose(scale_intensity(a.volume, a), scale_intensity(b.volume, b), atol=1e-4)
    flat = make_series(np.ones((4, 8, 8)), modality=ImagingModality.MR)
    assert not scale_intensity(flat.volume, flat).any()


@pytest.mark.parametrize(
    ("modality", "role", "kind"),
    [
        (ImagingModality.CT, "CT chest", "CT"),
        (ImagingModality.PT, "FDG-PET", "PT"),
        (ImagingModality.MR, "T1 post-contrast", "MR contrast"),
        (ImagingModality.MR, "FLAIR", "MR FLAIR"),
        (ImagingModality.MR, "T2", "MR other"),
    ],
)
def test_series_kinds(modality, role, kind):
    assert SERIES_KINDS[series_kind(make_series(np.zeros((2, 2, 2)), modality=modality, role=role))] == kind


def test_series_without_segment_is_skipped_with_its_reason():
    mask = np.zeros((8, 8, 8), bool)
    mask[3:5, 3:5, 3:5] = True
    patient = Patient(
        "p",
        imaging=(make_series(mask * 1.0, mask, uid="1"), make_series(mask * 1.0, role="CT pelvis", uid="2"),
                 make_series(mask * 1.0, np.zeros_like(mask), role="CT neck", uid="3")),
    )  # fmt: skip
    crops, choices = crop_series(patient)
    assert [c.series_uid for c in crops] == ["1"]
    assert {c.series_uid: c.reason for c in choices if not c.chosen} == {
        "2": "no lesion segment in series CT pelvis",
        "3": "no lesion segment in series CT neck",
    }


def test_blank_images_keep_the_mask_and_lose_the_picture():
    mask = np.zeros((8, 8, 8), bool)
    mask[3:5, 3:5, 3:5] = True
    noise = np.random.default_rng(0).normal(size=mask.shape)
    for modality, value in ((ImagingModality.CT, -1000), (ImagingModality.PT, 0), (ImagingModality.MR, 0)):
        series = blank_images(Patient("p", imaging=(make_series(noise, mask, modality=modality),))).imaging[0]
        assert set(np.unique(series.volume)) == {value}
        assert series.segments[0].mask is mask
        assert np.ptp(crop_lesion(series).image) == 0


def test_lesion_at_the_edge_is_padded_with_background():
    volume = np.full((10, 10, 10), 400.0)
    mask = np.zeros(volume.shape, bool)
    mask[0, 0, 0] = True
    crop = crop_lesion(make_series(volume, mask))
    assert crop.image.shape == (CROP_VOXELS,) * 3
    assert crop.image[0, 0, 0] == -1
    assert crop.image[17, 17, 17] == 1


def test_crop_agrees_with_scipy_on_a_tilted_grid():
    rng = np.random.default_rng(1)
    volume = rng.normal(size=(40, 40, 40)) * 50
    mask = np.zeros(volume.shape, bool)
    mask[18:22, 18:22, 18:22] = True
    angle = 0.3
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = turn * 2, (5, -7, 11)
    crop = crop_lesion(make_series(volume, mask, affine=affine))
    point = crop.crop_to_lps @ np.array([13, 18, 15, 1.0])  # x, y, z
    index = np.linalg.inv(affine) @ point
    expected = map_coordinates(volume.astype(np.float32), index[2::-1, None], order=1)[0]
    assert (crop.image[15, 18, 13] + 1) * 700 - 1000 == pytest.approx(expected, abs=0.1)


def test_encoder_shape_and_refusal():
    torch.manual_seed(0)
    encoder = ImageEncoder(8, planes=(4, 4, 4, 8)).eval()
    assert encoder(torch.zeros(3, 1, 32, 32, 32), torch.tensor([0, 1, 2])).shape == (3, 8)
    with pytest.raises(ContractError, match=r"\(N, 1, 32, 32, 32\)"):
        encoder(torch.zeros(3, 1, 16, 16, 16), torch.tensor([0, 1, 2]))
