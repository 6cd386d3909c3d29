"""One training run of an LLM's adapters: align with the LLM frozen, then instruction tuning with LoRA.

The loss of both stages is the cross-entropy of the answer's tokens, words that only soft tokens can tell weighing
more. ``slot_weight`` adds to the align stage how far each soft token is from the LLM's own embedding of its word.

A run can be killed: ``checkpoint.pt`` holds weights, optimiser and place, and what a step draws depends on the seed and
its number alone, so that going on gives the weights of a run never stopped.

Not known here: how pairs were made; what the folder of a finished run looks like (save.py).
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from assistant.adapter_training.batches import EncodedPair, encode_pair, read_pairs_batch
from assistant.adapter_training.language_model import FrozenLLM, add_lora
from assistant.adapter_training.pairs import PairSet, TrainingPair, sample_order
from assistant.adapter_training.settings import AdapterSettings
from assistant.llm.soft_tokens import KINDS
from assistant.lm_align import SlotTargets, slot_error
from assistant.lm_batch import Read
from encoders.adapters import AdapterConfig
from encoders.atomic_write import write_atomically
from encoders.errors import SettingsError, UnavailableError

Progress = Callable[[str], None]
CHECKPOINT_FILE = "checkpoint.pt"


class WordTargets(SlotTargets):
    """Slot targets from any LLM's own embedding of a word, scaled as its embedding layer scales it (Gemma does)."""

    def __init__(self, llm: FrozenLLM) -> None:
        super().__init__(llm.tokenizer)  # type: ignore[arg-type]
        self.embed = llm.model.get_input_embeddings()

    def _vector(self, text: str, table: Tensor) -> Tensor:
        if text not in self._ids:
            ids = self.tokenizer(f" {text.replace('_', ' ')}", add_special_tokens=False).input_ids
            self._ids[text] = torch.tensor(ids, device=table.device)
        return self.embed(self._ids[text]).float().mean(0)


