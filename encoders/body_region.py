"""Which part of the body a series shows, with where that was said; and where each cancer's primary lies.

The header's words decide, in a fixed order: BodyPartExamined, Anatomic Region, series description, protocol, study
description, role. Where all are silent, a CT in Hounsfield units may still tell by content (``region_by_content``);
everything else stays unknown.

What this module does not know: MR and PET content, laterality, whether the header is right (where its words disagree,
``RegionFinding.disagrees`` says so).

References
----------
DICOM PS3.16 Annex L (Body Part Examined). Gueld et al., SPIE Medical Imaging 2002, 10.1117/12.467017: the tag is often
wrong, which is why it is compared with the descriptions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from encoders import oncotree
from encoders.patient import ImagingSeries, IntensityUnit


class BodyRegion(StrEnum):
    """Parts of the body a series may show."""

    HEAD = "head"
    NECK = "neck"
    CHEST = "chest"
    BREAST = "breast"
    ABDOMEN = "abdomen"
    PELVIS = "pelvis"
    SPINE = "spine"
    LIMB = "limb"
    WHOLE_BODY = "whole body"


@dataclass(frozen=True)
class RegionFinding:
    """regions : () = unknown; source : tag or method that told; disagrees : what another tag says instead, or ""."""

    regions: tuple[BodyRegion, ...] = ()
    source: str = ""
    disagrees: str = ""

    @property
    def words(self) -> str:
        """The regions as a reader says them: "chest and abdomen"."""
        return " and ".join(self.regions) or "unknown body part"


_START, _END = r"(?<![a-z])", r"(?![a-z])"
_WORDS: tuple[tuple[BodyRegion, re.Pattern[str]], ...] = tuple(
    (region, re.compile(pattern, re.IGNORECASE))
    for region, pattern in (
        (
            BodyRegion.WHOLE_BODY,
            rf"(?:whole|total) ?body|{_START}wb{_END}|skull base.{{0,8}}thigh|(?:eyes|head|vertex).{{0,6}}thigh",
        ),
        (
            BodyRegion.SPINE,
            r"(?:cervical|thoracic|dorsal|lumbar|lumbo-?sacral)[ -]?spine|[ctl]{1,2}[ -]?spine|spine|vertebra|myelogra",
        ),
        (
            BodyRegion.HEAD,
            r"head(?! first)|brain|skull|crani|cereb|neuro(?!endo)|orbit|sella|pituitar|hypophys|sch[aä]e?del|kopf",
        ),
        (BodyRegion.NECK, rf"neck|larynx|pharyn|thyroid|parotid|tongue|tonsil|{_START}hals{_END}|cervicothorac"),
        (BodyRegion.BREAST, r"breast|mamma|mammo|brust(?!korb)"),
        (BodyRegion.CHEST, r"chest|thorac|thorax|torax|lung|pulmon|mediastin|cardiac|coronar|heart|brustkorb"),
        (
            BodyRegion.ABDOMEN,
            r"abd(?!uct)|liver|hepat|kidney|renal|pancrea|spleen|splen|stomach|gastr|biliar|gallbl|mrcp|colon|bowel|enterogr",
        ),
        (
            BodyRegion.PELVIS,
            rf"pelv|becken|prostat|bladder|uter(?:us|ine)|cervix|ovar|rect(?:um|al)|vulva|vagina|testi[sc]"
            rf"|{_START}(?:hips?|sacrum){_END}",
        ),
        (
            BodyRegion.LIMB,
            rf"shoulder|humer|elbow|wrist|knee|femur|femor|thigh|tibia|ankle|extremit|{_START}(?:arm|forearm|hand|finger|leg"
            rf"|calf|foot|toe)s?{_END}",
        ),
    )
)
"""Order matters: a region's words are taken out before the next region looks ("thoracic spine" is no chest)."""

ANYWHERE: frozenset[BodyRegion] = frozenset()
"""A primary that may lie in any part of the body."""

