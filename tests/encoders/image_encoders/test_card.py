"""Recipes are data with a version; the registry names each encoder once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from encoders.errors import ContractError, SettingsError
from encoders.image_encoders.card import Cut, Recipe, Scaling, Window
from encoders.image_encoders.phantom import phantom
from encoders.image_encoders.registry import BUILT_IN, build_registry, load_image_encoder
from encoders.patient import ImagingModality, IntensityUnit

README = Path(__file__).resolve().parents[3] / "README.md"
RECIPE = Recipe(Cut.AXIAL_SLICE, (Window("CT", "HU", Scaling.CLIP, -160, 240),), 128.0, (224, 224), mean=(0.5,))


def test_the_version_is_the_content():
    assert RECIPE.version == replace(RECIPE).version
    changed = [
        replace(RECIPE, field_of_view_mm=127.0),
        replace(RECIPE, mean=(0.4,)),
        replace(RECIPE, cut=Cut.ORTHOGONAL_SLICES),
        replace(RECIPE, windows=(Window("CT", "HU", Scaling.CLIP, -160, 241),)),
        replace(RECIPE, settings=(("resample", 3),)),
    ]
    assert len({r.version for r in (RECIPE, *changed)}) == 6


def test_a_series_finds_its_window_by_modality_and_unit():
    ct = phantom(ImagingModality.CT)
    assert RECIPE.window(ct) == RECIPE.windows[0]
    assert RECIPE.window(replace(ct, unit=IntensityUnit.ARBITRARY)) == "CT is read in HU; series CT is in arbitrary"
    assert RECIPE.window(phantom(ImagingModality.PT)) == "modality PT is not one this encoder reads (CT)"


@pytest.mark.parametrize("spec", ["cnn3d", "radiomics"])
def test_a_card_is_json_and_complete(spec):
    card = load_image_encoder(spec).card
    found = json.loads(json.dumps(card.to_dict()))
    assert found["recipe"]["version"] == card.recipe.version
    assert found["licence"] and found["papers"] and found["limits"] and found["trained_on"] and found["golden_digest"]
    assert all(p["authors"] and p["year"] and p["identifier"] for p in found["papers"])


def test_unknown_and_double_specs_are_refused():
    with pytest.raises(SettingsError, match=r"known: cnn3d, vit3d, radiomics, hf:<hub id or folder>, table:<file>"):
        load_image_encoder("cnn2d")
    one = BUILT_IN["cnn3d"]
    with pytest.raises(ContractError, match="'cnn3d' is registered twice"):
        build_registry(one, one)


def test_the_readme_names_every_shipped_encoder():
    text = README.read_text(encoding="utf-8")
    assert all(f"`{spec}`" in text for spec in (*BUILT_IN, "hf:ID-OR-FOLDER", "table:FILE"))
