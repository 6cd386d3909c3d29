"""Golden outputs: a few numbers of what an encoder makes of the phantom, kept with its recipe version and weight hash.

A change of preprocessing, weights or arithmetic shows as a difference, and which of them by where it shows: the recipe
version and the inputs belong to the preprocessing, the outputs to the network. Golden outputs of the shipped encoders
are in golden_outputs.json beside this file; those of other encoders are recorded on first use in the index under
RADOMICA_HOME, with the revision they came from, which later loads then keep to.

Not checked here: pixels the phantom does not have (other spacings, other units), whether an embedding is any good.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from encoders.atomic_write import write_atomically
from encoders.errors import UnavailableError
from encoders.image_encoders.encode import SeriesEncoder
from encoders.image_encoders.phantom import phantom
from encoders.patient import ImagingModality

SHIPPED = Path(__file__).parent / "golden_outputs.json"
INDEX = Path("image_encoders") / "index.json"
"""Place of the index under RADOMICA_HOME."""
INPUT_TOLERANCE = (1e-4, 1e-3)
"""Relative and absolute difference of the inputs' numbers that still counts as the same."""
OUTPUT_TOLERANCE = (1e-3, 2e-3)
"""The same for the outputs: processors and GPUs add in other orders."""
_PLACES = 16


@dataclass(frozen=True)
class Golden:
    """Numbers per modality: mean, standard deviation, and entries evenly spaced over the flattened array."""

    recipe_version: str
    weights_sha256: str | None
    revision: str | None
    width: int
    inputs: Mapping[str, tuple[float, ...]]
    outputs: Mapping[str, tuple[float, ...]]

    @property
    def digest(self) -> str:
        """SHA-256 over the content (first 16 hexadecimal digits)."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class GoldenCheck:
    """Outcome of one check. differences : one line each; () = the encoder is what was recorded.

    recorded_now : there was no golden output, so this one was recorded
    """

    spec: str
    differences: tuple[str, ...] = ()
    recorded_now: bool = False

    @property
    def ok(self) -> bool:
        """Nothing differs."""
        return not self.differences


def compute_golden(encoder: SeriesEncoder) -> Golden:
    """What the encoder makes of the phantom now, for every modality it reads."""
    inputs, outputs = {}, {}
    for name in encoder.card.recipe.modalities:
        prepared = encoder.prepare(phantom(ImagingModality(name)))
        inputs[name] = _numbers(prepared.pixels)
        outputs[name] = _numbers(encoder.forward_many([prepared])[0])
    card = encoder.card
    return Golden(card.recipe.version, card.weights_sha256, card.revision, card.width, inputs, outputs)


def _numbers(array: NDArray[np.float32]) -> tuple[float, ...]:
    flat = array.astype(np.float64).ravel()
    chosen = flat[np.linspace(0, flat.size - 1, _PLACES).round().astype(int)]
    return tuple(float(f"{x:.7g}") for x in (flat.mean(), flat.std(), *chosen))


def stored_golden(key: str) -> Golden | None:
    """What is recorded under a key (``SeriesEncoder.golden_key``), shipped or in the user's index; None for nothing.

    Raises
    ------
    UnavailableError: the file is damaged
    """
    for path in (SHIPPED, index_path()):
        found = _read(path).get(key)
        if found is not None:
            try:
                named = {k: {m: tuple(v) for m, v in found[k].items()} for k in ("inputs", "outputs")}
                return Golden(**{**found, **named})
            except (TypeError, KeyError, AttributeError) as error:
                raise UnavailableError(_damaged(path)) from error
    return None


def record_golden(encoder: SeriesEncoder, *, shipped: bool = False) -> Golden:
    """Compute and keep the golden output, in place of an earlier one.

    shipped : write the file beside this module (after training the shipped weights), not the index of this user
    """
    golden = compute_golden(encoder)
    path = SHIPPED if shipped else index_path()
    content = {**_read(path), encoder.golden_key: asdict(golden)}
    write_atomically(path, json.dumps(content, indent=1, sort_keys=True) + "\n")
    return golden


def check_golden(encoder: SeriesEncoder, *, shipped: bool = False) -> GoldenCheck:
    """Compare the encoder with what is recorded; an encoder that is not shipped is recorded on its first use.

    shipped : its golden output must be there; none is a difference, not a first use
    """
    known = stored_golden(encoder.golden_key)
    if known is None and shipped:
        return GoldenCheck(encoder.card.spec, ("no golden output is shipped for it",))
    if known is None:
        record_golden(encoder)
        return GoldenCheck(encoder.card.spec, recorded_now=True)
    return GoldenCheck(encoder.card.spec, differences(known, compute_golden(encoder)))


def differences(known: Golden, now: Golden) -> tuple[str, ...]:
    """What differs between two golden outputs, beyond the tolerances for numbers."""
    found = []
    for what in ("recipe_version", "weights_sha256", "revision", "width"):
        before, after = getattr(known, what), getattr(now, what)
        if before != after:
            found.append(f"{what} was {_short(before)}, is {_short(after)}")
    for part, tolerance in (("inputs", INPUT_TOLERANCE), ("outputs", OUTPUT_TOLERANCE)):
        before, after = getattr(known, part), getattr(now, part)
        if before.keys() != after.keys():
            found.append(f"{part} were of {', '.join(before) or 'nothing'}, are of {', '.join(after) or 'nothing'}")
        found += [
            line
            for m in before.keys() & after.keys()
            if (line := _number_line(part, m, before[m], after[m], tolerance))
        ]
    return tuple(found)


def _number_line(
    part: str, modality: str, before: tuple[float, ...], after: tuple[float, ...], tolerance: tuple[float, float]
) -> str | None:
    if len(before) != len(after):
        return f"{part} of {modality}: {len(before)} numbers recorded, {len(after)} now"
    x, y = np.array(before), np.array(after)
    relative, absolute = tolerance
    excess = np.abs(x - y) - (absolute + relative * np.abs(x))
    if excess.max() <= 0:
        return None
    worst = int(excess.argmax())
    return (
        f"{part} of {modality}: {int((excess > 0).sum())} of {len(x)} numbers, worst {x[worst]:.6g} -> {y[worst]:.6g}"
    )


def _short(value: object) -> str:
    return str(value)[:12] if isinstance(value, str) else str(value)


def index_path() -> Path:
    """Where golden outputs of encoders that are not shipped are kept."""
    home = os.environ.get("RADOMICA_HOME")
    if home:
        return Path(home).expanduser() / INDEX
    from platformdirs import user_data_path  # noqa: PLC0415  (only when no home is set)

    return user_data_path("radomica", appauthor=False) / INDEX


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UnavailableError(_damaged(path)) from error
    if not isinstance(found, dict):
        raise UnavailableError(_damaged(path))
    return found


def _damaged(path: Path) -> str:
    return f"{path.name} of the golden outputs is damaged; remove it (in the package: reinstall) and check again."
