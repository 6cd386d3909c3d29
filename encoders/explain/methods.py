"""The image explanation methods by name: how each is computed, what its map means, on which encoder it works.

What this module does not know: patients, sanity tests, files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from torch import Tensor

from encoders.errors import SettingsError
from encoders.explain.crop_map import CropEncoder, Target, scale_to_peak
from encoders.explain.grad_cam import CamWeights, grad_cam
from encoders.explain.integrated_gradients import image_integrated_gradients
from encoders.explain.learned_cam import learned_cam
from encoders.explain.occlusion import occlusion_maps
from encoders.explain.rollout import attention_rollout, gradient_rollout
from encoders.vit import ViTEncoder


@dataclass(frozen=True)
class CropMaps:
    """Maps of one target. values : (N, 32, 32, 32) in [0, 1]

    completeness : (|sum - (f(x) - f(baseline))|, f(x) - f(baseline)) over all series; None for relative maps
    """

    values: Tensor
    completeness: tuple[float, float] | None = None


Compute = Callable[[CropEncoder, Tensor, Tensor, Sequence[Target]], list[CropMaps]]
"""encoder, crops (N, 1, 32, 32, 32), kind (N,), targets -> maps of each target."""


@dataclass(frozen=True)
class Method:
    """One method. title : its name in print; meaning : what 1 on its map stands for, and its baseline

    needs_attention : works on the vision transformer alone
    """

    name: str
    title: str
    meaning: str
    compute: Compute
    needs_attention: bool = False


def _cam(form: CamWeights) -> Compute:
    return lambda e, c, k, ts: [CropMaps(grad_cam(e, c, k, t, form=form)) for t in ts]


def _occlusion(encoder: CropEncoder, crops: Tensor, kind: Tensor, targets: Sequence[Target]) -> list[CropMaps]:
    return [CropMaps(scale_to_peak(found)) for found in occlusion_maps(encoder, crops, kind, targets)]


def _gradients(encoder: CropEncoder, crops: Tensor, kind: Tensor, targets: Sequence[Target]) -> list[CropMaps]:
    found = []
    for target in targets:
        values, error, difference = image_integrated_gradients(encoder, crops, kind, target)
        found.append(CropMaps(scale_to_peak(values), (error, difference)))
    return found


def _rollout(encoder: CropEncoder, crops: Tensor, kind: Tensor, targets: Sequence[Target]) -> list[CropMaps]:
    return [CropMaps(attention_rollout(encoder, crops))] * len(targets)


def _gradient_rollout(encoder: CropEncoder, crops: Tensor, kind: Tensor, targets: Sequence[Target]) -> list[CropMaps]:
    return [CropMaps(gradient_rollout(encoder, crops, kind, target)) for target in targets]


def _learned(encoder: CropEncoder, crops: Tensor, kind: Tensor, targets: Sequence[Target]) -> list[CropMaps]:
    return [CropMaps(values) for values in learned_cam(encoder, crops, kind, targets)]


_RELATIVE = "relative map, no baseline: 1 = the place whose features most raise it"
_ALL = (
    Method(
        "learned_cam",
        "Grad-CAM++ less random weights",
        "relative map, less what encoders with random weights mark: 1 = the place whose features most raise it",
        _learned,
    ),
    Method("layercam", "Grad-CAM (LayerCAM)", _RELATIVE, _cam(CamWeights.LAYER)),
    Method("gradcam", "Grad-CAM", _RELATIVE, _cam(CamWeights.MEAN)),
    Method("gradcam++", "Grad-CAM++", _RELATIVE, _cam(CamWeights.PLUS_PLUS)),
    Method("occlusion", "occlusion", "1 = where hiding a 16 mm cube lowers it most; hidden = surroundings", _occlusion),
    Method(
        "integrated_gradients",
        "integrated gradients",
        "1 = the voxel that raises it most; baseline: the crop's surroundings everywhere",
        _gradients,
    ),
    Method(
        "rollout",
        "attention rollout",
        "attention, not attribution: 1 = the place most attended to, the same for every task",
        _rollout,
        needs_attention=True,
    ),
    Method(
        "grad_rollout",
        "gradient-weighted attention rollout",
        "relative map, no baseline: 1 = the place whose attention most raises it",
        _gradient_rollout,
        needs_attention=True,
    ),
)
METHODS: Mapping[str, Method] = MappingProxyType({m.name: m for m in _ALL})
"""Name -> method."""
REPORT_METHOD = "learned_cam"
"""The method whose maps go into the report."""
EVERY = "all"
"""The name that stands for every method that works on the encoder."""


def chosen_methods(name: str, encoder: CropEncoder) -> tuple[Method, ...]:
    """The method called ``name``, or every one that works on ``encoder`` for "all".

    Raises
    ------
    SettingsError: no method of that name. One that the encoder cannot answer is refused when it is computed.
    """
    if name == EVERY:
        return tuple(m for m in METHODS.values() if isinstance(encoder, ViTEncoder) or not m.needs_attention)
    if name not in METHODS:
        raise SettingsError(f"no explanation method {name!r}; allowed: {', '.join((*METHODS, EVERY))}.")
    return (METHODS[name],)
