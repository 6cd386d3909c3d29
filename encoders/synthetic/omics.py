"""Expression profile of a synthetic tumour: log-normal TPM, moved in programs by the latents, with batch noise.

log2(TPM + 1) of gene g = base(g, cancer) + loading(g) * score(program of g) + alteration effects + batch + noise.
Does NOT know images, files or variants' positions.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from encoders.patient import Expression, SourceLocator
from encoders.synthetic.biology import Biology
from encoders.synthetic.genes import GENES, HOUSEKEEPING, LINEAGE, PROGRAM_OF, PROGRAMS

PROGRAM_LOADINGS: Mapping[str, Mapping[str, float]] = {
    "cell_cycle": {"proliferation": 1.0},
    "dna_replication": {"proliferation": 0.9},
    "dna_repair": {"proliferation": 0.45},
    "myc_targets": {"proliferation": 0.5, "metabolism": 0.2},
    "hypoxia": {"hypoxia": 0.9},
    "glycolysis": {"hypoxia": 0.5, "metabolism": 0.5},
    "oxidative_phosphorylation": {"metabolism": -0.5},
    "angiogenesis": {"vascularity": 0.8},
    "emt": {"invasion": 0.8},
    "tgf_beta": {"invasion": 0.5},
    "interferon_gamma": {"immune": 1.0},
    "t_cell": {"immune": 1.0},
    "myeloid": {"immune": 0.6, "hypoxia": 0.2},
    "b_cell": {"immune": 0.8},
    "fatty_acid_metabolism": {"metabolism": 0.4},
}
"""Program -> latent -> effect in log2 units per unit of the latent; the other programs move on their own."""

ALTERATION_EFFECTS: Mapping[str, Mapping[str, float]] = {
    "ERBB2:amplification": {"ERBB2": 3.5, "GRB7": 3.0, "STARD3": 2.6, "MIEN1": 2.6},
    "EGFR:amplification": {"EGFR": 3.2, "SEC61G": 2.4},
    "EGFR:gain": {"EGFR": 0.8},
    "CDKN2A:deep deletion": {"CDKN2A": -3.0, "CDKN2B": -2.5, "MTAP": -2.0},
    "CDKN2A:loss": {"CDKN2A": -0.8, "CDKN2B": -0.7},
    "MYC:gain": {"MYC": 1.0},
    "CCND1:amplification": {"CCND1": 2.5},
    "FGFR1:amplification": {"FGFR1": 2.4},
    "MDM2:amplification": {"MDM2": 2.8},
    "MDM4:amplification": {"MDM4": 2.4},
    "CDK4:amplification": {"CDK4": 2.8},
    "PDGFRA:amplification": {"PDGFRA": 2.8},
    "MET:amplification": {"MET": 2.6},
    "NKX2-1:amplification": {"NKX2-1": 2.0},
    "TERT:gain": {"TERT": 1.0},
    "VHL:loss": {"VHL": -0.7},
    "PTEN:loss": {"PTEN": -0.8},
    "RB1:loss": {"RB1": -0.8},
    "TP53": {"CDKN1A": -1.2, "MDM2": -1.0, "ZMAT3": -0.8, "SESN1": -0.7, "FDXR": -0.6, "DDB2": -0.6},
    "KRAS": {"DUSP6": 1.0, "SPRY4": 0.8, "DUSP4": 0.9, "ETV4": 0.8},
    "KEAP1": {"NQO1": 2.2, "TXN": 1.0, "SLC7A11": 1.6, "HMOX1": 0.6},
    "IDH1": {"MGMT": -1.0, "DLL3": 1.2, "EGFR": -0.8},
    "ALK": {"ALK": 5.0},
    "ROS1": {"ROS1": 4.0},
    "RET": {"RET": 4.0},
    "FGFR3": {"FGFR3": 3.5},
}
"""Alteration (mutated gene, "GENE:call", or 3'/5' fusion gene) -> gene -> shift in log2 units; sizes are ours."""

GENE_NOISE = 0.55
"""SD of a gene's own noise, log2 units."""
N_BATCHES = 6
"""Sequencing batches; each shifts every gene a little (SD 0.25)."""


