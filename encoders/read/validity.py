"""May the networks read a series: ok, doubtful or refused, with every reason.

Refused (not read, the report says why): empty images, drawings and 8-bit pictures, CT without Hounsfield units,
parametric maps and projections, phantoms, saturation that leaves nothing of the lesion, a lesion that runs off both
ends of the stack. Doubtful (read and flagged): another body part or modality than the cancer's, a lesion cut by the
edge of the field of view, too few slices, values its unit does not allow, a contrast unlike what the networks
learned. Localizers, screenshots and dose reports never become a series (encoders/read/series_header.py).

What this module does not know: artefacts, motion, whether the outline is right, the phase of a contrast.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from encoders import oncotree
from encoders.body_region import find_region, overlapping, primary_regions
from encoders.lesion_choice import lesions
from encoders.patient import (
    ImagingModality,
    ImagingSeries,
    IntensityUnit,
    Segment,
    SeriesVerdict,
    Validity,
)
from encoders.series_kind import SERIES_KINDS, series_kind

FEWEST_SLICES = 8
"""Fewer slices are a sample of the organ, not a volume."""
SHORTEST_MM = 20.0
"""A stack that reaches less far along its normal cannot hold most lesions whole."""
SATURATED_SHARE = 0.005
"""More voxels than this share at the largest value means the largest values were cut off."""
SATURATED_BEYOND_USE = 0.5
"""A saturated series, or its lesion, with this share of voxels at the largest value shows nothing any more."""
FEWEST_VALUES = 9
"""An image holds at least this many values; a mask or drawing holds fewer."""
AIR_HU = -200.0
"""A CT of a patient holds voxels below this, inside or around the patient."""
HIGHEST_HU = 32767.0
"""No CT stores a higher value; scanners with an extended scale reach about 30,000."""
PICTURE = (0.0, 255.0)
"""A "CT" whose values all lie here is an 8-bit picture of one."""
BELIEVABLE_SUV = (0.05, 500.0)
"""A PET's largest SUVbw lies in this range; outside it weight, dose or scale are wrong."""

LEARNED: Mapping[str, tuple[str, ...]] = {
    "LUAD": ("CT", "PT"),
    "DIFG": ("MR contrast", "MR FLAIR"),
    "CCRCC": ("CT",),
    "BRCA": ("MR contrast",),
}
"""OncoTree code of a trained cancer -> the kinds of series its networks learned from."""
LEARNED_WITH_CONTRAST = ("CCRCC",)
"""Trained cancers whose CT was contrast-enhanced."""

_MAPS = frozenset(
    ("ADC", "EADC", "FA", "CBF", "CBV", "MTT", "TTP", "TMAX", "RCBF", "RCBV", "RMTT", "REGCBF", "REGCBV", "REGMTT"),
) | frozenset(("KTRANS", "T1 MAP", "T2 MAP", "T1MAP", "T2MAP", "SUBTRACTION", "VELOCITY", "P", "PHASE MAP"))
"""Values of ImageType that name a quantity computed from several images, or a phase image."""
_MAP_WORDS = re.compile(
    r"(?<![a-z])(?:e?adc|r?cbf|r?cbv|r?mtt|ttp|tmax|ktrans|subtract\w*|parametric"
    r"|(?:fa|t[12]\*?|perfusion|phase)[ _-]?map)(?![a-z])",
    re.I,
)
_PROJECTIONS = frozenset(("MIP", "MINIP", "MNIP", "PROJECTION IMAGE", "VOLUME RENDERING", "VRT", "SSD"))
_NO_CONTRAST = re.compile(r"non[- ]?contrast|without|native|unenhanced|w/?o(?![a-z])|plain", re.IGNORECASE)
_CONTRAST = re.compile(r"contrast|enhanced|arterial|venous|nephro|cortico|portal|delayed|\+c(?![a-z])", re.IGNORECASE)


