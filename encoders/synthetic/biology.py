"""The hidden biology of a synthetic patient: latents, attributes, labels, clinical state and outcome.

Latents are correlated standard normals sharing an aggressiveness factor. Each outcome part (image, expression,
genotype, clinical) is standardised within its cancer and weighted alike, so that no modality alone says everything.
Does NOT know pixels, expression values, protein changes or files.

References
----------
Median overall survival, months: Kaplan-Meier medians of the TCGA cohorts (TCGA clinical data resource, Liu et al.,
Cell 2018, 10.1016/j.cell.2018.02.052), rounded. The Weibull shape, the effect sizes and the length of follow-up are
ours: follow-up is stretched with the median so that 25-40 % are censored, which is less than in TCGA.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from encoders.synthetic.genotype import Genotype, hazard_score, sample_genotype, sample_label
from encoders.vocabulary import APPEARANCE, EXPRESSION_PROFILES

MEDIAN_SURVIVAL_MONTHS: Mapping[str, float] = {"LUAD": 50.0, "DIFG": 62.0, "CCRCC": 118.0, "BRCA": 130.0}
WEIBULL_SHAPE: Mapping[str, float] = {"LUAD": 1.15, "DIFG": 1.05, "CCRCC": 1.0, "BRCA": 1.25}
GROUP_EFFECT = 0.72
"""SD of each of the four parts of the log-hazard."""
CENSOR_RANGE = (0.6, 4.2)
"""Censoring time is uniform between these multiples of the cancer's median survival."""
GENOTYPE_MOMENTS: Mapping[str, tuple[float, float]] = {
    "LUAD": (0.305, 0.611), "DIFG": (0.048, 0.898), "CCRCC": (0.522, 0.546), "BRCA": (0.582, 0.542),
}  # fmt: skip
"""Mean and SD of genotype.hazard_score over the cancer (from 6,000 draws), to standardise it."""
IMAGE_WEIGHTS: Mapping[str, float] = {"necrosis": 0.55, "margin": 0.45, "size": 0.55}
EXPRESSION_WEIGHTS: Mapping[str, float] = {"proliferation": 0.75, "immune": -0.65}
STAGES: Mapping[str, tuple[tuple[str, float], ...]] = {
    "LUAD": (
        ("IA2", 0.20), ("IB", 0.15), ("IIB", 0.17), ("IIIA", 0.18), ("IIIB", 0.10), ("IVA", 0.14), ("IVB", 0.06),
    ),
    "CCRCC": (("I", 0.42), ("II", 0.14), ("III", 0.26), ("IV", 0.18)),
    "BRCA": (("IA", 0.25), ("IIA", 0.30), ("IIB", 0.18), ("IIIA", 0.14), ("IIIC", 0.06), ("IV", 0.07)),
}  # fmt: skip
"""Cancer -> (stage group, share) from early to late; shares are ours. Gliomas have a grade and no stage."""
AGE: Mapping[str, tuple[float, float]] = {
    "LUAD": (65, 10), "DIFG": (50, 14), "CCRCC": (61, 12), "BRCA": (58, 13),
}  # fmt: skip
"""Mean and SD of age at diagnosis, years."""
FEMALE: Mapping[str, float] = {"LUAD": 0.53, "DIFG": 0.43, "CCRCC": 0.35, "BRCA": 0.99}
RADIUS_MM: Mapping[str, tuple[float, float]] = {"LUAD": (9, 19), "DIFG": (13, 23), "CCRCC": (14, 24), "BRCA": (9, 18)}
"""Range of the lesion's mean radius."""
CUE_NOISE: Mapping[str, float] = {"EGFR": 0.8, "IDH1": 0.9, "BAP1": 0.7, "ERBB2": 0.7}
"""SD of the image cue around -1 or +1, by label: an ideal reader of the cue alone has an AUC of 0.96, 0.94, 0.98 and
0.98. The two fine-grained cues (specks, satellites) are drawn with less noise because reading them adds its own."""


@dataclass(frozen=True)
class Biology:
    """Everything hidden about one patient.

    latent : name -> standard-normal-like value; cue : image cue of the molecular label, about -1 or +1
    radius_mm : mean lesion radius; parts : "imaging" | "expression" | "genotype" | "clinical" -> log-hazard part
    followup_months > 0; event True = death happened
    """

    oncotree_code: str
    latent: Mapping[str, float]
    appearance: Mapping[str, str]
    molecular: Mapping[str, bool]
    expression: Mapping[str, str]
    genotype: Genotype
    cue: float
    radius_mm: float
    stage: str | None
    grade: str
    age_years: float
    sex: str
    ecog: int
    parts: Mapping[str, float]
    followup_months: float
    event: bool

    def positive(self, attribute: str) -> bool:
        """Whether an appearance attribute is of class 1 (spiculated, present, heterogeneous, avid, high)."""
        return self.appearance[attribute] == APPEARANCE[attribute][self.oncotree_code][1]


def _with_margin(value: float, margin: float = 0.45) -> float:
    """Push a value away from 0 so that its sign can be read through noise."""
    return value + math.copysign(margin, value)


