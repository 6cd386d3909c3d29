"""Mutations, copy number and fusions of a synthetic tumour: which genes are altered, and how often.

Job: frequencies by cancer and a sampler that keeps the strongest known exclusions (EGFR against KRAS; IDH1 against
the glioblastoma-like events). Does NOT know protein changes (variants.py) or files.

References
----------
Mutation frequencies follow, rounded: LUAD, TCGA, Nature 2014, 10.1038/nature13385; diffuse glioma, TCGA, NEJM 2015,
10.1056/NEJMoa1402121 (lower grade) and Brennan et al., Cell 2013, 10.1016/j.cell.2013.09.034 (glioblastoma); CCRCC,
TCGA, Nature 2013, 10.1038/nature12222; BRCA, TCGA, Nature 2012, 10.1038/nature11412.

Notes
-----
Raised for teaching, so that a small cohort holds enough of each: EGFR in LUAD 0.40 (TCGA about 0.14; 0.51 in Asian
patients, Shi et al., J Thorac Oncol 2014, 10.1097/JTO.0000000000000033), BAP1 in CCRCC 0.35 (TCGA about 0.10), ERBB2
amplification in BRCA 0.35 (about 0.15), ALK fusion in LUAD 0.05 (TCGA about 0.01). IDH1 in diffuse glioma 0.45 is near
a merged lower-grade and glioblastoma cohort. Conditional rates, copy-number gains and the rates of fusions and of
germline BRCA1/2 are our own round numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from numpy.random import Generator

LABEL_FREQUENCY: Mapping[str, float] = {"EGFR": 0.40, "IDH1": 0.45, "BAP1": 0.35, "ERBB2": 0.35}
"""Label gene -> frequency of its positive class in its cancer."""

MUTATION_FREQUENCY: Mapping[str, Mapping[str, float]] = {
    "LUAD": {
        "TP53": 0.46, "KEAP1": 0.17, "STK11": 0.17, "NF1": 0.11, "BRAF": 0.08, "SETD2": 0.09, "RBM10": 0.08,
        "MET": 0.04, "ARID1A": 0.07, "PIK3CA": 0.07, "SMARCA4": 0.06, "RB1": 0.04, "CDKN2A": 0.04, "ERBB2": 0.02,
    },
    "DIFG": {"PIK3CA": 0.09, "NF1": 0.08, "NOTCH1": 0.06},
    "CCRCC": {
        "VHL": 0.52, "PBRM1": 0.33, "SETD2": 0.12, "KDM5C": 0.07, "MTOR": 0.06, "PTEN": 0.04, "PIK3CA": 0.03,
        "TP53": 0.02,
    },
    "BRCA": {
        "PIK3CA": 0.36, "TP53": 0.37, "GATA3": 0.11, "MAP3K1": 0.08, "KMT2C": 0.07, "CDH1": 0.07, "MAP2K4": 0.04,
        "PTEN": 0.03, "AKT1": 0.02, "RUNX1": 0.03, "NF1": 0.03, "RB1": 0.02, "TBX3": 0.03, "CBFB": 0.02,
    },
}  # fmt: skip
"""Cancer -> gene -> frequency, for genes drawn independently of the label gene."""

KRAS_WITHOUT_EGFR = 0.38
"""KRAS 0.33 of all LUAD in TCGA; drawn only where EGFR is wild type (0.33 / (1 - 0.14))."""

GLIOMA_BY_IDH: Mapping[str, tuple[float, float]] = {
    # gene: (IDH1 mutated, IDH1 wild type)
    "TP53": (0.60, 0.28), "ATRX": (0.52, 0.05), "CIC": (0.22, 0.01), "FUBP1": (0.10, 0.01), "TERT": (0.38, 0.78),
    "EGFR": (0.02, 0.24), "PTEN": (0.03, 0.30), "RB1": (0.01, 0.08),
}  # fmt: skip
"""Glioma genes whose frequency depends on IDH1 status."""

COPY_NUMBER: Mapping[str, Mapping[str, tuple[str, float]]] = {
    "LUAD": {
        "CDKN2A": ("deep deletion", 0.20), "NKX2-1": ("amplification", 0.14), "TERT": ("gain", 0.30),
        "MYC": ("gain", 0.25), "MET": ("amplification", 0.04), "EGFR": ("gain", 0.20), "MDM2": ("amplification", 0.07),
    },
    "DIFG": {
        "EGFR": ("amplification", 0.25), "CDKN2A": ("deep deletion", 0.35), "PTEN": ("loss", 0.40),
        "PDGFRA": ("amplification", 0.10), "CDK4": ("amplification", 0.12), "MDM4": ("amplification", 0.06),
    },
    "CCRCC": {
        "VHL": ("loss", 0.90), "CDKN2A": ("loss", 0.30), "HIF1A": ("loss", 0.42), "MYC": ("gain", 0.15),
        "SQSTM1": ("gain", 0.60),
    },
    "BRCA": {
        "MYC": ("gain", 0.30), "CCND1": ("amplification", 0.15), "FGFR1": ("amplification", 0.11),
        "PTEN": ("loss", 0.20), "RB1": ("loss", 0.20), "PIK3CA": ("gain", 0.20),
    },
}  # fmt: skip
"""Cancer -> gene -> (call, frequency); ERBB2 in BRCA follows its label."""

FUSIONS: Mapping[str, tuple[tuple[str, str, float], ...]] = {
    "LUAD": (("EML4", "ALK", 0.05), ("CD74", "ROS1", 0.02), ("KIF5B", "RET", 0.01)),
    "DIFG": (("FGFR3", "TACC3", 0.03),),
    "CCRCC": (),
    "BRCA": (),
}
"""Cancer -> (5' gene, 3' gene, frequency); in LUAD only without EGFR and KRAS mutation."""

HAZARD: Mapping[str, Mapping[str, float]] = {
    "LUAD": {"TP53": 0.6, "KEAP1": 0.6, "STK11": 0.7, "CDKN2A:deep deletion": 0.5, "EGFR": -0.7},
    "DIFG": {"IDH1": -1.0, "CDKN2A:deep deletion": 0.7, "EGFR:amplification": 0.5, "PTEN:loss": 0.3},
    "CCRCC": {"BAP1": 0.8, "SETD2": 0.4, "CDKN2A:loss": 0.6, "PBRM1": -0.4, "HIF1A:loss": 0.3},
    "BRCA": {"TP53": 0.7, "ERBB2:amplification": 0.6, "MYC:gain": 0.5, "PIK3CA": -0.3, "RB1:loss": 0.4},
}
"""Cancer -> alteration ("GENE" mutated, or "GENE:call") -> relative weight on the log-hazard (signs as commonly
reported, sizes ours)."""


@dataclass(frozen=True)
class Genotype:
    """Altered genes of one tumour. copy_number: gene -> call, altered genes only; fusions: (5', 3') pairs."""

    mutated: tuple[str, ...]
    germline: tuple[str, ...]
    copy_number: Mapping[str, str]
    fusions: tuple[tuple[str, str], ...]


def sample_label(code: str, rng: Generator) -> dict[str, bool]:
    """The molecular label of this cancer (one gene), drawn at ``LABEL_FREQUENCY``."""
    gene = {"LUAD": "EGFR", "DIFG": "IDH1", "CCRCC": "BAP1", "BRCA": "ERBB2"}[code]
    return {gene: bool(rng.random() < LABEL_FREQUENCY[gene])}


def sample_genotype(code: str, label: Mapping[str, bool], rng: Generator) -> Genotype:
    """Draw mutations, copy number and fusions given the molecular label."""
    mutated = [g for g, p in MUTATION_FREQUENCY[code].items() if rng.random() < p]
    if code == "LUAD":
        mutated += _lung(label["EGFR"], rng)
    if code == "DIFG":
        which = 0 if label["IDH1"] else 1
        mutated += [g for g, p in GLIOMA_BY_IDH.items() if rng.random() < p[which]]
    mutated += [g for g, positive in label.items() if positive and g != "ERBB2"]
    calls = {g: call for g, (call, p) in COPY_NUMBER[code].items() if rng.random() < _copy_rate(code, g, p, label)}
    if label.get("ERBB2"):
        calls |= {g: "amplification" for g in ("ERBB2", "GRB7", "STARD3")}
    if calls.get("CDKN2A"):
        calls["CDKN2B"] = calls["CDKN2A"]
        mutated = [g for g in mutated if g != "CDKN2A"]
    if code == "CCRCC" and calls.get("VHL"):
        calls |= {"PBRM1": "loss", "BAP1": "loss", "SETD2": "loss"}
    free = not ({"EGFR", "KRAS"} & set(mutated))
    fusions = [(a, b) for a, b, p in FUSIONS[code] if rng.random() < p and (code != "LUAD" or free)][:1]
    germline = tuple(g for g in ("BRCA1", "BRCA2") if code == "BRCA" and rng.random() < 0.02)
    return Genotype(tuple(sorted(set(mutated))), germline, calls, tuple(fusions))


def _lung(egfr: bool, rng: Generator) -> list[str]:
    return ["KRAS"] if not egfr and rng.random() < KRAS_WITHOUT_EGFR else []


def _copy_rate(code: str, gene: str, rate: float, label: Mapping[str, bool]) -> float:
    """Glioblastoma-like events are mostly seen without an IDH1 mutation; the overall rate stays ``rate``."""
    if code != "DIFG":
        return rate
    share = LABEL_FREQUENCY["IDH1"]
    return 0.3 * rate if label["IDH1"] else min(0.95, rate * (1 - 0.3 * share) / (1 - share))


def hazard_score(code: str, genotype: Genotype) -> float:
    """Sum of the weights of the alterations present (not standardised)."""
    present = set(genotype.mutated) | {f"{g}:{call}" for g, call in genotype.copy_number.items()}
    return float(sum(w for name, w in HAZARD[code].items() if name in present))