def with_verdict(series: ImagingSeries, oncotree_code: str | None = None) -> ImagingSeries:
    """The series with its verdict, and every reason among its warnings.

    oncotree_code : the patient's cancer; None asks nothing about body part, modality and contrast
    """
    refusals, doubts = find_refusals(series), find_doubts(series, oncotree_code)
    if refusals:
        validity = Validity(SeriesVerdict.REFUSED, refusals)
    else:
        validity = Validity(SeriesVerdict.DOUBTFUL if doubts else SeriesVerdict.OK, doubts)
    told = (*(f"not read by the networks: {reason}" for reason in refusals), *doubts)
    return replace(series, validity=validity, warnings=(*series.warnings, *told))


def find_refusals(series: ImagingSeries) -> tuple[str, ...]:
    """Why the networks must not read the series."""
    found = (
        _no_image(series),
        _no_unit(series),
        _not_a_tissue_image(series),
        _saturated_beyond_use(series),
        _runs_off_both_ends(series),
    )
    return tuple(reason for reason in found if reason)


def find_doubts(series: ImagingSeries, oncotree_code: str | None = None) -> tuple[str, ...]:
    """What speaks against trusting the series; of the values of an empty one nothing, since it is refused."""
    low, high = float(series.volume.min()), float(series.volume.max())
    found = [_too_few_slices(series), _lesion_cut(series)]
    if low < high:
        found += [_saturated(series.volume, high), _out_of_unit(series, low, high)]
    found += [_other_body_part(series, oncotree_code), _unlike_learned(series, oncotree_code)]
    return tuple(doubt for doubt in found if doubt)


# Refusals.


