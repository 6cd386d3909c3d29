"""The two training stages: the image encoder on its own labels, then everything else on its frozen embeddings.

Two stages because the CNN takes nearly all the time on a CPU. In the second, modalities and genes are dropped at
random, so that every subset works.

What this module does not know: where patients come from, calibration, files.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from encoders.errors import SettingsError
from encoders.fusion import IMAGE_ENCODERS, FusionModel, Tokens, place, place_kind
from encoders.inputs import MODALITIES, POOLED, Batch, PatientInputs, make_batch
from encoders.labels import Targets, make_targets, masked_bce
from encoders.omics import ExpressionScale
from encoders.radiology import SERIES_KINDS
from encoders.survival import SurvivalHead, bin_of, discrete_hazard_nll
from encoders.training_cohort import TrainingCohort

Progress = Callable[[str], None] | None
_MR_KINDS = [i for i, name in enumerate(SERIES_KINDS) if name.startswith("MR")]


@dataclass(frozen=True)
class TrainConfig:
    """Training recipe; saved in the model card.

    image_encoder : one of ``fusion.IMAGE_ENCODERS``
    device : where the image encoder runs; everything after it is light and stays on the CPU
    """

    image_epochs: int = 20
    image_batch: int = 32
    image_lr: float = 2e-3
    fusion_epochs: int = 16
    fusion_batch: int = 128
    fusion_lr: float = 6e-4
    weight_decay: float = 0.05
    modality_dropout: float = 0.25
    gene_dropout: float = 0.1
    views: int = 4
    device: str = "cpu"
    image_encoder: str = "cnn3d"


def image_recipe(image_encoder: str, *, device: str = "cpu") -> TrainConfig:
    """The recipe an image encoder is trained by; the transformer takes a smaller step than the CNN.

    Raises
    ------
    SettingsError: no image encoder of that name.
    """
    if image_encoder not in IMAGE_ENCODERS:
        raise SettingsError(f"image encoder {image_encoder!r}; allowed: {', '.join(IMAGE_ENCODERS)}.")
    rate = {"vit3d": 1e-3}.get(image_encoder, TrainConfig.image_lr)
    return TrainConfig(image_encoder=image_encoder, image_lr=rate, device=device)


def _augment(batch: Batch, generator: torch.Generator) -> Batch:
    """Flip axes, shift by up to 2 voxels, and sometimes forget what an MR series is."""
    crops, kind = batch.crops.float(), batch.kind.clone()
    for axis in (2, 3, 4):
        pick = torch.rand(len(crops), generator=generator) < 0.5
        crops[pick] = crops[pick].flip(axis)
    shift = torch.randint(-2, 3, (3,), generator=generator).tolist()
    crops = torch.roll(crops, shift, (2, 3, 4)).contiguous(memory_format=torch.channels_last_3d)
    forget = torch.isin(kind, torch.tensor(_MR_KINDS)) & (torch.rand(len(kind), generator=generator) < 0.1)
    kind[forget] = SERIES_KINDS.index("MR other")
    return Batch(**{**batch.__dict__, "crops": crops, "kind": kind})


def _nll(head: SurvivalHead, features: Tensor, cancer: Tensor, targets: Targets) -> Tensor:
    index, event = bin_of(targets.months, targets.event)
    loss = discrete_hazard_nll(head.baseline(cancer), head.risk(features), index, event)
    return loss.mean() + 0.02 * head.roughness()


def _optimiser(
    named: Sequence[tuple[str, nn.Parameter]], lr: float, weight_decay: float, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """AdamW on one cycle; baseline log hazards move ten times faster and are not decayed."""
    rates = [p for name, p in named if name.endswith("log_rate")]
    others = [p for name, p in named if not name.endswith("log_rate")]
    groups = [{"params": others, "weight_decay": weight_decay}, {"params": rates, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, [lr, 10 * lr], total_steps=steps, pct_start=0.15)
    return optimiser, schedule


def train_image_encoder(
    model: FusionModel,
    cohort: TrainingCohort,
    scale: ExpressionScale,
    *,
    config: TrainConfig,
    seed: int,
    progress: Progress = None,
) -> None:
    """Stage one: image encoder and image heads, with cancer type and survival as side tasks. Changes ``model``."""
    generator = torch.Generator().manual_seed(seed)
    with_image = [i for i, p in enumerate(cohort.inputs) if p.crops]
    side = nn.Linear(model.config.width, POOLED)
    on_device = nn.ModuleList([model.image, model.image_heads, model.unimodal["imaging"], side]).to(config.device)
    named = [*model.image.named_parameters(), *model.image_heads.named_parameters(), *side.named_parameters()]
    named += list(model.unimodal["imaging"].named_parameters())
    parts = [p for _, p in named]
    steps = -(-len(with_image) // config.image_batch) * config.image_epochs
    optimiser, schedule = _optimiser(named, config.image_lr, 0.02, steps)
    model.train()
    model.image.to(memory_format=torch.channels_last_3d)
    for epoch in range(config.image_epochs):
        losses = []
        order = torch.randperm(len(with_image), generator=generator).split(config.image_batch)
        for pick in order:
            chosen = [with_image[i] for i in pick.tolist()]
            inputs = [cohort.inputs[i] for i in chosen]
            targets = make_targets(inputs, [cohort.labels[i] for i in chosen]).to(config.device)
            batch = _augment(make_batch(inputs, scale), generator).to(config.device)
            imaging, real = place(model.image(batch.crops, batch.kind), batch)
            logits = model.image_heads(imaging, real, place_kind(batch))
            mean = (imaging * real.unsqueeze(-1)).sum(1) / real.sum(1, keepdim=True)
            loss = masked_bce(logits, targets.image) + 0.2 * nn.functional.cross_entropy(side(mean), targets.cancer)
            loss = loss + 0.1 * _nll(model.unimodal["imaging"], mean, batch.cancer, targets)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parts, 1.0)
            optimiser.step()
            schedule.step()
            losses.append(loss.detach())
        if progress is not None:
            mean_loss = float(torch.stack(losses).mean())
            progress(f"image encoder, epoch {epoch + 1} of {config.image_epochs}: loss {mean_loss:.3f}")
    on_device.to("cpu")


@torch.no_grad()
def image_rows(
    model: FusionModel,
    inputs: Sequence[PatientInputs],
    scale: ExpressionScale,
    *,
    augment_seed: int | None = None,
    device: str = "cpu",
) -> list[Tensor]:
    """Image embeddings (K, D) of each patient, from the trained encoder; augmented when a seed is given."""
    model.eval()
    model.image.to(device)
    generator = torch.Generator().manual_seed(augment_seed or 0)
    out: list[Tensor] = []
    for start in range(0, len(inputs), 64):
        part = list(inputs[start : start + 64])
        batch = make_batch(part, scale)
        batch = Batch(**{**batch.__dict__, "crops": batch.crops.float()})
        if not len(batch.crops):
            out += [torch.zeros(0, model.config.width)] * len(part)
            continue
        if augment_seed is not None:
            batch = _augment(batch, generator)
        rows = model.image(batch.crops.to(device), batch.kind.to(device)).cpu()
        out += list(rows.split([len(p.crops) for p in part]))
    model.image.to("cpu")
    return out


def light_batch(inputs: Sequence[PatientInputs], scale: ExpressionScale) -> Batch:
    """A batch of everything but the images: ``crops`` is empty, ``kind`` and ``slot`` still list the series."""
    batch = make_batch([PatientInputs(**{**p.__dict__, "crops": ()}) for p in inputs], scale)
    kinds = [c.kind for p in inputs for c in p.crops]
    slots = [(b, k) for b, p in enumerate(inputs) for k in range(len(p.crops))]
    return Batch(
        **{
            **batch.__dict__,
            "kind": torch.tensor(kinds, dtype=torch.long),
            "slot": torch.tensor(slots, dtype=torch.long).reshape(-1, 2),
            "present": torch.tensor([p.present for p in inputs], dtype=torch.bool),
            "n_slots": max([len(p.crops) for p in inputs] + [1]),
        }
    )


@dataclass(frozen=True)
class Prepared:
    """A cohort with frozen image embeddings: views (V, B, K, D), real (B, K), the rest of the batch, targets."""

    views: Tensor
    real: Tensor
    batch: Batch
    targets: Targets

    def tokens(self, model: FusionModel, index: Tensor, view: int, present: Tensor, keep: Tensor) -> Tokens:
        """Tokens of some patients; ``keep`` (b, G) bool hides genes."""
        return Tokens(
            imaging=self.views[view, index],
            real=self.real[index],
            expression=model.expression(self.batch.z[index], self.batch.z_present[index] & keep),
            alterations=model.alterations(self.batch.alterations[index]),
            clinical=model.clinical(self.batch.clinical[index]),
            present=present,
        )


def prepare(
    model: FusionModel, cohort: TrainingCohort, scale: ExpressionScale, *, views: int = 1, device: str = "cpu"
) -> Prepared:
    """Encode the images of a cohort once (view 0 as they are, the others augmented)."""
    batch = light_batch(cohort.inputs, scale)
    stack, real = [], None
    for view in range(views):
        rows = torch.cat(image_rows(model, cohort.inputs, scale, augment_seed=view or None, device=device))
        imaging, real = place(rows, batch)
        stack.append(imaging)
    return Prepared(torch.stack(stack), real, batch, make_targets(cohort.inputs, cohort.labels))


def _hide(present: Tensor, rate: float, generator: torch.Generator) -> Tensor:
    """Drop each modality with probability ``rate`` in half of the patients; one in fifty loses all of them."""
    draw = torch.rand(present.shape, generator=generator) >= rate
    whole = torch.rand(len(present), 1, generator=generator) < 0.5
    none = torch.rand(len(present), 1, generator=generator) < 0.02
    return present & (draw | whole) & ~none


def fusion_loss(model: FusionModel, tokens: Tokens, present: Tensor, cancer: Tensor, targets: Targets) -> Tensor:
    """Sum of the survival losses (fused and each modality alone), cancer type and expression tasks."""
    loss = _nll(model.survival, model.fuse(tokens, present), cancer, targets)
    for i, name in enumerate(MODALITIES):
        has = tokens.present[:, i]
        if bool(has.any()):
            loss = loss + 0.5 * _nll(model.unimodal[name], tokens.row(name)[has], cancer[has], targets.rows(has))
    shown = Tokens(**{**tokens.__dict__, "present": present})
    typed = present[:, :3].any(1)
    if bool(typed.any()):
        loss = loss + 0.3 * nn.functional.cross_entropy(model.cancer_logits(shown)[typed], targets.cancer[typed])
    expressed = torch.where(tokens.present[:, 1:2], targets.expression, torch.nan)
    return loss + 0.5 * masked_bce(model.expression_heads(tokens.expression), expressed)


@torch.no_grad()
def held_out_nll(model: FusionModel, held: Prepared) -> float:
    """Survival NLL with everything shown: fused plus the mean of the modalities alone."""
    model.eval()
    every = torch.arange(len(held.real))
    tokens = held.tokens(model, every, 0, held.batch.present, torch.ones_like(held.batch.z_present))
    cancer = held.batch.cancer
    total = float(_nll(model.survival, model.fuse(tokens), cancer, held.targets))
    alone = [float(_nll(model.unimodal[m], tokens.row(m), cancer, held.targets)) for m in MODALITIES]
    return total + float(np.mean(alone))


def train_fusion_stage(
    model: FusionModel, train: Prepared, held: Prepared, *, config: TrainConfig, seed: int, progress: Progress = None
) -> None:
    """Stage two: every part but the image encoder; keeps the epoch best on ``held``. Changes ``model``."""
    generator = torch.Generator().manual_seed(seed + 1)
    frozen = {id(p) for p in (*model.image.parameters(), *model.image_heads.parameters())}
    parts = [p for p in model.parameters() if id(p) not in frozen]
    size = len(train.real)
    steps = -(-size // config.fusion_batch) * config.fusion_epochs
    optimiser, schedule = _optimiser(
        [(n, p) for n, p in model.named_parameters() if id(p) not in frozen],
        config.fusion_lr,
        config.weight_decay,
        steps,
    )
    best, best_state = float("inf"), None
    for epoch in range(config.fusion_epochs):
        model.train()
        for index in torch.randperm(size, generator=generator).split(config.fusion_batch):
            view = int(torch.randint(len(train.views), (1,), generator=generator))
            present = train.batch.present[index]
            keep = torch.rand(len(index), train.batch.z.shape[1], generator=generator) >= config.gene_dropout
            tokens = train.tokens(model, index, view, present, keep)
            cancer = train.batch.cancer[index].clone()
            cancer[torch.rand(len(index), generator=generator) < 0.1] = POOLED
            shown = _hide(present, config.modality_dropout, generator)
            loss = fusion_loss(model, tokens, shown, cancer, train.targets.rows(index))
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parts, 1.0)
            optimiser.step()
            schedule.step()
        score = held_out_nll(model, held)
        if score < best:
            best, best_state = score, copy.deepcopy(model.state_dict())
        if progress is not None and (epoch + 1) % 5 == 0:
            progress(f"fusion, epoch {epoch + 1} of {config.fusion_epochs}: held-out NLL {score:.4f}, best {best:.4f}")
    if best_state is not None:
        model.load_state_dict(best_state)
    model.eval()
