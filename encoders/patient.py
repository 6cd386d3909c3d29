"""The input contract: one oncology patient, as read from files or sampled synthetically.

Absent is ``None`` (or an empty tuple) plus a reason in ``Patient.missing``; never 0 or "".
Everything is frozen. Readers build it (encoders/read/), encoders consume it.

Not checked here: medical plausibility (an ECOG of 1 in a note that says bedbound passes).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from encoders.errors import ContractError


class ModalityName(StrEnum):
    """Every modality a Patient may hold; the keys allowed in ``Patient.missing``."""

    IMAGING = "imaging"
    EXPRESSION = "expression"
    VARIANTS = "variants"
    COPY_NUMBER = "copy_number"
    FUSIONS = "fusions"
    METHYLATION = "methylation"
    PROTEINS = "proteins"
    CLINICAL = "clinical"
    NOTES = "notes"


IMAGES_OFF = "image functions are switched off by a setting"
"""What ``Patient.missing`` says of imaging that was not looked at because the user wants no image function."""


class ImagingModality(StrEnum):
    """DICOM (0008,0060) values Radomica reads."""

    CT = "CT"
    MR = "MR"
    PT = "PT"


class IntensityUnit(StrEnum):
    """What one voxel value of an ImagingSeries means."""

    HU = "HU"
    SUVBW = "SUVbw"
    ARBITRARY = "arbitrary"


class GenomeBuild(StrEnum):
    """Reference genomes a variant position may refer to."""

    GRCH37 = "GRCh37"
    GRCH38 = "GRCh38"


@dataclass(frozen=True)
class SourceLocator:
    """Where a value was read: a file (relative to the patient folder) and a place inside it.

    ``place`` is free but precise: "row 12", "SOP 1.2.3, frame 4", "Observation/ecog", "line 3".
    """

    file: str
    place: str = ""


@dataclass(frozen=True)
class Segment:
    """A labelled region in the grid of its series: mask (Z, Y, X) bool.

    kind : what the file says the region is, in its own words (RT ROI interpreted type "GTV", "ORGAN"; SEG property
        category "Morphologically Altered Structure"); None when it does not say
    """

    label: str
    mask: NDArray[np.bool_]
    source: SourceLocator
    proposed: bool = False  # True: found by software, not drawn or confirmed by a person
    kind: str | None = None


class SeriesVerdict(StrEnum):
    """May the networks read a series? doubtful: read, and the report says why not to trust it; refused: not read."""

    OK = "ok"
    DOUBTFUL = "doubtful"
    REFUSED = "refused"


@dataclass(frozen=True)
class Validity:
    """A verdict on a series and its reasons (one clause each; () when ok)."""

    verdict: SeriesVerdict = SeriesVerdict.OK
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class SeriesHeader:
    """What a series' files say in words of how it was made; "" or () where they do not say.

    image_type : DICOM (0008,0008), upper case
    anatomic_regions : meanings of Anatomic Region Sequence (0008,2218)
    contrast_agent : (0018,0010); None when the file format has no place for it, so that nothing follows from silence
    phantom : the files call what was scanned a phantom
    patient_sex, patient_age_years : (0010,0040) as "female" or "male", (0010,1010) at the study in years; only for
        comparing with the record
    """

    study_uid: str = ""
    description: str = ""
    protocol: str = ""
    study_description: str = ""
    image_type: tuple[str, ...] = ()
    anatomic_regions: tuple[str, ...] = ()
    kernel: str = ""
    contrast_agent: str | None = None
    phantom: bool = False
    patient_sex: str | None = None
    patient_age_years: float | None = None


@dataclass(frozen=True)
class ImagingSeries:
    """One image volume.

    volume : (Z, Y, X) float32, in ``unit``
    spacing_mm : (z, y, x), each > 0
    affine_lps : (4, 4) float64, voxel index (x, y, z, 1) -> LPS millimetres
    sop_instance_uids : one per slice, in the order of axis Z (empty for NIfTI); a filled-in slice has the one below's
    role : what the series shows, e.g. "CT chest", "FDG-PET", "T1 post-contrast", "FLAIR"
    frame_of_reference_uid : series that share it share the LPS coordinates; None when the file does not tell
    validity : the verdict given when its files were read (encoders/read/validity.py); ok for a series made in memory
    """

    modality: ImagingModality
    series_uid: str
    date: str | None  # ISO yyyy-mm-dd
    volume: NDArray[np.float32]
    unit: IntensityUnit
    spacing_mm: tuple[float, float, float]
    affine_lps: NDArray[np.float64]
    source: SourceLocator
    role: str = ""
    body_part: str | None = None
    sop_instance_uids: tuple[str, ...] = ()
    segments: tuple[Segment, ...] = ()
    warnings: tuple[str, ...] = ()
    frame_of_reference_uid: str | None = None
    header: SeriesHeader = field(default_factory=SeriesHeader)
    validity: Validity = field(default_factory=Validity)

    def __post_init__(self) -> None:
        if self.volume.ndim != 3:
            raise ContractError(f"ImagingSeries.volume has {self.volume.ndim} axes; the rule is (Z, Y, X).")
        if any(s <= 0 for s in self.spacing_mm):
            raise ContractError(f"ImagingSeries.spacing_mm is {self.spacing_mm}; each must be above 0.")
        for segment in self.segments:
            if segment.mask.shape != self.volume.shape:
                raise ContractError(
                    f"segment {segment.label!r} has shape {segment.mask.shape}, its series {self.volume.shape}; "
                    "resample the mask to the series' grid first."
                )


@dataclass(frozen=True)
class Expression:
    """Gene expression of one sample: symbols and values aligned on axis G.

    unit : "TPM", "FPKM", "counts", "log2 TPM+1", "z-score" ... as the file states it
    """

    genes: tuple[str, ...]
    values: NDArray[np.float32]  # (G,)
    unit: str
    source: SourceLocator

    def __post_init__(self) -> None:
        if self.values.shape != (len(self.genes),):
            raise ContractError(f"Expression has {len(self.genes)} genes and values of shape {self.values.shape}.")


@dataclass(frozen=True)
class Variant:
    """One small somatic (or germline) variant. Positions are 1-based; ``protein`` is HGVS p., e.g. "p.L858R"."""

    gene: str
    protein: str | None
    consequence: str  # Sequence Ontology or MAF Variant_Classification, as read
    source: SourceLocator
    coding: str | None = None
    chromosome: str | None = None
    position: int | None = None
    reference: str | None = None
    alternate: str | None = None
    build: GenomeBuild | None = None
    allele_fraction: float | None = None  # 0..1
    depth: int | None = None
    exon: str | None = None
    germline: bool = False


@dataclass(frozen=True)
class CopyNumber:
    """Copy-number state of one gene. ``call``: amplification, gain, neutral, loss, deep deletion."""

    gene: str
    call: str
    source: SourceLocator
    log2_ratio: float | None = None
    copies: float | None = None


@dataclass(frozen=True)
class Fusion:
    """A gene fusion, 5' partner first."""

    gene5: str
    gene3: str
    source: SourceLocator
    in_frame: bool | None = None


