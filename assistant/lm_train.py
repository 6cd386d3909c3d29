"""``radomica train lm``: train the embedded decoder and its adapters together, end to end.

The loss is the cross-entropy of the answer's tokens, in which the few words that only soft tokens can tell weigh more,
plus how far each soft token is from the word it stands for (assistant/lm_align.py). Every pair is drawn fresh
(assistant/lm_pairs.py), none is seen twice.

Not known here: how pairs are worded. Not done here: training adapters for a larger LLM.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from assistant.llm.chat_model import PromptStyle
from assistant.llm.locations import home_folder
from assistant.llm.soft_tokens import ADAPTERS_FILE, CARD_FILE, AdapterSet, file_sha256, llm_fingerprint
from assistant.lm_align import SlotTargets, slot_error
from assistant.lm_batch import Batch, Encoder, Read, read_batch
from assistant.lm_cases import LMCase, load_cases, told_types
from assistant.lm_model import HIDDEN, new_adapters, new_decoder, save_decoder
from assistant.lm_model import train_tokenizer as fit_tokenizer
from assistant.lm_pairs import LMPair, PairMaker
from assistant.report import RESEARCH_USE
from encoders.atomic_write import write_atomically
from encoders.errors import ContractError, SettingsError

Progress = Callable[[str], None]
DEFAULT_STEPS = 7000
"""What `radomica train lm` runs when neither steps nor minutes are given: about 45 minutes on 2 cores."""


@dataclass(frozen=True)
class LMSettings:
    """Training settings; saved in the card. batch : pairs a step; pool : batches drawn together, sorted by length."""

    learning_rate: float = 1.5e-3  # of the decoder; the adapters learn twice as fast
    weight_decay: float = 0.02
    warmup: float = 0.02  # share of the run
    batch: int = 16
    pool: int = 8
    noise: float = 0.1
    tokenizer_pairs: int = 12_000
    held_out_share: float = 0.12
    held_out_pairs: int = 192
    adapter: str = "mlp"
    finding_weight: float = 6.0  # of a word that only soft tokens can tell, in the answer's loss
    findings_first: float = 0.15  # share of the run that asks for findings alone, in short messages
    slot_weight: float = 1.0  # of the soft tokens' distance to their words
    device: str = "cpu"
    log_every_s: float = 60.0
    bfloat16: bool = False  # on a GPU or a processor with AMX; elsewhere it is emulated, 100 x slower
    start_from: str | None = None  # folder of an earlier run whose decoder and tokenizer to go on from


class Trainer:
    """One training run: model, adapters, optimiser and the stream of pairs."""

    def __init__(self, cases: Sequence[LMCase], seed: int, settings: LMSettings) -> None:
        split = max(1, round(len(cases) * settings.held_out_share))
        self.held_out, self.training = list(cases[:split]), list(cases[split:]) or list(cases)
        self.settings = settings
        self.seed = seed
        self.pairs = PairMaker(self.training, seed=seed, noise=settings.noise)
        sampler = PairMaker(self.training, seed=seed + 7)
        texts = (_text(sampler.draw()) for _ in range(settings.tokenizer_pairs))
        if settings.start_from is None:
            self.tokenizer = fit_tokenizer(texts)
            self.model = new_decoder(self.tokenizer, seed)
        else:
            self.tokenizer = PreTrainedTokenizerFast.from_pretrained(settings.start_from)
            self.model = LlamaForCausalLM.from_pretrained(settings.start_from, dtype=torch.float32)
        self.model.to(settings.device)
        self.slots = SlotTargets(self.tokenizer)
        self.encoder = Encoder(self.tokenizer)
        widths = {m: v.shape[1] for case in cases for m, v in case.embeddings.items()}
        self.adapters = new_adapters(widths, seed, kind=settings.adapter).to(settings.device)
        self.parameters = [*self.model.parameters(), *self.adapters.parameters()]
        groups = [
            {"params": list(self.model.parameters()), "pace": 1.0},
            {"params": list(self.adapters.parameters()), "pace": 2.0},
        ]
        rate, decay = settings.learning_rate, settings.weight_decay
        self.optimiser = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.95), weight_decay=decay)
        self.steps = self.tokens = 0
        self._pool: list[Batch] = []
        held = PairMaker(self.held_out, seed=seed + 11, noise=0.0, vary=True)
        self.held_batches = self._cut([held.draw() for _ in range(settings.held_out_pairs)])

    def _cut(self, pairs: Sequence[LMPair]) -> list[Batch]:
        encoded = sorted((self.encoder.encode(p) for p in pairs), key=lambda item: len(item.ids))
        size = self.settings.batch
        return [self.encoder.batch(encoded[i : i + size]) for i in range(0, len(encoded), size)]

    def _next(self, done: float = 1.0) -> Batch:
        if not self._pool:
            count = self.settings.batch * self.settings.pool
            draw = self.pairs.draw_findings if done < self.settings.findings_first else self.pairs.draw
            self._pool = self._cut([draw() for _ in range(count)])
            order = torch.randperm(len(self._pool)).tolist()
            self._pool = [self._pool[i] for i in order]
        return self._pool.pop()

    def step(self, done: float) -> float:
        """One optimiser step; ``done`` in [0, 1] is how far the run is, and sets the learning rate."""
        rate = min(1.0, done / self.settings.warmup) if self.settings.warmup else 1.0
        rate *= 0.04 + 0.96 * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
        for group in self.optimiser.param_groups:
            group["lr"] = group["pace"] * max(self.settings.learning_rate * rate, 1e-5)
        self.model.train()
        self.adapters.train()
        batch = self._next(done)
        with torch.autocast(self.settings.device, dtype=torch.bfloat16, enabled=self.settings.bfloat16):
            read = read_batch(self.model, self.adapters, batch)
        losses = read.losses()
        weight = torch.where(read.told, self.settings.finding_weight, 1.0)
        loss = (losses * weight).sum() / weight.sum() + self.settings.slot_weight * self._slot_error(batch, read)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimiser.step()
        self.steps += 1
        self.tokens += int(batch.mask.sum())
        return float(losses.detach().mean())

    def _slot_error(self, batch: Batch, read: Read) -> Tensor:
        table = self.model.get_input_embeddings().weight
        errors = [
            slot_error(soft, *self.slots(modality, batch.soft[modality].carried, table))
            for modality, soft in read.soft.items()
        ]
        return torch.stack(errors).sum() if errors else torch.zeros((), device=self.settings.device)

    @torch.no_grad()
    def held_out_metrics(self) -> dict[str, float]:
        """On fixed pairs of patients not trained on: mean answer loss, and the share of words told by soft tokens
        that are the likeliest next token."""
        self.model.eval()
        self.adapters.eval()
        reads = [read_batch(self.model, self.adapters, b) for b in self.held_batches]
        right = torch.cat([(r.logits.argmax(-1) == r.labels)[r.told] for r in reads]).float()
        loss = float(torch.cat([r.losses() for r in reads]).mean())
        findings = float(right.mean()) if len(right) else float("nan")
        return {"held_out_loss": round(loss, 4), "held_out_findings_read": round(findings, 4)}

    def save(self, folder: Path, card: dict[str, Any]) -> None:
        """Write the whole folder; the card last, with the hashes of what was written."""
        save_decoder(self.model, self.tokenizer, folder)
        adapters = AdapterSet(dict(self.adapters.items()), self._encoder_hash(), HIDDEN)
        entries = {m: {"kind": self.settings.adapter, **asdict(a.config)} for m, a in self.adapters.items()}
        adapter_hash = file_sha256(adapters.save_weights(folder)) if entries else ""
        if not entries:
            (folder / ADAPTERS_FILE).unlink(missing_ok=True)
        full = {
            "name": "radomica-lm",
            "style": PromptStyle.COMPACT.value,
            "research_use": RESEARCH_USE,
            "evidence_types": list(told_types(self.training)),
            "hidden_size": HIDDEN,
            "encoder_hash": adapters.encoder_hash,
            "llm_hash": llm_fingerprint(folder),
            "adapter_hash": adapter_hash,
            "adapters": entries,
            "parameters": sum(p.numel() for p in self.model.parameters()),
            **card,
        }
        write_atomically(folder / CARD_FILE, json.dumps(full, indent=1) + "\n")

    def _encoder_hash(self) -> str:
        hashes = {c.encoder_hash for c in (*self.training, *self.held_out) if c.embeddings}
        if len(hashes) > 1:
            raise ContractError(f"the cases come from {len(hashes)} encoders; delete the case cache and sample again.")
        return hashes.pop() if hashes else ""


def _text(pair: LMPair) -> str:
    return "\n".join([*(t for t, is_soft in pair.parts if not is_soft), pair.answer])


def train_lm(
    *,
    out: Path,
    seed: int = 0,
    minutes: float | None = None,
    steps: int | None = None,
    n_patients: int = 1200,
    cases: Sequence[LMCase] | None = None,
    settings: LMSettings | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train the embedded decoder and write its folder to ``out``; returns the card's metrics.

    Parameters
    ----------
    minutes, steps : length of the run, exactly one of them
    n_patients : synthetic patients to sample through the whole chain (cached under RADOMICA_HOME)
    cases : ready cases instead of ``n_patients``

    Raises
    ------
    SettingsError: neither or both of ``minutes`` and ``steps``.
    """
    if (minutes is None) == (steps is None):
        raise SettingsError(f"minutes is {minutes} and steps is {steps}; give exactly one of them.")
    say = progress or (lambda _: None)
    settings = settings or LMSettings()
    if cases is None:
        cases = load_cases(n_patients, seed=seed, cache=home_folder() / "cache", progress=progress)
    trainer = Trainer(cases, seed, settings)
    say(f"decoder: {sum(p.numel() for p in trainer.model.parameters()):,} parameters, {len(trainer.training)} cases")
    length = f"--steps {steps}" if steps is not None else f"--minutes {minutes:g}"
    start, logged, recent = time.monotonic(), time.monotonic(), 0.0
    while True:
        elapsed = time.monotonic() - start
        done = trainer.steps / steps if steps is not None else elapsed / (60 * float(minutes or 1))
        if done >= 1:
            break
        loss = trainer.step(done)
        recent = loss if not recent else 0.95 * recent + 0.05 * loss
        if time.monotonic() - logged > settings.log_every_s:
            logged = time.monotonic()
            metrics = _save(trainer, out, length, start)  # an interrupted run leaves its last minute behind
            say(f"step {trainer.steps}, {trainer.tokens / 1e6:.1f} M tokens, loss {recent:.3f}, "
                f"held-out {metrics['held_out_loss']:.3f}, findings read {metrics['held_out_findings_read']:.3f}, "
                f"{elapsed / 60:.1f} min")  # fmt: skip
    return _save(trainer, out, length, start)


def _save(trainer: Trainer, out: Path, length: str, start: float) -> dict[str, Any]:
    """Write the folder as it stands and return its metrics."""
    metrics = {
        **trainer.held_out_metrics(),
        "steps": trainer.steps,
        "tokens": trainer.tokens,
        "minutes": round((time.monotonic() - start) / 60, 1),
    }
    settings = asdict(trainer.settings)
    earlier = settings.pop("start_from")  # a folder of one machine; the card tells the run itself
    card = {
        "command": f"radomica train lm --seed {trainer.seed} {length}" + (" --start-from DIR" if earlier else ""),
        "started_from": _earlier_run(Path(earlier)) if earlier else None,
        "seed": trainer.seed,
        "data": f"{len(trainer.training)} synthetic patients, ledger-to-report and question-to-answer pairs",
        "settings": settings,
        "metrics": metrics,
    }
    trainer.save(out, card)
    return metrics


def _earlier_run(folder: Path) -> dict[str, Any]:
    """Command and weight hash of the run another one goes on from."""
    card = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
    return {name: card.get(name) for name in ("command", "llm_hash", "started_from")}
