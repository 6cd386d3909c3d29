"""``radiomics``: the IBSI-named features of the largest lesion segment as one row.

A feature that is not defined for a region makes no row: the series is left out with the features' names, nothing is
imputed. What this module does not know: the features' formulas (encoders/radiomics).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from encoders.errors import ContractError, InputError
from encoders.image_encoders.card import Cut, EncoderCard, Paper, Recipe, Scaling, Window
from encoders.image_encoders.encode import PreparedSeries, SeriesEncoder, lesion_or_refuse
from encoders.patient import ImagingModality, ImagingSeries, IntensityUnit
from encoders.radiomics import SETTINGS_BY_UNIT, encode_radiomics, radiomics
from encoders.radiomics.settings import VERSION

SPEC = "radiomics"
LEFT_OUT: tuple[str, ...] = ("morph_com",)
"""Features not kept: the centre-of-mass shift has no value unless every intensity is above 0, which in HU is rare."""
_READ = (
    (ImagingModality.CT, IntensityUnit.HU),
    (ImagingModality.PT, IntensityUnit.SUVBW),
    (ImagingModality.MR, IntensityUnit.ARBITRARY),
)


def radiomics_recipe() -> Recipe:
    """Discretisation, resampling and aggregation per unit, as encoders/radiomics has them now."""
    return Recipe(
        cut=Cut.LESION_SEGMENT,
        windows=tuple(Window(m.value, u.value, Scaling.NONE) for m, u in _READ),
        settings=(
            ("radiomics_version", VERSION),
            ("features_left_out", ", ".join(LEFT_OUT)),
            *((f"settings_{u.value}", json.dumps(asdict(SETTINGS_BY_UNIT[u]), sort_keys=True)) for _, u in _READ),
        ),
    )


@lru_cache(maxsize=1)
def feature_names() -> tuple[str, ...]:
    """Names in order, as the radiomics of a small made-up region give them."""
    z, y, x = np.meshgrid(*(np.arange(6.0),) * 3, indexing="ij")
    mask = np.zeros((6, 6, 6), bool)
    mask[1:5, 1:5, 1:5] = True
    found = radiomics(40.0 * z + 25.0 * y * x, mask, (1.0, 1.0, 1.0)).names
    return tuple(name for name in found if name not in LEFT_OUT)


class RadiomicsEncoder(SeriesEncoder):
    """Features as the embedding; there is no network."""

    def prepare(self, series: ImagingSeries) -> PreparedSeries:
        """The features, (width,); InputError when one of them is not defined for this region."""
        segment, _ = lesion_or_refuse(series, self.card)
        vector = encode_radiomics(series, segment)
        found = vector.to_dict()
        if not found.keys() >= set(self.card.feature_names):
            raise ContractError(f"radiomics gave {len(found)} features and not all {self.card.width} of the card.")
        undefined = [name for name in self.card.feature_names if name in vector.undefined]
        if undefined:
            shown = ", ".join(undefined[:6]) + (" ..." if len(undefined) > 6 else "")
            raise InputError(f"{len(undefined)} radiomics features are not defined for this region ({shown})")
        return PreparedSeries(np.array([found[name] for name in self.card.feature_names], np.float32))

    def forward(self, prepared: Sequence[PreparedSeries]) -> NDArray[np.float32]:
        """The features as they are."""
        return np.stack([p.pixels for p in prepared])


def load_radiomics() -> RadiomicsEncoder:
    """The radiomics encoder; it needs no weights."""
    names = feature_names()
    return RadiomicsEncoder(
        EncoderCard(
            id="radomica-radiomics",
            spec=SPEC,
            family="hand-made features (IBSI 1 names)",
            width=len(names),
            recipe=radiomics_recipe(),
            pooling="one figure per feature",
            purpose="first-order, shape and texture features with published definitions",
            licence="Apache-2.0",
            papers=(Paper("Zwanenburg et al.", 2020, "10.1148/radiol.2020191145"),),
            trained_on="nothing; formulas",
            limits="MR and other arbitrary intensities are not comparable between scanners. Features of different "
            "modalities are in different units; do not mix their rows.",
            feature_names=names,
        )
    )
