"""``hf:``: any transformers vision model on slices through the lesion.

SigLIP (MedSigLIP), CLIP, DINOv2 (RAD-DINO) and ViT are loaded as their own vision classes and pooled as they were
trained; other vision models through AutoModel, pooled by the mean. Size, mean, std and resampling are those of the
model's own preprocessor_config.json. Weights that the file lacks would be random numbers, so such a model is refused.

What this module does not know: whether the model has seen anything like a slice of CT, MR or PET.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from torch import Tensor

from encoders import radiology
from encoders.compute import training_device
from encoders.errors import SettingsError, UnavailableError
from encoders.image_encoders.card import EncoderCard, Recipe, Scaling, Window
from encoders.image_encoders.crop_networks import run_network
from encoders.image_encoders.encode import PreparedSeries, SeriesEncoder, lesion_or_refuse
from encoders.image_encoders.hub_folder import HubFolder, HubSpec, find_hub_folder, parse_hub_spec, stated_licence
from encoders.image_encoders.known_models import KNOWN_MODELS
from encoders.image_encoders.slices import lesion_pictures, planes_of
from encoders.patient import ImagingSeries

POOLER, CLASS_TOKEN, MEAN = "the model's own pooled output", "class token after the last norm", "mean over positions"


@dataclass(frozen=True)
class Tower:
    """How one model type is loaded and pooled."""

    class_name: str
    pooling: str
    options: tuple[tuple[str, bool], ...] = ()


_SIGLIP, _CLIP = Tower("SiglipVisionModel", POOLER), Tower("CLIPVisionModel", POOLER)
TOWERS: dict[str, Tower] = {
    "siglip": _SIGLIP,
    "siglip_vision_model": _SIGLIP,
    "clip": _CLIP,
    "clip_vision_model": _CLIP,
    "dinov2": Tower("Dinov2Model", CLASS_TOKEN),
    "dinov2_with_registers": Tower("Dinov2WithRegistersModel", CLASS_TOKEN),
    "vit": Tower("ViTModel", CLASS_TOKEN, (("add_pooling_layer", False),)),
}
"""Model type of config.json -> class and pooling. A ViT's own pooler is left out: many checkpoints lack it."""
_ANY = Tower("AutoModel", MEAN)
_PROCESSOR_KEYS = (
    "image_processor_type", "do_resize", "size", "resample", "do_center_crop", "crop_size", "do_rescale",
    "rescale_factor", "do_normalize", "do_pad",
)  # fmt: skip


class HubEncoder(SeriesEncoder):
    """A vision model on 8-bit pictures; several planes are encoded apart and their embeddings averaged."""

    def __init__(
        self, card: EncoderCard, model: Any, processor: Any, *, pooling: str, view: tuple[float, int], device: str
    ) -> None:
        super().__init__(card)
        self.model, self.processor, self.device = model, processor, device
        self._pooling = pooling
        self._field_mm, self._pixels = view  # what the network sees, in mm; side of the picture the processor is given

    def pictures(self, series: ImagingSeries) -> NDArray[np.uint8]:
        """(planes, pixels, pixels, 3) uint8: what the processor is given."""
        segment, window = lesion_or_refuse(series, self.card)
        recipe = self.card.recipe
        cut_mm = self._field_mm * self._pixels / recipe.size[0]  # the processor crops the rest away
        return lesion_pictures(series, segment, window, planes_of(recipe.cut), (cut_mm, self._pixels))

    def prepare(self, series: ImagingSeries) -> PreparedSeries:
        """(planes, 3, rows, columns) float32: the pictures through the model's own processor."""
        found = self.processor(images=list(self.pictures(series)), return_tensors="np")["pixel_values"]
        return PreparedSeries(np.asarray(found, np.float32))

    def forward(self, prepared: Sequence[PreparedSeries]) -> NDArray[np.float32]:
        """(N, width), the mean over the planes of each series."""
        pixels = torch.from_numpy(np.stack([p.pixels for p in prepared]))  # (N, planes, 3, H, W)
        vectors = run_network(self._pooled, pixels.flatten(0, 1), self.device)
        return vectors.reshape(len(prepared), -1, vectors.shape[-1]).mean(1)

    def _pooled(self, pixels: Tensor) -> Tensor:
        return pool(self.model(pixel_values=pixels), self._pooling)


def pool(output: Any, pooling: str) -> Tensor:
    """One vector (N, D) per picture out of a transformers model output."""
    if pooling == POOLER:
        return output.pooler_output
    hidden = output.last_hidden_state  # (N, T, D), or (N, C, H, W) of a convolutional network
    if pooling == CLASS_TOKEN:
        return hidden[:, 0]
    return hidden.mean(1) if hidden.ndim == 3 else hidden.mean((2, 3))


def load_hub_encoder(spec: str, *, device: str | None = None, pinned: str | None = None) -> HubEncoder:
    """Load ``hf:...``; on a GPU where there is one and ``device`` does not say otherwise.

    Raises
    ------
    SettingsError: the spec is not one, or names a model that reads no pictures
    UnavailableError: the model cannot be had or loaded without its own code, without pickle, with all its weights
    """
    wanted = parse_hub_spec(spec)
    folder = find_hub_folder(wanted, pinned=pinned)
    config = json.loads((folder.path / "config.json").read_text(encoding="utf-8"))
    tower = TOWERS.get(str(config.get("model_type")), _ANY)
    if tower is _SIGLIP and config.get("vision_config", config).get("vision_use_head") is False:
        tower = Tower("SiglipVisionModel", MEAN)
    where = training_device(device)
    with _quiet():
        model = _load_model(folder, tower, wanted.name)
        processor = _load_processor(folder.path, wanted.name)
    pixels, size = _picture_size(processor, wanted.name)
    recipe = hub_recipe(wanted, processor, size)
    view = (wanted.field_of_view_mm, pixels)
    card = _card(wanted, folder, model.eval(), tower, recipe)
    return HubEncoder(card, model.to(where), processor, pooling=tower.pooling, view=view, device=where)