def _no_image(series: ImagingSeries) -> str:
    values = series.volume
    low, high = float(values.min()), float(values.max())
    if low == high:
        return f"every voxel holds {low:g}: an empty image"
    sample = np.unique(values[:: max(1, len(values) // 8), ::4, ::4])
    if sample.size < FEWEST_VALUES and (count := np.unique(values).size) < FEWEST_VALUES:
        return f"its voxels hold only {count} values: a mask or a drawing, not an image"
    if series.unit is IntensityUnit.HU and low >= PICTURE[0] and high <= PICTURE[1]:
        return f"all values lie between {low:g} and {high:g}: an 8-bit picture of a CT, not Hounsfield units"
    return ""


def _no_unit(series: ImagingSeries) -> str:
    if series.modality is ImagingModality.CT and series.unit is not IntensityUnit.HU:
        return f"a CT in {series.unit.value} units; the networks read Hounsfield units"
    if series.modality is ImagingModality.PT and series.unit is not IntensityUnit.SUVBW:
        return f"a PET in {series.unit.value} units; the networks read SUVbw"
    return ""


def _not_a_tissue_image(series: ImagingSeries) -> str:
    header = series.header
    if header.phantom:
        return "its header calls what was scanned a phantom"
    named = sorted(_MAPS & set(header.image_type))
    words = _MAP_WORDS.search(header.description)
    if named or words:
        told = f"ImageType {named[0]}" if named else f"SeriesDescription, {words[0]!r}" if words else ""
        return f"a computed map ({told}), not an image of intensities"
    projected = sorted(_PROJECTIONS & set(header.image_type))
    return f"a projection (ImageType {projected[0]}), not slices" if projected else ""


def _saturated_beyond_use(series: ImagingSeries) -> str:
    high = series.volume.max()
    full = series.volume == high
    if not 1 > full.mean() > SATURATED_SHARE:
        return ""
    if full.mean() >= SATURATED_BEYOND_USE:
        return f"{full.mean():.0%} of voxels hold the largest value, {high:g}: saturated beyond use"
    for lesion in lesions(series):
        if (share := full[lesion.mask].mean()) >= SATURATED_BEYOND_USE:
            return f"{share:.0%} of the lesion holds the largest value, {high:g}: saturated beyond use"
    return ""


def _runs_off_both_ends(series: ImagingSeries) -> str:
    if any(lesion.mask[0].any() and lesion.mask[-1].any() for lesion in lesions(series)):
        slices = series.volume.shape[0]
        return f"the lesion reaches the first and the last of {slices} slice(s): the stack does not hold it"
    return ""


# Doubts.


def _too_few_slices(series: ImagingSeries) -> str:
    slices, reach = series.volume.shape[0], series.volume.shape[0] * series.spacing_mm[0]
    if slices >= FEWEST_SLICES and reach >= SHORTEST_MM:
        return ""
    return (
        f"only {slices} slice(s), {reach:.1f} mm: too few for a volume ({FEWEST_SLICES} slices and {SHORTEST_MM:g} mm "
        "are needed); what is measured or predicted from it is doubtful"
    )


def _lesion_cut(series: ImagingSeries) -> str:
    for lesion in lesions(series):
        where = _edges_reached(lesion)
        if where:
            return f"the lesion outline reaches {where}: the lesion is cut by the edge of what was scanned"
    return ""


def _edges_reached(lesion: Segment) -> str:
    mask = lesion.mask
    ends = [name for name, plane in (("first", mask[0]), ("last", mask[-1])) if plane.any()]
    if ends:
        return f"the {' and the '.join(ends)} slice"
    sides = (mask[:, 0], mask[:, -1], mask[:, :, 0], mask[:, :, -1])
    return "the border of the field of view" if any(side.any() for side in sides) else ""


def _saturated(values: NDArray[np.float32], high: float) -> str:
    share = float((values == high).mean())
    return f"{share:.1%} of voxels hold the largest value, {high:g}: saturated" if share > SATURATED_SHARE else ""


def _out_of_unit(series: ImagingSeries, low: float, high: float) -> str:
    if series.modality is ImagingModality.CT and series.unit is IntensityUnit.HU:
        if low > AIR_HU:
            return f"no voxel is below {AIR_HU:g} HU (lowest {low:g}): no air, so cropped or not Hounsfield units"
        if high > HIGHEST_HU:
            return f"the highest value is {high:g} HU; {HIGHEST_HU:g} is the most a CT stores"
    if series.unit is IntensityUnit.SUVBW and not BELIEVABLE_SUV[0] <= high <= BELIEVABLE_SUV[1]:
        return (
            f"the largest SUVbw is {high:g}; {BELIEVABLE_SUV[0]:g} to {BELIEVABLE_SUV[1]:g} is believable, "
            "so weight, dose or scale may be wrong"
        )
    return ""


def _other_body_part(series: ImagingSeries, code: str | None) -> str:
    primary = primary_regions(code)
    if not primary:
        return ""
    found = find_region(series)
    if found.regions and not overlapping(found.regions, tuple(primary)):
        lies = " or ".join(sorted(primary))
        return (
            f"it shows the {found.words} (by {found.source}); the primary of {oncotree.name(code or '')} lies in the "
            f"{lies}, so what is outlined here is another finding"
        )
    return f"its header disagrees on the body part: {found.disagrees}" if found.disagrees else ""


def _unlike_learned(series: ImagingSeries, code: str | None) -> str:
    trained = next((c for c in (code, *oncotree.ancestors(code)) if c in LEARNED), None) if code else None
    if trained is None:
        return ""
    kind = SERIES_KINDS[series_kind(series)]
    if kind not in LEARNED[trained]:
        return f"{kind} is not what the networks learned {oncotree.name(trained)} from ({', '.join(LEARNED[trained])})"
    if kind == "CT" and trained in LEARNED_WITH_CONTRAST and _without_contrast(series):
        return f"no contrast agent is named; the networks learned {oncotree.name(trained)} from contrast-enhanced CT"
    return ""


def _without_contrast(series: ImagingSeries) -> bool:
    """Whether a file that could name a contrast agent names none, in its tag or its descriptions."""
    agent = series.header.contrast_agent
    if agent is None or agent.lower() not in ("", "none", "no", "n", "n/a"):
        return False
    words = f"{series.header.description} {series.header.protocol}"
    return not _CONTRAST.search(words) or bool(_NO_CONTRAST.search(words))