def _fixed(name: str) -> Generator:
    """A generator that depends on a name only: gene constants are the same for every cohort."""
    return np.random.default_rng(zlib.crc32(name.encode()))


@lru_cache(maxsize=8)
def _base(code: str) -> NDArray[np.float64]:
    """Mean log2(TPM + 1) per gene (G,) in this cancer."""
    base = _fixed("base").uniform(2.0, 5.5, len(GENES)) + _fixed(f"base {code}").normal(0, 0.5, len(GENES))
    at = {gene: i for i, gene in enumerate(GENES)}
    for cancer, genes in LINEAGE.items():
        for gene in genes:
            base[at[gene]] = 7.5 if cancer == code else 0.8
    for gene in HOUSEKEEPING:
        base[at[gene]] += 4.0
    for gene in ("ALK", "ROS1", "RET", "NTRK1", "TERT", "KLK3", "CYP3A4", "SLC6A3"):
        base[at[gene]] = 0.7
    return base


@lru_cache(maxsize=1)
def _loading() -> NDArray[np.float64]:
    """Loading of each gene on its program (G,), 0.6 to 1.2; 0 outside programs."""
    raw = _fixed("loading").uniform(0.6, 1.2, len(GENES))
    return np.where([gene in PROGRAM_OF for gene in GENES], raw, 0.0)


@lru_cache(maxsize=1)
def _membership() -> NDArray[np.float64]:
    """(G, number of programs), 1 where the gene stands in the program."""
    table = np.zeros((len(GENES), len(PROGRAMS)))
    names = list(PROGRAMS)
    for i, gene in enumerate(GENES):
        if gene in PROGRAM_OF:
            table[i, names.index(PROGRAM_OF[gene])] = 1.0
    return table


def program_scores(biology: Biology, rng: Generator) -> NDArray[np.float64]:
    """Score of each program of genes.PROGRAMS, log2 units, with noise of its own."""
    scores = []
    for name in PROGRAMS:
        loads = PROGRAM_LOADINGS.get(name)
        own = 0.2 if loads else 0.6
        value = sum(w * biology.latent[latent] for latent, w in (loads or {}).items())
        scores.append(value + own * float(rng.standard_normal()))
    return np.asarray(scores)


def sample_expression(biology: Biology, er_positive: bool | None, rng: Generator, source: SourceLocator) -> Expression:
    """TPM of every gene of genes.GENES; er_positive moves the oestrogen programme (breast only, else None)."""
    scores = program_scores(biology, rng)
    if er_positive is not None:
        scores[list(PROGRAMS).index("estrogen_response")] += 1.6 if er_positive else -1.6
    if biology.oncotree_code == "CCRCC":
        scores[list(PROGRAMS).index("hypoxia")] += 1.0 if "VHL" in biology.genotype.mutated else 0.2
    log2 = _base(biology.oncotree_code) + _loading() * (_membership() @ scores)
    batch = int(rng.integers(N_BATCHES))
    log2 += _fixed(f"batch {batch}").normal(0, 0.25, len(GENES))
    at = {gene: i for i, gene in enumerate(GENES)}
    for name in _alterations(biology):
        for gene, shift in ALTERATION_EFFECTS.get(name, {}).items():
            log2[at[gene]] += shift
    log2 += rng.normal(0, GENE_NOISE, len(GENES))
    tpm = np.maximum(2.0**log2 - 1.0, 0.0)
    return Expression(GENES, np.round(tpm, 4).astype(np.float32), "TPM", source)


def _alterations(biology: Biology) -> list[str]:
    genotype = biology.genotype
    fused = [gene for pair in genotype.fusions for gene in pair]
    return [*genotype.mutated, *(f"{g}:{call}" for g, call in genotype.copy_number.items()), *fused]
