"""Encoders of one block that need no gene names: linear, MLP, self-normalising MLP, variational autoencoder.

One interface, also that of gene_encoders.py: standardised values (B, P) with 0 = the mean patient, present (B,) bool
-> ``Encoded`` with an embedding (B, D) that is 0 for patients without the block. What this module does not know:
which block it reads, outcomes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from encoders.cohort_networks.losses import gaussian_kl
from encoders.cohort_networks.settings import KL, LINEAR, MLP, RECONSTRUCTION, SNN, VAE, NetworkSettings
from encoders.errors import ContractError


@dataclass(frozen=True)
class Encoded:
    """embedding (B, D); losses : the encoder's own named losses (), beside the task's; attention (B, P) or None."""

    embedding: Tensor
    losses: dict[str, Tensor] = field(default_factory=dict)
    attention: Tensor | None = None


class BlockEncoder(nn.Module):
    """Base: checks the shape, encodes, and blanks the patients without the block."""

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.columns = columns

    def forward(self, values: Tensor, present: Tensor) -> Encoded:
        """Values (B, P) float, present (B,) bool -> embedding (B, D).

        Raises
        ------
        ContractError: another number of columns than the encoder was made for.
        """
        if values.ndim != 2 or values.shape[1] != self.columns:
            raise ContractError(f"a block of shape {tuple(values.shape)}; the encoder reads (B, {self.columns}).")
        shown = present.unsqueeze(1)
        found = self.encode(torch.where(shown, values, torch.zeros_like(values)), present)
        return Encoded(found.embedding * shown, found.losses, found.attention)

    def encode(self, values: Tensor, present: Tensor) -> Encoded:
        """The encoder's own part; rows of absent patients are 0 and are blanked afterwards."""
        raise NotImplementedError


class PlainEncoder(BlockEncoder):
    """A chain of layers: linear for narrow blocks, or one hidden layer with GELU and dropout."""

    def __init__(self, columns: int, settings: NetworkSettings, *, hidden: bool) -> None:
        super().__init__(columns)
        if hidden:
            self.layers = nn.Sequential(
                nn.Linear(columns, settings.hidden), nn.GELU(), nn.Dropout(settings.dropout),
                nn.Linear(settings.hidden, settings.width),
            )  # fmt: skip
        else:
            self.layers = nn.Sequential(nn.Linear(columns, settings.width))

    def encode(self, values: Tensor, present: Tensor) -> Encoded:
        """(B, P) -> (B, D)."""
        return Encoded(self.layers(values))


class SelfNormalisingEncoder(BlockEncoder):
    """SELU layers with alpha dropout, weights from N(0, 1 / fan in).

    References
    ----------
    Klambauer et al., NeurIPS 2017, arXiv 1706.02515.
    """

    def __init__(self, columns: int, settings: NetworkSettings) -> None:
        super().__init__(columns)
        self.layers = nn.Sequential(
            nn.Linear(columns, settings.hidden), nn.SELU(), nn.AlphaDropout(settings.dropout),
            nn.Linear(settings.hidden, settings.width), nn.SELU(), nn.AlphaDropout(settings.dropout),
        )  # fmt: skip
        for layer in self.layers:
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
                nn.init.zeros_(layer.bias)

    def encode(self, values: Tensor, present: Tensor) -> Encoded:
        """(B, P) -> (B, D)."""
        return Encoded(self.layers(values))


class VariationalEncoder(BlockEncoder):
    """Variational autoencoder; the latent mean is the embedding, reconstruction and KL are losses of their own.

    Both are per column: half the mean squared error, and the KL divided by the number of columns, so that with equal
    weights their sum is the negative evidence lower bound of a unit-variance Gaussian, per column.

    References
    ----------
    Kingma & Welling, ICLR 2014, arXiv 1312.6114.
    """

    def __init__(self, columns: int, settings: NetworkSettings) -> None:
        super().__init__(columns)
        self.encoder = nn.Sequential(nn.Dropout(settings.dropout), nn.Linear(columns, settings.hidden), nn.GELU())
        self.mean = nn.Linear(settings.hidden, settings.width)
        self.log_variance = nn.Linear(settings.hidden, settings.width)
        self.decoder = nn.Sequential(
            nn.Linear(settings.width, settings.hidden), nn.GELU(), nn.Linear(settings.hidden, columns)
        )

    def encode(self, values: Tensor, present: Tensor) -> Encoded:
        """(B, P) -> latent mean (B, D); in training the decoder reads a sample around it."""
        hidden = self.encoder(values)
        mean, log_variance = self.mean(hidden), self.log_variance(hidden).clamp(-8, 8)
        if not self.training:
            return Encoded(mean)
        sample = mean + torch.randn_like(mean) * torch.exp(log_variance / 2)
        share = present.to(values.dtype) / present.sum().clamp(min=1)
        error = (self.decoder(sample) - values).square().mean(1) / 2
        kl = gaussian_kl(mean, log_variance) / self.columns
        return Encoded(mean, {RECONSTRUCTION: (error * share).sum(), KL: (kl * share).sum()})


def plain_encoder(kind: str, columns: int, settings: NetworkSettings) -> BlockEncoder:
    """The encoder of one of the kinds this module holds."""
    if kind == SNN:
        return SelfNormalisingEncoder(columns, settings)
    if kind == VAE:
        return VariationalEncoder(columns, settings)
    if kind in (LINEAR, MLP):
        return PlainEncoder(columns, settings, hidden=kind == MLP)
    raise ContractError(f"encoder {kind!r} is none of {LINEAR}, {MLP}, {SNN}, {VAE}.")