_R = BodyRegion
PRIMARY_REGIONS: Mapping[str, frozenset[BodyRegion]] = {
    "LUNG": frozenset((_R.CHEST,)),
    "PLEURA": frozenset((_R.CHEST,)),
    "THYMUS": frozenset((_R.CHEST, _R.NECK)),
    "BREAST": frozenset((_R.BREAST, _R.CHEST)),
    "BRAIN": frozenset((_R.HEAD, _R.SPINE)),
    "EYE": frozenset((_R.HEAD,)),
    "HEAD_NECK": frozenset((_R.HEAD, _R.NECK)),
    "THYROID": frozenset((_R.NECK, _R.CHEST)),
    "STOMACH": frozenset((_R.NECK, _R.CHEST, _R.ABDOMEN)),  # OncoTree's tissue is esophagus and stomach
    "LIVER": frozenset((_R.ABDOMEN,)),
    "BILIARY_TRACT": frozenset((_R.ABDOMEN,)),
    "AMPULLA_OF_VATER": frozenset((_R.ABDOMEN,)),
    "PANCREAS": frozenset((_R.ABDOMEN,)),
    "KIDNEY": frozenset((_R.ABDOMEN,)),
    "ADRENAL_GLAND": frozenset((_R.ABDOMEN,)),
    "BOWEL": frozenset((_R.ABDOMEN, _R.PELVIS)),
    "PERITONEUM": frozenset((_R.ABDOMEN, _R.PELVIS)),
    "BLADDER": frozenset((_R.PELVIS, _R.ABDOMEN)),  # the tissue holds the ureters too
    "OVARY": frozenset((_R.PELVIS, _R.ABDOMEN)),
    "UTERUS": frozenset((_R.PELVIS, _R.ABDOMEN)),
    "CERVIX": frozenset((_R.PELVIS,)),
    "VULVA": frozenset((_R.PELVIS,)),
    "PENIS": frozenset((_R.PELVIS,)),
    "TESTIS": frozenset((_R.PELVIS,)),
    "PROSTATE": frozenset((_R.PELVIS,)),
    "SKIN": ANYWHERE,
    "BONE": ANYWHERE,
    "SOFT_TISSUE": ANYWHERE,
    "PNS": ANYWHERE,
    "MYELOID": ANYWHERE,
    "LYMPH": ANYWHERE,
    "OTHER": ANYWHERE,
}
"""OncoTree tissue -> where its primary lies; ``ANYWHERE`` where it may lie in every part."""


def primary_regions(oncotree_code: str | None) -> frozenset[BodyRegion]:
    """Where the primary of a tumour type lies; ``ANYWHERE`` when it may be anywhere or the type is not known."""
    if oncotree_code is None or not oncotree.is_code(oncotree_code):
        return ANYWHERE
    tissue = (oncotree_code, *oncotree.ancestors(oncotree_code))[-1]
    return PRIMARY_REGIONS.get(tissue, ANYWHERE)


def regions_in_words(text: str) -> tuple[BodyRegion, ...]:
    """Every region the words name, in head-to-toe order; () when none ("CHESTABDPELVIS" names three)."""
    left, found = text.replace("_", " "), []
    for region, pattern in _WORDS:
        left, count = pattern.subn(" ", left)
        if count:
            found.append(region)
    return tuple(r for r in BodyRegion if r in found)


def find_region(series: ImagingSeries) -> RegionFinding:
    """The region a series shows, by its header, else (CT in HU) by its content, else unknown."""
    header = series.header
    told = [
        (source, regions)
        for source, text in (
            ("BodyPartExamined", series.body_part or ""),
            ("Anatomic Region Sequence", " ".join(header.anatomic_regions)),
            ("SeriesDescription", header.description),
            ("ProtocolName", header.protocol),
            ("StudyDescription", header.study_description),
            ("role", series.role),
        )
        if (regions := regions_in_words(text))
    ]
    if told:
        source, regions = told[0]
        other = next(((s, r) for s, r in told[1:] if not overlapping(regions, r)), None)
        disagrees = f"{source} says {' and '.join(regions)}, {other[0]} {' and '.join(other[1])}" if other else ""
        return RegionFinding(regions, source, disagrees)
    seen = region_by_content(series)
    return RegionFinding((seen,), "its content") if seen else RegionFinding()


