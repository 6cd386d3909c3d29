"""Radiomics as an encoder: the features as encoders/radiomics gives them, and no row where one is undefined."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from encoders.errors import InputError
from encoders.image_encoders.encode import encode_patient
from encoders.image_encoders.phantom import phantom
from encoders.image_encoders.radiomics_encoder import LEFT_OUT
from encoders.image_encoders.registry import load_image_encoder
from encoders.patient import ImagingModality, IntensityUnit, Patient
from encoders.radiomics import encode_radiomics


@pytest.mark.parametrize("modality", ImagingModality)
def test_the_row_is_the_features_by_name(modality):
    series, encoder = phantom(modality), load_image_encoder("radiomics")
    vector, known = encoder.encode(series), encode_radiomics(series, series.segments[0])
    assert set(known.names) - set(encoder.card.feature_names) == set(LEFT_OUT)
    for name, value in zip(encoder.card.feature_names, vector, strict=True):
        assert value == np.float32(known[name])


def test_undefined_features_make_no_row_and_are_named():
    series = phantom(ImagingModality.CT)
    constant = replace(series, volume=np.full_like(series.volume, 40.0), series_uid="flat")
    encoder = load_image_encoder("radiomics")
    with pytest.raises(InputError, match=r"features are not defined for this region \(.*stat_skew"):
        encoder.encode(constant)
    patient = Patient("p", imaging=(phantom(ImagingModality.MR), replace(series, unit=IntensityUnit.ARBITRARY)))
    found = encode_patient(patient, encoder)
    assert found.series_uids == ("phantom-MR",) and set(found.skipped) == {"phantom-CT"}
