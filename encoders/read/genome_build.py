"""Which reference genome a file speaks of: from its name in a header, or from chromosome lengths.

What this module does not know: liftover; a build that is not GRCh37 or GRCh38 is refused.

References
----------
Chromosome lengths: Genome Reference Consortium assembly reports (GRCh37, GRCh38), UCSC chromInfo (others).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from encoders.errors import InputError
from encoders.patient import GenomeBuild

_NAMES = (
    (re.compile(r"grch37|hg19|hs37|b37|^37$", re.IGNORECASE), GenomeBuild.GRCH37),
    (re.compile(r"grch38|hg38|hs38|b38|^38$", re.IGNORECASE), GenomeBuild.GRCH38),
)
_OTHER = re.compile(r"hg1[678]|ncbi3[456]|grcm3[789]|mm9|mm10|mm39|rn[4-7]|^3[56]$|chm13|t2t|canfam\d", re.IGNORECASE)

_LENGTHS = {
    "1": {249250621: "GRCh37", 248956422: "GRCh38", 247249719: "hg18", 197195432: "mm9", 195471971: "mm10"},
    "2": {243199373: "GRCh37", 242193529: "GRCh38", 242951149: "hg18", 182113224: "mm10"},
    "7": {159138663: "GRCh37", 159345973: "GRCh38"},
    "10": {135534747: "GRCh37", 133797422: "GRCh38"},
    "12": {133851895: "GRCh37", 133275309: "GRCh38"},
    "17": {81195210: "GRCh37", 83257441: "GRCh38"},
    "18": {78077248: "GRCh37", 80373285: "GRCh38"},
    "21": {48129895: "GRCh37", 46709983: "GRCh38"},
    "X": {155270560: "GRCh37", 156040895: "GRCh38"},
}


def build_named(text: str, where: str) -> GenomeBuild | None:
    """The build a reference name or path speaks of; None when it names none.

    Raises
    ------
    InputError: a genome that is not supported (hg18, mm10 ...).
    """
    for pattern, build in _NAMES:
        if pattern.search(text):
            return build
    other = _OTHER.search(text)
    if other:
        raise InputError(
            f"{where}: genome build {other.group()!r} is not supported; allowed are "
            f"{', '.join(b.value for b in GenomeBuild)} (or 37, 38, hg19, hg38). Lift the variants over first."
        )
    return None


def build_of_contig(contig: str, length: int, where: str) -> GenomeBuild | None:
    """The build in which a chromosome has this length; None when the length tells nothing."""
    known = _LENGTHS.get(contig.removeprefix("chr"), {}).get(length)
    return build_named(known, where) if known else None


def one_build(found: Iterable[GenomeBuild | None], where: str) -> GenomeBuild | None:
    """The single build among those found, None when none is stated.

    Raises
    ------
    InputError: more than one build.
    """
    builds = sorted({b for b in found if b is not None})
    if len(builds) > 1:
        raise InputError(
            f"{where}: mixes genome builds {' and '.join(builds)}; all variants of a patient must be in one build. "
            "Lift one of them over, or remove it."
        )
    return builds[0] if builds else None