def overlapping(a: tuple[BodyRegion, ...], b: tuple[BodyRegion, ...]) -> bool:
    """Whether two sets of regions share one; the whole body shares with all, and the breast lies on the chest."""
    both = (set(a), set(b))
    if any(BodyRegion.WHOLE_BODY in s for s in both):
        return True
    return bool(_with_neighbour(both[0]) & _with_neighbour(both[1]))


def _with_neighbour(regions: set[BodyRegion]) -> set[BodyRegion]:
    return regions | {BodyRegion.CHEST} if BodyRegion.BREAST in regions else regions


LUNG_HU = (-960.0, -500.0)
"""Inflated lung lies here; gas in the bowel lies below."""
LEAST_LUNG_ML = 300.0
BONE_HU, BRAIN_HU = 250.0, (0.0, 80.0)
LEAST_BRAIN_CM2, MOST_BRAIN_CM2 = 60.0, 300.0
"""Area inside a closed ring of bone: a skull's at its widest; no other bone encloses this much in one axial slice."""
HEAD_SLICES_SHARE = 0.25
MOST_SLICES_SEEN, SEEN_MM = 24, 1.5
"""Content is judged on about this many slices, thinned to pixels of about this size."""


def region_by_content(series: ImagingSeries) -> BodyRegion | None:
    """Chest or head of an axial CT in Hounsfield units; None where it is not safe to tell.

    Chest: at least ``LEAST_LUNG_ML`` of lung density enclosed by the body. Head: in a quarter of the slices or more, a
    closed ring of bone encloses ``LEAST_BRAIN_CM2`` or more whose median is that of brain. A chest that is cut by the
    field of view, or a skull with a window of bone removed, is left unknown.
    """
    if series.unit is not IntensityUnit.HU or abs(series.affine_lps[2, 2]) < 0.8 * np.linalg.norm(
        series.affine_lps[:3, 2]
    ):
        return None
    steps = [max(1, len(series.volume) // MOST_SLICES_SEEN)]
    steps += [max(1, round(SEEN_MM / mm)) for mm in series.spacing_mm[1:]]
    seen = series.volume[:: steps[0], :: steps[1], :: steps[2]]
    spacing = np.multiply(series.spacing_mm, steps)
    lung_voxels = sum(_enclosed_lung(plane) for plane in seen)
    if lung_voxels * float(np.prod(spacing)) / 1000 >= LEAST_LUNG_ML:
        return BodyRegion.CHEST
    heads = sum(_is_skull_slice(plane, float(spacing[1] * spacing[2]) / 100) for plane in seen)
    return BodyRegion.HEAD if heads >= max(1, HEAD_SLICES_SHARE * len(seen)) else None


def _enclosed_lung(plane: NDArray[np.float32]) -> int:
    """Pixels of lung density in pieces of air that do not reach the edge of the slice, and are lung in the median."""
    pieces, count = ndimage.label(plane < LUNG_HU[1])
    if not count:
        return 0
    outside = np.unique(np.concatenate([pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1]]))
    inner = np.setdiff1d(np.arange(1, count + 1), outside)
    if not inner.size:
        return 0
    medians = ndimage.median(plane, pieces, inner)
    lungs = inner[(medians > LUNG_HU[0]) & (medians < LUNG_HU[1])]
    return int(np.isin(pieces, lungs).sum())


def _is_skull_slice(plane: NDArray[np.float32], pixel_cm2: float) -> bool:
    """Whether a closed ring of bone holds as much brain as a head's."""
    bone = plane > BONE_HU
    pieces, count = ndimage.label(ndimage.binary_fill_holes(bone) & ~bone)
    if not count:
        return False
    largest = 1 + int(np.bincount(pieces.ravel())[1:].argmax())
    inside = plane[pieces == largest]
    area = inside.size * pixel_cm2
    return LEAST_BRAIN_CM2 <= area <= MOST_BRAIN_CM2 and BRAIN_HU[0] <= float(np.median(inside)) <= BRAIN_HU[1]