def _latents(rng: Generator) -> dict[str, float]:
    draw = rng.standard_normal(10)
    shared = float(draw[0])

    def mix(load: float, own: float) -> float:
        return load * shared + math.sqrt(1 - load**2) * float(own)

    latent = {
        "aggressiveness": shared,
        "proliferation": _with_margin(mix(0.35, draw[1])),
        "hypoxia": mix(0.35, draw[2]),
        "immune": _with_margin(mix(-0.20, draw[3])),
        "invasion": mix(0.35, draw[4]),
        "vascularity": mix(0.10, draw[5]),
        "heterogeneity": mix(0.20, draw[6]),
        "metabolism": mix(0.15, draw[7]),
        "size": mix(0.25, draw[8]),
    }
    latent["necrosis"] = 0.35 * latent["hypoxia"] + math.sqrt(1 - 0.35**2) * float(draw[9])
    return latent


_SOURCE = {
    "margin": "invasion", "necrosis": "necrosis", "texture": "heterogeneity", "enhancement": "vascularity",
    "uptake": "metabolism",
}  # fmt: skip
"""Attribute -> the latent whose sign decides it."""


def sample_biology(code: str, rng: Generator) -> Biology:
    """Draw one patient's biology for an OncoTree code of encoders/vocabulary.py CANCERS."""
    latent = _latents(rng)
    appearance = {a: by[code][int(latent[_SOURCE[a]] > 0)] for a, by in APPEARANCE.items() if code in by}
    profile_of = {"proliferation": "proliferation", "immune_infiltration": "immune"}
    expression = {name: words[int(latent[profile_of[name]] > 0)] for name, words in EXPRESSION_PROFILES.items()}
    molecular = sample_label(code, rng)
    genotype = sample_genotype(code, molecular, rng)
    gene, label = next(iter(molecular.items()))
    cue = (1.0 if label else -1.0) + CUE_NOISE[gene] * float(rng.standard_normal())
    low, high = RADIUS_MM[code]
    radius = low + (high - low) * _normal_cdf(latent["size"])
    clinical = _clinical_state(code, latent, label, rng)
    parts = _log_hazard(code, latent, genotype, clinical)
    months, event = _outcome(code, sum(parts.values()), rng)
    stage, grade, age, sex, ecog = clinical[:5]
    return Biology(
        oncotree_code=code, latent=latent, appearance=appearance, molecular=molecular, expression=expression,
        genotype=genotype, cue=cue, radius_mm=radius, stage=stage, grade=grade, age_years=age, sex=sex, ecog=ecog,
        parts=parts, followup_months=months, event=event,
    )  # fmt: skip


def _normal_cdf(value: float) -> float:
    return 0.5 * (1 + math.erf(value / math.sqrt(2)))


def _clinical_state(
    code: str, latent: Mapping[str, float], label: bool, rng: Generator
) -> tuple[str | None, str, float, str, int, float]:
    """(stage, grade, age, sex, ECOG, stage-or-grade quantile score); stage follows size and invasion only weakly."""
    draw = rng.standard_normal(4)
    extent = 0.25 * latent["size"] + 0.2 * latent["invasion"] + 0.947 * float(draw[0])
    mean, sd = AGE[code]
    age = float(np.clip(mean + sd * draw[1], 22, 92))
    sex = "female" if rng.random() < FEMALE[code] else "male"
    frailty = 0.35 * (age - mean) / sd + 0.3 * extent + 0.85 * float(draw[2])
    ecog = int(np.searchsorted([-0.1, 1.0, 1.8], frailty))
    if code == "DIFG":
        extent += -0.35 if label else 0.3
        return None, f"WHO grade {2 + int(np.searchsorted([-0.45, 0.25], extent))}", age, sex, ecog, extent
    shares = np.cumsum([share for _, share in STAGES[code]])
    stage = STAGES[code][min(int(np.searchsorted(shares, _normal_cdf(extent))), len(shares) - 1)][0]
    graded = 0.6 * latent["proliferation"] / 1.3 + 0.8 * float(draw[3])
    cuts = [-1.2, 0.2, 1.3] if code == "CCRCC" else [-0.8, 0.4]
    return stage, f"G{1 + int(np.searchsorted(cuts, graded))}", age, sex, ecog, extent


def _log_hazard(code: str, latent: Mapping[str, float], genotype: Genotype, clinical: tuple) -> dict[str, float]:
    age, extent = clinical[2], clinical[5]
    mean, sd = AGE[code]
    signs = {a: math.copysign(1.0, latent[_SOURCE[a]]) for a in ("necrosis", "margin")}
    image = sum(IMAGE_WEIGHTS[a] * signs[a] for a in signs) + IMAGE_WEIGHTS["size"] * latent["size"]
    expressed = sum(w * latent[name] / 1.4 for name, w in EXPRESSION_WEIGHTS.items())
    centre, spread = GENOTYPE_MOMENTS[code]
    return {
        "imaging": GROUP_EFFECT * image / 0.95,
        "expression": GROUP_EFFECT * expressed,
        "genotype": GROUP_EFFECT * (hazard_score(code, genotype) - centre) / spread,
        "clinical": GROUP_EFFECT * (0.8 * extent + 0.6 * (age - mean) / sd),
    }


def _outcome(code: str, log_hazard: float, rng: Generator) -> tuple[float, bool]:
    """Weibull survival time against uniform censoring -> (follow-up in months, event)."""
    median, shape = MEDIAN_SURVIVAL_MONTHS[code], WEIBULL_SHAPE[code]
    scale = median / math.log(2) ** (1 / shape)
    death = scale * (-math.log(1 - rng.random()) / math.exp(log_hazard)) ** (1 / shape)
    censor = median * rng.uniform(*CENSOR_RANGE)
    return round(max(0.1, min(death, censor)), 1), bool(death <= censor)
