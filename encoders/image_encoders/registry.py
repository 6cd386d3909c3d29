"""Every image encoder by spec, and what each is for.

    load_image_encoder("cnn3d")                      shipped 3D CNN
    load_image_encoder("hf:microsoft/rad-dino")      any transformers vision model, by hub id or folder
    load_image_encoder("table:features.csv")         precomputed embeddings

What this module does not know: patients, how an encoder works. Heavy imports stand inside the loaders.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

from encoders.errors import ContractError, SettingsError, UnavailableError
from encoders.image_encoders.card import EncoderCard
from encoders.image_encoders.crop_networks import CROP_NETWORKS, crop_network_card, load_crop_network
from encoders.image_encoders.encode import SeriesEncoder
from encoders.image_encoders.golden import Golden, stored_golden
from encoders.image_encoders.hub_folder import PREFIX as HUB
from encoders.image_encoders.radiomics_encoder import SPEC as RADIOMICS
from encoders.image_encoders.radiomics_encoder import load_radiomics
from encoders.image_encoders.table_encoder import PREFIX as TABLE
from encoders.image_encoders.table_encoder import load_table

Load = Callable[[str | None], SeriesEncoder]


@dataclass(frozen=True)
class BuiltIn:
    """One shipped encoder: its spec, how to load it on a device (None = its default), its card without the weights."""

    spec: str
    load: Load
    card: Callable[[], EncoderCard]


def build_registry(*entries: BuiltIn) -> Mapping[str, BuiltIn]:
    """Spec -> entry; a spec used twice is a ContractError."""
    out: dict[str, BuiltIn] = {}
    for one in entries:
        if one.spec in out:
            raise ContractError(f"image encoder {one.spec!r} is registered twice; give one of them another spec.")
        out[one.spec] = one
    return MappingProxyType(out)


def _crop_network(spec: str, device: str | None) -> SeriesEncoder:
    return load_crop_network(spec, device=device)


BUILT_IN: Mapping[str, BuiltIn] = build_registry(
    *(BuiltIn(spec, partial(_crop_network, spec), partial(crop_network_card, spec)) for spec in CROP_NETWORKS),
    BuiltIn(RADIOMICS, lambda _: load_radiomics(), lambda: load_radiomics().card),
)


def load_image_encoder(spec: str, *, device: str | None = None) -> SeriesEncoder:
    """The encoder a spec names, with its weights checked against their hash.

    Parameters
    ----------
    spec : cnn3d, vit3d, radiomics, hf:NAME[@REVISION][?planes=...&field_of_view_mm=...] or table:FILE
    device : "cpu" or "cuda"; default: the CPU for what is shipped, a GPU where there is one for hf:

    Raises
    ------
    SettingsError: no such spec. UnavailableError: weights missing or not to be trusted. InputError: a bad table.
    """
    key = golden_key(spec)
    golden = stored_golden(key)
    encoder = _load(spec, device, golden)
    encoder.golden_key = key
    if golden is not None:
        encoder.card = replace(encoder.card, golden_digest=golden.digest)
    return encoder


def _load(spec: str, device: str | None, golden: Golden | None) -> SeriesEncoder:
    if spec in BUILT_IN:
        return BUILT_IN[spec].load(device)
    if spec.startswith(TABLE):
        return load_table(spec)
    if spec.startswith(HUB):
        from encoders.image_encoders.hub_encoder import load_hub_encoder  # noqa: PLC0415  (transformers: seconds)

        return load_hub_encoder(spec, device=device, pinned=golden.revision if golden else None)
    raise SettingsError(
        f"no image encoder is called {spec!r}; known: {', '.join(BUILT_IN)}, {HUB}<hub id or folder>, {TABLE}<file>."
    )


def golden_key(spec: str) -> str:
    """The spec, with the whole path where it names a file or folder here: a relative one means another elsewhere."""
    for prefix in (HUB, TABLE):
        if spec.startswith(prefix):
            name, mark, query = spec.removeprefix(prefix).partition("?")
            path = Path(name).expanduser()
            return f"{prefix}{path.resolve()}{mark}{query}" if path.exists() else spec
    return spec


def card_of(spec: str) -> tuple[EncoderCard, str | None]:
    """(card, why the encoder cannot be used here or None): for a shipped encoder also where its weights are missing."""
    try:
        return load_image_encoder(spec).card, None
    except UnavailableError as error:
        if spec not in BUILT_IN:
            raise
        return BUILT_IN[spec].card(), str(error)