def _load_model(folder: HubFolder, tower: Tower, name: str) -> Any:
    try:
        model, info = getattr(transformers, tower.class_name).from_pretrained(
            folder.path, local_files_only=True, use_safetensors=True, trust_remote_code=False, dtype=torch.float32,
            output_loading_info=True, **dict(tower.options),
        )  # fmt: skip
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        raise UnavailableError(
            f"{name} cannot be loaded: {_first_line(error)} Code from the hub is never run."
        ) from error
    if getattr(model, "main_input_name", "") != "pixel_values":
        raise SettingsError(f"{name} reads {model.main_input_name}, not pictures; give a vision model.")
    absent = sorted(key for key in info["missing_keys"] if not (tower is _ANY and key.startswith("pooler.")))
    if absent:
        raise UnavailableError(
            f"the weights of {name} lack {len(absent)} tensors of {type(model).__name__}, first {absent[0]!r}; they "
            "would be random numbers. Give the folder of a complete model."
        )
    return model


def _load_processor(path: Path, name: str) -> Any:
    if not (path / "preprocessor_config.json").is_file():
        raise UnavailableError(
            f"{name} has no preprocessor_config.json, so its picture size, mean and std are not known; add the file "
            "of the model it was made from."
        )
    try:  # PIL whether torchvision is installed or not: the two resample differently
        return transformers.AutoImageProcessor.from_pretrained(
            path, local_files_only=True, trust_remote_code=False, backend="pil"
        )
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise UnavailableError(f"the image processor of {name} cannot be loaded: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".") + "."


@contextmanager
def _quiet() -> Iterator[None]:
    """No load report and no bars: what matters of them is checked and raised here."""
    log = transformers.utils.logging
    level, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(level)
        if bars:
            log.enable_progress_bar()


def _picture_size(processor: Any, name: str) -> tuple[int, tuple[int, int]]:
    """(pixels of the square cut, (rows, columns) the network sees), from the processor's resize and centre crop."""
    size = dict(getattr(processor, "size", None) or {})
    pixels = int(size.get("shortest_edge") or size.get("height") or 0)
    if pixels <= 0 or size.get("width", pixels) != pixels:
        raise UnavailableError(f"the processor of {name} says size {size}; a square size is needed.")
    crop = dict(getattr(processor, "crop_size", None) or {}) if getattr(processor, "do_center_crop", False) else {}
    seen = int(crop.get("height") or crop.get("shortest_edge") or pixels)
    if crop.get("width", seen) != seen or seen > pixels:
        raise UnavailableError(f"the processor of {name} crops {crop} out of {size}; a smaller square is needed.")
    return pixels, (seen, seen)


def hub_recipe(wanted: HubSpec, processor: Any, size: tuple[int, int]) -> Recipe:
    """The recipe: our cut and windows, then the model's own processor."""
    said = processor.to_dict()
    limit = radiology.MR_LIMIT
    normalised = bool(said.get("do_normalize"))
    return Recipe(
        cut=wanted.cut,
        field_of_view_mm=wanted.field_of_view_mm,
        size=size,
        windows=(
            Window("CT", "HU", Scaling.CLIP, *radiology.HU_RANGE),
            Window("PT", "SUVbw", Scaling.CLIP, *radiology.SUV_RANGE),
            Window("MR", "arbitrary", Scaling.ROBUST_Z, -limit, limit),
        ),
        scaled_to=(0.0, 255.0),
        channels=("gray",) * 3,
        mean=tuple(float(x) for x in said["image_mean"]) if normalised else (),
        std=tuple(float(x) for x in said["image_std"]) if normalised else (),
        interpolation="linear, Gaussian first where voxels are finer; 8 bit",
        settings=(
            ("processor", json.dumps({k: said[k] for k in _PROCESSOR_KEYS if k in said}, sort_keys=True, default=str)),
            ("processor_backend", "pil"),
        ),
    )


def _card(wanted: HubSpec, folder: HubFolder, model: Any, tower: Tower, recipe: Recipe) -> EncoderCard:
    known = KNOWN_MODELS.get(wanted.name)
    planes = planes_of(wanted.cut)
    return EncoderCard(
        id=wanted.name if folder.revision else folder.path.name,
        spec=wanted.spec,
        family=f"{known.family} ({type(model).__name__})" if known else type(model).__name__,
        width=_width(model, tower.pooling, recipe.size),
        recipe=recipe,
        pooling=tower.pooling + (f", mean over {len(planes)} planes" if len(planes) > 1 else ""),
        purpose=known.purpose if known else "not known here",
        limits=known.limits if known else "What the model was trained on is not known here; read its own card.",
        licence=known.licence if known else stated_licence(folder),
        papers=known.papers if known else (),
        trained_on=known.trained_on if known else None,
        weights_sha256=folder.weights_sha256(),
        revision=folder.revision,
    )


def _width(model: Any, pooling: str, size: tuple[int, int]) -> int:
    """Length of one embedding, by looking: configurations name it in many ways."""
    with torch.inference_mode():
        return int(pool(model(pixel_values=torch.zeros(1, 3, *size)), pooling).shape[-1])