class AdapterTrainer:
    """Adapters, the optimiser and the order of pairs of one run."""

    def __init__(
        self, llm: FrozenLLM, pairs: PairSet, settings: AdapterSettings, seed: int, *, checkpoint: Path
    ) -> None:
        self.llm, self.pairs, self.settings, self.seed = llm, pairs, settings, seed
        self.checkpoint = checkpoint
        self.model: nn.Module = llm.model
        self.adapters = self._new_adapters()
        self.targets = WordTargets(llm)
        self.noise = {m: settings.noise * self._spread(m) for m in pairs.widths}
        self.training = {s: self._encoded(s, held_out=False) for s in settings.stages()}
        self.held_out = {s: self._encoded(s, held_out=True)[: settings.held_out_pairs] for s in settings.stages()}
        self.metrics: dict[str, dict[str, float]] = {}
        self.too_long = self._refuse_empty()
        self._match_scale()

    # ---- made once ----

    def _new_adapters(self) -> nn.ModuleDict:
        torch.manual_seed(self.seed)
        s = self.settings
        shape = KINDS[s.adapter]
        made = {
            m: shape(AdapterConfig(d, self.llm.hidden_size, s.tokens, s.inner_width, dropout=s.dropout))
            for m, d in sorted(self.pairs.widths.items())
        }
        return nn.ModuleDict(made).to(s.device)

    def _rows_of(self, modality: str) -> list[np.ndarray]:
        keys = sorted({p.embeddings[modality] for p in self.pairs.pairs if modality in p.embeddings})
        return [self.pairs.rows[k] for k in keys]

    def _spread(self, modality: str) -> float:
        return float(np.concatenate(self._rows_of(modality)).std(axis=0).mean())

    @torch.no_grad()
    def _match_scale(self) -> None:
        """Let new soft tokens be as large as the LLM's own embeddings; far larger ones drown the text for long."""
        embed = self.llm.model.get_input_embeddings()
        vocabulary = torch.arange(embed.weight.shape[0])[:: max(1, embed.weight.shape[0] // 1000)]
        wanted = embed(vocabulary.to(embed.weight.device)).float().pow(2).mean().sqrt()
        self.adapters.eval()
        for modality, adapter in self.adapters.items():
            rows = torch.from_numpy(np.concatenate(self._rows_of(modality)[:64])).float()
            size = adapter(rows[:, None].to(self.settings.device)).pow(2).mean().sqrt()
            adapter.scale_output(float(wanted / size.clamp(min=1e-6)))

    def _encoded(self, stage: str, *, held_out: bool) -> list[EncodedPair]:
        found: Sequence[TrainingPair] = self.pairs.of_stage(stage, held_out=held_out)
        return [encode_pair(p, self.llm, self.settings.tokens) for p in found]

    def _refuse_empty(self) -> int:
        """Take out pairs the LLM cannot read whole; returns how many, and refuses a stage left without any."""
        limit = min(self.settings.max_length, self.llm.positions)
        dropped = 0
        for sets in (self.training, self.held_out):
            for stage, encoded in sets.items():
                kept = [e for e in encoded if len(e.ids) <= limit]
                dropped += len(encoded) - len(kept)
                sets[stage] = kept
        for stage, encoded in self.training.items():
            if not encoded:
                raise SettingsError(
                    f"no {stage} pair is left to train on ({dropped} pairs are over {limit} tokens); "
                    "write more with `radomica train pairs --n N`, or take the other --stage."
                )
        return dropped

    # ---- the run ----

    def run(self, progress: Progress) -> None:
        """Every stage of the settings, going on from the checkpoint where there is one."""
        saved = self._read_checkpoint()
        stages = self.settings.stages()
        first = stages.index(saved["stage"]) if saved else 0
        for stage in stages[first:]:
            optimiser = self._optimiser(stage)
            done = 0
            if saved:
                done = self._restore(saved, optimiser)
                progress(f"going on from {stage} step {done} of {self.settings.steps}")
                saved = None
            self._stage(stage, optimiser, done, progress)

    def _stage(self, stage: str, optimiser: torch.optim.Optimizer, done: int, progress: Progress) -> None:
        s = self.settings
        for step in range(done, s.steps):
            loss = self._step(stage, optimiser, step)
            if (step + 1) % s.checkpoint_every == 0 or step + 1 == s.steps:
                self._write_checkpoint(stage, step + 1, optimiser)
            if (step + 1) % s.log_every == 0 or step + 1 == s.steps:
                progress(f"{stage} step {step + 1} of {s.steps}, loss {loss:.3f}")
        self.metrics[stage] = self.measure(stage)
        progress(f"{stage}: {', '.join(f'{k} {v:g}' for k, v in self.metrics[stage].items())}")

    def _optimiser(self, stage: str) -> torch.optim.Optimizer:
        s = self.settings
        groups = [{"params": list(self.adapters.parameters()), "top": s.learning_rate}]
        if stage == "instruct":
            if self.model is self.llm.model:
                self.model = add_lora(self.llm.model, s.lora_rank, self.seed, s.lora_dropout)
            lora = [p for p in self.model.parameters() if p.requires_grad]
            groups.append({"params": lora, "top": s.lora_learning_rate})
        return torch.optim.AdamW(groups, lr=s.learning_rate, betas=(0.9, 0.98), weight_decay=s.weight_decay)

    def _step(self, stage: str, optimiser: torch.optim.Optimizer, step: int) -> float:
        s = self.settings
        torch.manual_seed(self.seed * 1_000_003 + step * 2 + (stage == "instruct"))
        share = (step + 1) / s.steps
        pace = min(1.0, share / s.warmup) if s.warmup else 1.0
        pace *= 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * share))
        for group in optimiser.param_groups:
            group["lr"] = group["top"] * pace
        self._training_mode()
        optimiser.zero_grad(set_to_none=True)
        total = 0.0
        for part in range(s.accumulate):
            read = self._read(self._micro_batch(stage, step * s.accumulate + part), noise=True)
            losses = read.losses()
            weight = torch.where(read.told, s.finding_weight, 1.0)
            loss = (losses * weight).sum() / weight.sum()
            if stage == "align" and s.slot_weight:
                loss = loss + s.slot_weight * self._slot_error(read)
            (loss / s.accumulate).backward()
            total += float(losses.detach().mean()) / s.accumulate
        nn.utils.clip_grad_norm_([p for g in optimiser.param_groups for p in g["params"]], 1.0)
        optimiser.step()
        return total

    def _training_mode(self) -> None:
        """Adapters and LoRA train; the LLM's own dropout stays off, unless its activations are to be made twice."""
        self.adapters.train()
        self.model.eval()
        for name, module in self.model.named_modules():
            if "lora_dropout" in name:
                module.train()
        if self.settings.gradient_checkpointing:
            self.llm.model.train()
            self.llm.model.gradient_checkpointing_enable({"use_reentrant": False})

    def _micro_batch(self, stage: str, number: int) -> list[EncodedPair]:
        pool = self.training[stage]
        size = self.settings.batch
        chosen = []
        for place in range(number * size, (number + 1) * size):
            epoch, index = divmod(place, len(pool))
            chosen.append(pool[self._order(stage, epoch)[index]])
        return chosen

    def _order(self, stage: str, epoch: int) -> list[int]:
        key = (stage, epoch)
        if getattr(self, "_order_key", None) != key:
            self._order_key = key
            self._order_now = sample_order([e.pair for e in self.training[stage]], self.seed, epoch)
        return self._order_now

    def _read(self, batch: Sequence[EncodedPair], *, noise: bool, rows: Any = None) -> Read:
        device = self.settings.device
        with torch.autocast(device, dtype=torch.bfloat16, enabled=device == "cuda"):
            values = self.pairs.rows if rows is None else rows
            read = read_pairs_batch(self.llm, self.model, self.adapters, batch, values, self.noise if noise else None)
        self._batch = batch
        return read

    def _slot_error(self, read: Read) -> Tensor:
        table = self.llm.model.get_input_embeddings().weight[:1].float()  # width and device; the words come from embed
        errors = []
        for modality, soft in read.soft.items():
            found = [e.pair.findings.get(modality, {}) for e in self._batch for m, _ in e.places if m == modality]
            wanted, known = self.targets(modality, found, table)
            if wanted.shape[1]:
                n = soft.shape[1]
                errors.append(slot_error(soft, wanted[:, :n], known[:, :n]))
        return torch.stack(errors).sum() if errors else torch.zeros((), device=self.settings.device)

    # ---- measured ----

    @torch.no_grad()
    def measure(self, stage: str) -> dict[str, float]:
        """Held-out answer loss, and the share of told words read from own and from swapped soft tokens.

        Swapped: each pair reads the rows of the next pair's patient; what is still right then is chance, or leaks
        from the text.
        """
        self.adapters.eval()
        self.model.eval()
        pool, size = self.held_out[stage], self.settings.batch
        if not pool:
            return {"held_out_pairs": 0}
        own = [self._read(pool[i : i + size], noise=False) for i in range(0, len(pool), size)]
        rows = self._swapped(pool)
        other = [self._read(pool[i : i + size], noise=False, rows=rows) for i in range(0, len(pool), size)]
        result = {"held_out_pairs": len(pool), "loss": round(float(torch.cat([r.losses() for r in own]).mean()), 4)}
        for name, reads in (("findings_read", own), ("findings_read_swapped", other)):
            right = torch.cat([(r.logits.argmax(-1) == r.labels)[r.told] for r in reads]).float()
            if len(right):
                result[name] = round(float(right.mean()), 4)
        return result

    def _swapped(self, pool: Sequence[EncodedPair]) -> dict[str, np.ndarray]:
        rows = dict(self.pairs.rows)
        for modality in self.pairs.widths:
            keys = sorted({e.pair.embeddings[modality] for e in pool if modality in e.pair.embeddings})
            for key, other in zip(keys, keys[1:] + keys[:1], strict=True):
                rows[key] = self.pairs.rows[other]
        return rows

    # ---- going on after a kill ----

    def _identity(self) -> dict[str, Any]:
        return {
            "llm_hash": self.llm.hash,
            "pairs_hash": self.pairs.hash,
            "seed": self.seed,
            **self.settings.recipe(),
        }

    def _lora_state(self) -> dict[str, Tensor]:
        return {n: p.detach().cpu() for n, p in self.model.named_parameters() if p.requires_grad}

    def _write_checkpoint(self, stage: str, step: int, optimiser: torch.optim.Optimizer) -> None:
        buffer = io.BytesIO()
        state = {
            "identity": self._identity(),
            "stage": stage,
            "step": step,
            "adapters": self.adapters.state_dict(),
            "lora": self._lora_state(),
            "optimiser": optimiser.state_dict(),
            "metrics": self.metrics,
        }
        torch.save(state, buffer)
        write_atomically(self.checkpoint, buffer.getvalue())

    def _read_checkpoint(self) -> dict[str, Any] | None:
        if not self.checkpoint.is_file():
            return None
        try:
            saved = torch.load(self.checkpoint, map_location=self.settings.device, weights_only=True)
        except (RuntimeError, EOFError, UnpicklingError) as error:
            raise UnavailableError(
                f"{self.checkpoint.name} cannot be read ({error}); remove it to start over."
            ) from error
        now = self._identity()
        differs = sorted(k for k in now.keys() | saved["identity"].keys() if now.get(k) != saved["identity"].get(k))
        if differs:
            was = ", ".join(f"{k} {saved['identity'].get(k)!r} (now {now.get(k)!r})" for k in differs)
            raise SettingsError(
                f"the unfinished run in {self.checkpoint.parent.name} had {was}. Go on with the same options, or "
                f"remove {CHECKPOINT_FILE} to start over."
            )
        return saved

    def _restore(self, saved: dict[str, Any], optimiser: torch.optim.Optimizer) -> int:
        self.adapters.load_state_dict(saved["adapters"])
        own = dict(self.model.named_parameters())
        with torch.no_grad():
            for name, value in saved["lora"].items():
                own[name].copy_(value)
        optimiser.load_state_dict(saved["optimiser"])
        self.metrics = saved["metrics"]
        return int(saved["step"])
