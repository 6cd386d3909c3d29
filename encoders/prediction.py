"""The output contract of the encoders: embeddings, predictions and their explanations.

``encoders.predict.predict(patient)`` returns one ``PatientPrediction``; nothing else leaves the encoders.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from encoders.lesion_change import LesionChange
from encoders.patient import Segment
from encoders.series_choice import SeriesChoice


@dataclass(frozen=True)
class Embeddings:
    """What the adapters turn into soft tokens. D is the fusion width; absent modality = not in ``modality``.

    modality : name -> (K, D) float32; "imaging" has one row per encoded series, the others one row
    fused : (D,) float32
    encoder_hash : SHA-256 of the fusion weights; an adapter refuses any other
    """

    modality: Mapping[str, NDArray[np.float32]]
    fused: NDArray[np.float32]
    encoder_hash: str


@dataclass(frozen=True)
class SurvivalCurve:
    """months (T,), survival_probability (T,) with lower/upper (T,) of the 95 % interval."""

    months: NDArray[np.float32]
    survival_probability: NDArray[np.float32]
    lower: NDArray[np.float32]
    upper: NDArray[np.float32]


@dataclass(frozen=True)
class Prediction:
    """One predicted quantity of one patient.

    task : "survival" | "cancer_type" | "molecular:EGFR" | "appearance:margin" | "expression:proliferation" ...
    value : survival -> risk_score (log relative hazard, higher = earlier event); else probability of ``label``
    label : class predicted ("EGFR mutant", "spiculated"); None for survival
    probability : calibrated probability in [0, 1] of ``label``; None for survival
    interval : 95 % interval of ``value`` or None when not estimated
    percentile : 0..100, where ``value`` lies in ``reference_cohort``; None when it has no order
    inputs : modalities that were present and used
    contributions : modality -> Shapley value on ``value`` (sums to value - baseline); empty when not computed
    unimodal : modality -> the same quantity from that modality alone
    """

    task: str
    value: float
    model_card: str
    weight_hash: str
    label: str | None = None
    probability: float | None = None
    interval: tuple[float, float] | None = None
    percentile: float | None = None
    reference_cohort: str | None = None
    out_of_distribution: bool = False
    out_of_distribution_score: float | None = None
    inputs: tuple[str, ...] = ()
    contributions: Mapping[str, float] | None = None
    unimodal: Mapping[str, float] | None = None
    curve: SurvivalCurve | None = None
    n_reference: int | None = None
    source_series_uid: str | None = None
    out_of_distribution_reason: str | None = None  # why the flag is set
    on_proposed_outline: bool = False  # an image part rests on an outline that software proposed


@dataclass(frozen=True)
class Attribution:
    """An explanation of one Prediction: values per gene / field, or a map in a series' own grid.

    values : name -> attribution, in the unit of the prediction's ``value`` (positive raises it)
    map : (Z, Y, X) float32 in [0, 1] on the grid of ``series_uid``; None for tables
    completeness_error : |sum(values) - (f(x) - f(baseline))|; None where the method has no such property
    sanity : named test -> (passed, figure), e.g. {"weight_randomisation": (True, 0.12)}
    """

    task: str
    method: str
    baseline: str
    values: Mapping[str, float]
    map: NDArray[np.float32] | None = None
    series_uid: str | None = None
    completeness_error: float | None = None
    sanity: Mapping[str, tuple[bool, float]] | None = None


@dataclass(frozen=True)
class Measurement:
    """A lesion measurement from a segment; units in the names, intensities in ``intensity_unit``.

    longest_axial_diameter_mm, short_axis_mm : RECIST 1.1: longest over all slices, and its perpendicular on that slice;
        in the acquisition plane where ``note`` says so
    key_slice : index on axis Z of the slice of the longest diameter
    date : of the series, ISO; prior : a later series that shows the same holds a lesion too
    not_measurable : why RECIST 1.1 does not call the lesion measurable; None = it does
    suv_peak : None unless the unit is SUVbw; surrounding_ratio : MR only, signal over that of the tissue around it
    """

    series_uid: str
    segment_label: str
    volume_ml: float
    longest_axial_diameter_mm: float
    short_axis_mm: float
    mean_intensity: float
    max_intensity: float
    intensity_unit: str
    key_slice: int
    proposed: bool = False
    note: str = ""
    date: str | None = None
    prior: bool = False
    not_measurable: str | None = None
    p10_intensity: float | None = None
    p90_intensity: float | None = None
    suv_peak: float | None = None
    surrounding_ratio: float | None = None


class FollowUpStatus(StrEnum):
    """What two studies say of a lesion together."""

    COMPARED = "compared"
    NEW = "new"
    VANISHED = "vanished"
    NOT_MATCHED = "not matched"
    NOT_COMPARED = "not compared"


@dataclass(frozen=True)
class LesionFollowUp:
    """One lesion (or, where they cannot be told apart, all lesions of a series) now and in an earlier study.

    series_uid, prior_series_uid : the two series compared; date_now, date_before : their dates, ISO
    label : the lesion's; "" when several are meant
    measure : "longest diameter" or, of a lymph node, "short axis"; "" when nothing was compared
    change : sizes, percent and trend; None unless ``status`` is COMPARED
    basis : why both are taken for the same lesion, or why no change is given
    counts : lesions outlined (before, now)
    """

    series_uid: str
    prior_series_uid: str
    date_now: str
    date_before: str
    status: FollowUpStatus
    label: str = ""
    measure: str = ""
    change: LesionChange | None = None
    basis: str = ""
    counts: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class DiameterSum:
    """Sum of the diameters of the lesions matched in two series: not RECIST's, whose target lesions are not known.

    count : lesions summed, the largest ``encoders.follow_up.MOST_SUMMED`` before; left_out : matched but not summed
    """

    series_uid: str
    prior_series_uid: str
    date_now: str
    date_before: str
    count: int
    before_mm: float
    now_mm: float
    left_out: int = 0


@dataclass(frozen=True)
class PatientPrediction:
    """Everything the encoders say about one patient."""

    embeddings: Embeddings | None  # None when no modality could be encoded
    predictions: tuple[Prediction, ...]
    attributions: tuple[Attribution, ...]
    measurements: tuple[Measurement, ...]
    not_predicted: Mapping[str, str]  # task -> why there is no prediction
    versions: Mapping[str, str]  # weight and card names -> hash
    series_choices: tuple[SeriesChoice, ...] = ()  # one per series of the patient, in order: read or not, and why
    follow_up: tuple[LesionFollowUp, ...] = ()
    diameter_sums: tuple[DiameterSum, ...] = ()
    proposed: tuple[tuple[str, Segment], ...] = ()  # (series UID, outline) found by software, measured only
