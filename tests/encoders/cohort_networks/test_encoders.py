"""Block encoders and fusion modes as modules: one interface, masks, absent patients, alignment."""

from __future__ import annotations

import pytest
import torch

from encoders.cohort_networks.block_encoders import plain_encoder
from encoders.cohort_networks.fusion_modes import AttentionFusion, GatedFusion
from encoders.cohort_networks.gene_encoders import GeneGraphEncoder, PathwaySparseEncoder, PathwayTransformerEncoder
from encoders.cohort_networks.losses import contrastive_loss
from encoders.cohort_networks.settings import KL, RECONSTRUCTION, NetworkSettings
from encoders.cohort_networks.train_network import hide_blocks
from encoders.errors import ContractError

SETTINGS = NetworkSettings(width=8, hidden=16, channels=2)
MASK = torch.tensor([[1, 1, 1, 0, 0, 0], [0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1]], dtype=torch.bool)
EDGES = torch.tensor([[0, 1, 3], [1, 2, 4]])
MAKERS = {
    **{kind: lambda kind=kind: plain_encoder(kind, 6, SETTINGS) for kind in ("linear", "mlp", "snn", "vae")},
    "pathway": lambda: PathwaySparseEncoder(6, SETTINGS, MASK),
    "pathway transformer": lambda: PathwayTransformerEncoder(6, SETTINGS, MASK),
    "graph": lambda: GeneGraphEncoder(6, SETTINGS, EDGES),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_every_encoder_blanks_absent_patients_whatever_their_values_and_reads_the_others_alike(kind: str) -> None:
    torch.manual_seed(1)
    encoder = MAKERS[kind]().eval()
    values, present = torch.randn(5, 6), torch.tensor([True, True, False, True, False])
    found = encoder(values, present).embedding
    assert found.shape == (5, 8)
    assert (found[~present] == 0).all()
    order = torch.tensor([3, 0, 4, 1, 2])
    changed = values.clone()
    changed[~present] = 99.0
    assert torch.allclose(encoder(changed[order], present[order]).embedding, found[order], atol=1e-6)
    with pytest.raises(ContractError, match=r"reads \(B, 6\)"):
        encoder(values[:, :5], present)


def test_self_normalising_layers_keep_mean_0_and_variance_1() -> None:
    torch.manual_seed(0)
    wide = NetworkSettings(width=400, hidden=400, heads=2)
    out = (
        plain_encoder("snn", 400, wide)
        .eval()(torch.randn(500, 400), torch.ones(500, dtype=torch.bool))
        .embedding.detach()
    )
    assert abs(float(out.mean())) < 0.1  # Klambauer et al.: the fixed point of SELU layers
    assert 0.85 < float(out.var()) < 1.15


def test_pathway_units_read_their_own_columns_alone() -> None:
    torch.manual_seed(0)
    layer = PathwaySparseEncoder(6, SETTINGS, MASK).pathways
    before, after = torch.randn(1, 6), None
    after = before.clone()
    after[0, 3] += 1  # column 3 is in pathway 1 alone
    moved = (layer(after) - layer(before)).abs().sum(2)[0]
    assert moved[0] == 0
    assert moved[1] > 0
    assert moved[2] == 0


def test_the_vae_has_its_two_losses_in_training_alone_and_its_mean_is_the_embedding() -> None:
    torch.manual_seed(0)
    encoder = plain_encoder("vae", 6, SETTINGS)
    values, present = torch.randn(9, 6), torch.arange(9) < 6
    assert set(encoder(values, present).losses) == {RECONSTRUCTION, KL}
    encoder.eval()
    found = encoder(values, present)
    assert not found.losses
    assert torch.equal(found.embedding[:6], encoder.mean(encoder.encoder(values))[:6])


@pytest.mark.parametrize("kind", [AttentionFusion, GatedFusion])
def test_fusion_reads_shown_blocks_alone_and_tells_its_weights(kind: type) -> None:
    torch.manual_seed(0)
    fusion = kind(3, SETTINGS).eval()
    tokens, shown = torch.randn(4, 3, 8), torch.tensor([[True, False, True]] * 4)
    other = tokens.clone()
    other[:, 1] = 50.0
    fused, weight = fusion(tokens, shown)
    assert torch.equal(fusion(other, shown)[0], fused)
    assert not torch.allclose(fusion(other, torch.ones_like(shown))[0], fused)
    assert weight.shape == (4, 3)
    assert ((weight > 0) & (weight < 1)).all()
    if kind is AttentionFusion:
        assert weight.sum(1).tolist() == pytest.approx([1] * 4)


def test_modality_dropout_shows_no_absent_block_and_always_one_present() -> None:
    torch.manual_seed(0)
    present = torch.rand(500, 3) < 0.5
    shown = hide_blocks(present, 0.9)
    assert not (shown & ~present).any()
    assert torch.equal(shown.any(1), present.any(1))
    assert torch.equal(hide_blocks(present, 0.0), present)
    several = present.sum(1) == 3
    assert 1 <= float(shown[several].sum(1).float().mean()) < 1.6  # 3 x .1, or the one that stays


def test_the_contrastive_loss_draws_pairs_together_and_other_patients_apart() -> None:
    torch.manual_seed(0)
    left, right = (torch.nn.Parameter(torch.randn(12, 4)) for _ in range(2))
    optimizer = torch.optim.Adam([left, right], lr=0.05)

    def cosine() -> torch.Tensor:
        return torch.nn.functional.cosine_similarity(left.unsqueeze(1), right.unsqueeze(0), dim=2).detach()

    before = cosine()
    for _ in range(60):
        optimizer.zero_grad()
        contrastive_loss(left, right, torch.tensor(0.2).log()).backward()
        optimizer.step()
    after = cosine()
    others = ~torch.eye(12, dtype=torch.bool)
    assert after.diagonal().mean() > before.diagonal().mean() + 0.5
    assert after[others].mean() < after.diagonal().mean() - 0.5
