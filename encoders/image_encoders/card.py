"""What an image encoder says about itself: its recipe (all of the preprocessing, as data) and its card.

Two vectors may be compared only where ``spec``, ``weights_sha256`` and ``recipe.version`` are equal.
What this module does not know: images, networks, where weights are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from encoders.patient import ImagingSeries


class Cut(StrEnum):
    """What is taken out of a series."""

    LESION_CUBE = "lesion cube"
    AXIAL_SLICE = "axial slice through the lesion"
    ORTHOGONAL_SLICES = "axial, coronal and sagittal slice through the lesion"
    LESION_SEGMENT = "voxels of the lesion segment"
    PRECOMPUTED = "precomputed rows"


class Scaling(StrEnum):
    """How intensities become the network's numbers."""

    CLIP = "clip to low..high, linear"
    ROBUST_Z = "asinh of half the robust z-score of the series, clip to low..high, linear"
    NONE = "as they are"


@dataclass(frozen=True)
class Window:
    """Intensities of one modality that the encoder reads: in ``unit``, from ``low`` to ``high`` (for
    ``Scaling.ROBUST_Z`` in robust z-scores, see encoders/radiology.py)."""

    modality: str
    unit: str
    scaling: Scaling
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Recipe:
    """All of the preprocessing, from an ImagingSeries to the network's input.

    windows : one per modality the encoder reads; a series of another modality or unit is not encoded
    field_of_view_mm : side of the cube or square that is cut out; None where nothing is cut to a size
    size : voxels (z, y, x) or pixels (rows, columns) of the cut
    scaled_to : what a window's low and high become
    channels : what each input channel holds
    mean, std : subtracted and divided by, per channel, after scaling; () = neither
    settings : everything else that changes the numbers, as (name, value) pairs
    """

    cut: Cut
    windows: tuple[Window, ...]
    field_of_view_mm: float | None = None
    size: tuple[int, ...] = ()
    scaled_to: tuple[float, float] | None = None
    channels: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    interpolation: str = ""
    settings: tuple[tuple[str, str | int | float], ...] = ()

    @property
    def version(self) -> str:
        """SHA-256 over the content (first 16 hexadecimal digits): any change of preprocessing changes it."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]

    @property
    def modalities(self) -> tuple[str, ...]:
        """Modalities the encoder reads."""
        return tuple(w.modality for w in self.windows)

    def window(self, series: ImagingSeries) -> Window | str:
        """The window for a series, or why it has none (its modality or unit is not one this encoder reads)."""
        for window in self.windows:
            if window.modality != series.modality.value:
                continue
            if window.unit == series.unit.value:
                return window
            return f"{window.modality} is read in {window.unit}; series {_called(series)} is in {series.unit.value}"
        return f"modality {series.modality.value} is not one this encoder reads ({', '.join(self.modalities)})"


def _called(series: ImagingSeries) -> str:
    return series.role or series.modality.value


@dataclass(frozen=True)
class Paper:
    """Where a model is described; identifier is a DOI or "arXiv NNNN.NNNNN"."""

    authors: str
    year: int
    identifier: str

    def __str__(self) -> str:
        return f"{self.authors}, {self.year}, {self.identifier}"


@dataclass(frozen=True)
class EncoderCard:
    """One image encoder. None = not known, never a guess.

    spec : what ``load_image_encoder`` takes; width : length of one embedding
    pooling : how the network's output becomes one vector
    weights_sha256 : of the weight file, or of the table; None where there are no weights
    revision : commit on the hub, where the weights came from there
    golden_digest : SHA-256 (16 digits) of the golden output recorded for these weights; None where none is recorded
    feature_names : names of the entries, where they have any
    """

    id: str
    spec: str
    family: str
    width: int
    recipe: Recipe
    pooling: str
    purpose: str
    limits: str
    licence: str | None = None
    papers: tuple[Paper, ...] = ()
    trained_on: str | None = None
    weights_sha256: str | None = None
    revision: str | None = None
    golden_digest: str | None = None
    feature_names: tuple[str, ...] = ()

    def to_dict(self) -> Mapping[str, Any]:
        """JSON-able, with the recipe's version beside its content."""
        found = json.loads(json.dumps(asdict(self)))
        found["recipe"]["version"] = self.recipe.version
        return found