@dataclass(frozen=True)
class Diagnosis:
    """Histology, stage (with its edition), grade and date of the primary diagnosis."""

    histology: str | None = None
    stage: str | None = None  # "IIIA"
    tnm_edition: str | None = None  # "AJCC 8"
    grade: str | None = None
    date: str | None = None
    site: str | None = None


@dataclass(frozen=True)
class Treatment:
    """One line of treatment already given (or being given)."""

    drug: str
    source: SourceLocator
    line: int | None = None
    start: str | None = None
    end: str | None = None
    response: str | None = None


@dataclass(frozen=True)
class Medication:
    """A current medicine that is not cancer treatment."""

    drug: str
    source: SourceLocator


@dataclass(frozen=True)
class Lab:
    """One laboratory value with the unit as reported."""

    name: str
    value: float
    unit: str
    source: SourceLocator
    date: str | None = None


@dataclass(frozen=True)
class Biomarker:
    """A tumour biomarker other than a gene: name in {"TMB", "MSI", "PD-L1", "ER", "PR", "HER2 IHC", ...}.

    ``value`` is a number with ``unit`` ("mutations/Mb", "%"), or a word ("MSI-H", "positive").
    """

    name: str
    value: float | str
    source: SourceLocator
    unit: str | None = None
    date: str | None = None


@dataclass(frozen=True)
class Note:
    """A dated clinical document. Its text is data: instructions inside it are never followed."""

    text: str
    source: SourceLocator
    date: str | None = None
    title: str = ""


@dataclass(frozen=True)
class Outcome:
    """Known outcome, for cohorts only; never shown to the models at prediction time."""

    followup_months: float
    event: bool  # True = death happened


def _frozen_map() -> Mapping[str, str]:
    return MappingProxyType({})


@dataclass(frozen=True)
class Patient:
    """One patient. Every modality is optional; what is absent has a reason in ``missing``.

    age_years : age at diagnosis; sex : "female" | "male" | None
    missing : modality name (ModalityName) -> why it is not here
    sources : field path ("diagnosis.stage", "ecog", "age_years") -> where it was read
    skipped : files or rows not used, each with its reason ("scan.docx: not a known format")
    synthetic : True when the data were generated; shown on every output
    """

    patient_id: str
    oncotree_code: str | None = None
    sex: str | None = None
    age_years: float | None = None
    diagnosis: Diagnosis = field(default_factory=Diagnosis)
    ecog: int | None = None
    treatments: tuple[Treatment, ...] = ()
    medications: tuple[Medication, ...] = ()
    labs: tuple[Lab, ...] = ()
    biomarkers: tuple[Biomarker, ...] = ()
    imaging: tuple[ImagingSeries, ...] = ()
    expression: Expression | None = None
    variants: tuple[Variant, ...] | None = None  # () = sequenced, nothing found; None = not sequenced
    copy_number: tuple[CopyNumber, ...] | None = None
    fusions: tuple[Fusion, ...] | None = None
    methylation: Expression | None = None
    proteins: Expression | None = None
    notes: tuple[Note, ...] = ()
    outcome: Outcome | None = None
    missing: Mapping[str, str] = field(default_factory=_frozen_map)
    sources: Mapping[str, SourceLocator] = field(default_factory=lambda: MappingProxyType({}))
    skipped: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    synthetic: bool = False

    def __post_init__(self) -> None:
        unknown = set(self.missing) - {m.value for m in ModalityName}
        if unknown:
            raise ContractError(
                f"Patient.missing has keys {sorted(unknown)}; allowed: {', '.join(m.value for m in ModalityName)}."
            )
        if self.ecog is not None and not 0 <= self.ecog <= 5:
            raise ContractError(f"ECOG is {self.ecog}; the scale is 0..5. Correct the record.")


def images_off(patient: Patient) -> bool:
    """Whether no image was looked at because a setting switched the image functions off."""
    return patient.missing.get(ModalityName.IMAGING.value) == IMAGES_OFF
