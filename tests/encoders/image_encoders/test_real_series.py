"""A real chest CT with an RTSTRUCT outline goes through the shipped encoders with the published tumour volume."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from encoders.image_encoders.encode import encode_patient
from encoders.image_encoders.registry import load_image_encoder
from encoders.image_encoders.slices import key_point, sample_plane
from encoders.radiology import lesion_segment
from encoders.read.folder import read_patient

CASE = Path(__file__).parents[4] / "shared/data/open/radiology/lung_ct_rtstruct_4DLung_113_HM10395"
pytestmark = pytest.mark.skipif(
    not CASE.is_dir(), reason="the shared real radiology data are not beside this repository"
)


@pytest.fixture(scope="module")
def patient():
    return read_patient(CASE, allow_mixed_ids=True)


def test_radiomics_has_the_published_volume(patient):
    encoder = load_image_encoder("radiomics")
    found = encode_patient(patient, encoder)
    assert len(found.vectors) == 1 and found.modalities == ("CT",)
    row = dict(zip(encoder.card.feature_names, found.vectors[0], strict=True))
    assert row["morph_vol_approx"] == pytest.approx(67_630, rel=0.01)  # mm3, Tumor_c40
    assert row["stat_mean"] == pytest.approx(-21.7, abs=0.5)  # HU


def test_the_network_reads_it_and_the_slice_goes_through_the_tumour(patient):
    found = encode_patient(patient, load_image_encoder("cnn3d"))
    assert found.vectors.shape == (1, 128) and np.isfinite(found.vectors).all()
    (series,) = (s for s in patient.imaging if s.series_uid == found.series_uids[0])
    segment = lesion_segment(series)
    centre = key_point(series, segment)
    index = np.linalg.inv(series.affine_lps) @ np.array([*centre, 1.0])
    z = round(index[2])
    assert segment.mask[z].sum() == segment.mask.sum((1, 2)).max()
    pixel = float(series.spacing_mm[2])
    plane = sample_plane(series, np.array(series.affine_lps @ [*np.round(index[:3]), 1.0])[:3], "axial", 21 * pixel, 21)
    y, x = round(index[1]), round(index[0])
    np.testing.assert_allclose(plane, series.volume[z, y - 10 : y + 11, x - 10 : x + 11], atol=0.5)
