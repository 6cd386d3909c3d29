"""Expression units land on one scale, absent genes are masked and counted, alterations are flagged by class."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from encoders.errors import ContractError
from encoders.omics import (
    ALTERATION_CHANNELS,
    ALTERATION_FEATURES,
    ExpressionEncoder,
    ExpressionInput,
    ExpressionScale,
    read_alterations,
    read_expression,
    variant_class,
)
from encoders.pathways import MIN_PANEL_GENES, PANEL, PATHWAYS, REFERENCE_GENES, gene_pathway_mask
from encoders.patient import CopyNumber, Expression, Fusion, Patient, SourceLocator, Variant
from encoders.synthetic.genes import DRIVERS

WHERE = SourceLocator("expression.tsv")


def profile(values, unit, genes=PANEL):
    return Expression(tuple(genes), np.asarray(values, np.float32), unit, WHERE)


def test_tpm_and_log2_agree_and_the_mapping_is_recorded():
    tpm = np.linspace(0, 500, len(PANEL))
    a = read_expression(profile(tpm, "TPM"))
    b = read_expression(profile(np.log2(tpm + 1), "log2 TPM+1"))
    np.testing.assert_allclose(a.values, b.values, atol=1e-5)
    assert a.mapping == f"log2(TPM + 1); {len(PANEL)} of {len(PANEL)} panel genes"


def test_counts_become_counts_per_million():
    counts = np.ones(len(PANEL))
    got = read_expression(profile(counts, "counts"))
    np.testing.assert_allclose(got.values, np.log2(1e6 / len(PANEL) + 1), rtol=1e-5)
    assert "counts per million" in got.mapping


def test_z_scores_are_used_as_they_are():
    got = read_expression(profile(np.full(len(PANEL), -9.0), "z-score"))
    assert got.is_z
    assert set(got.values.tolist()) == {-6.0}


@pytest.mark.parametrize(
    ("unit", "values", "genes", "reason"),
    [
        ("furlongs", 1.0, PANEL, "unit 'furlongs' is not known"),
        ("TPM", -1.0, PANEL, "negative values"),
        ("TPM", 1.0, PANEL[: MIN_PANEL_GENES - 1], f"only {MIN_PANEL_GENES - 1} of {len(PANEL)} panel genes"),
    ],
)
def test_what_cannot_be_encoded_says_why(unit, values, genes, reason):
    assert reason in read_expression(profile([values] * len(genes), unit, genes))
    assert read_expression(None) == "no gene expression"


def test_nan_genes_are_absent_not_zero():
    values = np.full(len(PANEL), 7.0)
    values[:3] = np.nan
    got = read_expression(profile(values, "TPM"))
    assert got.present.tolist() == [False] * 3 + [True] * (len(PANEL) - 3)


def test_standardise_removes_a_shift_shared_with_the_reference_genes():
    genes = (*PANEL, *REFERENCE_GENES)
    rng = np.random.default_rng(0)
    log2 = rng.uniform(2, 8, len(genes))
    scale = ExpressionScale(
        np.full(len(PANEL), 5, np.float32), np.full(len(PANEL), 2, np.float32), log2[len(PANEL) :].astype(np.float32)
    )
    plain = scale.standardise(read_expression(profile(log2, "log2 TPM+1", genes)))
    shifted = scale.standardise(read_expression(profile(log2 + 1.7, "log2 TPM+1", genes)))
    np.testing.assert_allclose(plain, (log2[: len(PANEL)] - 5) / 2, atol=1e-5)
    np.testing.assert_allclose(shifted, plain, atol=1e-5)


def test_absent_genes_standardise_to_zero():
    shown = np.arange(len(PANEL)) > 4
    values = ExpressionInput(
        np.full(len(PANEL), 9, np.float32), shown, np.zeros(1, np.float32), np.zeros(1, bool), False, ""
    )
    scale = ExpressionScale(np.zeros(len(PANEL), np.float32), np.ones(len(PANEL), np.float32), np.zeros(1, np.float32))
    z = scale.standardise(values)
    assert z[:5].tolist() == [0.0] * 5
    assert z[5] == 6.0


def test_pathway_layer_reads_only_its_own_genes():
    torch.manual_seed(0)
    encoder = ExpressionEncoder(8, channels=2).eval()
    z = torch.randn(1, len(PANEL), requires_grad=True)
    present = torch.ones(1, len(PANEL), dtype=torch.bool)
    first = next(iter(PATHWAYS))
    encoder.pathway_scores(z, present)[0, :2].sum().backward()
    touched = {gene for gene, g in zip(PANEL, z.grad[0].tolist(), strict=True) if g != 0}
    assert touched == set(PATHWAYS[first])
    with pytest.raises(ContractError, match="panel"):
        encoder(z[:, :5], present[:, :5])


def test_hidden_genes_do_not_reach_the_embedding():
    torch.manual_seed(0)
    encoder = ExpressionEncoder(8).eval()
    present = torch.rand(1, len(PANEL)) > 0.5
    z = torch.randn(1, len(PANEL))
    torch.testing.assert_close(encoder(z, present), encoder(z + 5 * (~present), present))


def test_mask_has_every_gene_of_every_pathway():
    mask = gene_pathway_mask()
    assert mask.sum(1).tolist() == [len(set(genes)) for genes in PATHWAYS.values()]
    assert bool(mask.any(0).all())


@pytest.mark.parametrize(
    ("consequence", "channel"),
    [
        ("Missense_Mutation", "missense"),
        ("missense_variant", "missense"),
        ("Frame_Shift_Del", "truncating"),
        ("frameshift_variant", "truncating"),
        ("Nonsense_Mutation", "truncating"),
        ("stop_gained", "truncating"),
        ("Splice_Site", "truncating"),
        ("In_Frame_Del", "in_frame"),
        ("inframe_insertion", "in_frame"),
        ("Silent", None),
        ("synonymous_variant", None),
        ("3'UTR", None),
        ("start_lost", "other_variant"),
    ],
)
def test_variant_classes(consequence, channel):
    assert variant_class(Variant("TP53", None, consequence, WHERE)) == channel


def test_alterations_vector_by_hand():
    patient = Patient(
        "p",
        variants=(
            Variant("EGFR", "p.L858R", "Missense_Mutation", WHERE),
            Variant("TP53", None, "Silent", WHERE),
            Variant("BAP1", None, "Nonsense_Mutation", WHERE, germline=True),
        ),
        copy_number=(CopyNumber("ERBB2", "amplification", WHERE), CopyNumber("MET", "neutral", WHERE)),
        fusions=(Fusion("EML4", "ALK", WHERE),),
    )
    vector = read_alterations(patient)
    assert vector.shape == (ALTERATION_FEATURES,)
    flags = vector[:-4].reshape(len(DRIVERS), len(ALTERATION_CHANNELS))
    on = {(DRIVERS[i], ALTERATION_CHANNELS[j]) for i, j in np.argwhere(flags)}
    assert on == {("EGFR", "missense"), ("ERBB2", "amplification"), ("EML4", "fusion"), ("ALK", "fusion")}
    assert vector[-4:].tolist() == pytest.approx([1, 1, 1, np.log2(3) / 8])


def test_sequenced_with_nothing_found_is_not_the_same_as_not_sequenced():
    assert read_alterations(Patient("p")) == "no variants, copy number or fusions"
    assert read_alterations(Patient("p", variants=()))[-4:].tolist() == [1, 0, 0, 0]
