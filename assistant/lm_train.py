"""``radomica train lm``: train the embedded decoder and its adapters together, end to end.

The loss is the cross-entropy of the answer's tokens alone; its gradient reaches the adapters through the soft tokens,
so they learn what the decoder needs. Every pair is drawn fresh (assistant/lm_pairs.py), none is seen twice.

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
from assistant.lm_align import align_adapters
from assistant.lm_cases import LMCase, load_cases
from assistant.lm_model import ASSISTANT, END, HIDDEN, SOFT, SOFT_TOKENS, USER, new_adapters, new_decoder, save_decoder
from assistant.lm_model import train_tokenizer as fit_tokenizer
from assistant.lm_pairs import LMPair, PairMaker
from assistant.report import RESEARCH_USE
from encoders.atomic_write import write_atomically
from encoders.errors import ContractError, SettingsError

Progress = Callable[[str], None]
IGNORED = -100
DEFAULT_STEPS = 4000
"""What `radomica train lm` runs when neither steps nor minutes are given: about 30 minutes on 2 cores."""


@dataclass(frozen=True)
class LMSettings:
    """Training settings; saved in the card. batch : pairs a step; pool : batches drawn together, sorted by length."""

    learning_rate: float = 3e-3
    weight_decay: float = 0.02
    warmup: float = 0.03  # share of the run
    batch: int = 16
    pool: int = 8
    noise: float = 0.1
    tokenizer_pairs: int = 12_000
    held_out_share: float = 0.12
    held_out_pairs: int = 192
    adapter: str = "mlp"
    align_after: float = 0.15  # share of a fresh run after which the adapters are aligned; 0 when started from a run
    align_steps: int = 400
    log_every_s: float = 60.0
    bfloat16: bool = False  # only pays on a processor with AVX512-BF16 or AMX; elsewhere it is emulated, 100 x slower
    start_from: str | None = None  # folder of an earlier run whose decoder and tokenizer to go on from


@dataclass(frozen=True)
class Batch:
    """ids (B, T) with SOFT where soft tokens stand; labels (B, T), IGNORED outside answers; mask (B, T) bool.

    soft : modality -> (rows (M, K, D), real (M, K) bool, batch index (M,), first position (M,))
    """

    ids: Tensor
    labels: Tensor
    mask: Tensor
    soft: dict[str, tuple[Tensor, Tensor, Tensor, Tensor]]


class Encoder:
    """Pairs -> token ids, in the chat template's layout."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self.tokenizer = tokenizer
        self.soft_id = int(tokenizer.convert_tokens_to_ids(SOFT))  # type: ignore[arg-type]

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False).input_ids)

    def encode(self, pair: LMPair) -> tuple[list[int], int, list[tuple[str, int]]]:
        """(ids of prompt and answer, length of the prompt, [(modality, first position of its soft tokens)])."""
        ids = self._ids(f"{USER}\n")
        places: list[tuple[str, int]] = []
        for index, (text, is_soft) in enumerate(pair.parts):
            if index:
                ids += self._ids("\n")
            if is_soft:
                places.append((text, len(ids)))
                ids += [self.soft_id] * SOFT_TOKENS
            else:
                ids += self._ids(text)
        ids += self._ids(f"\n{ASSISTANT}\n")
        prompt = len(ids)
        return ids + self._ids(f"{pair.answer}{END}"), prompt, places

    def batch(self, encoded: Sequence[tuple[LMPair, tuple[list[int], int, list[tuple[str, int]]]]]) -> Batch:
        """Pad a few encoded pairs on the right."""
        longest = max(len(ids) for _, (ids, _, _) in encoded)
        shape = (len(encoded), longest)
        ids = torch.full(shape, int(self.tokenizer.pad_token_id or 0))
        labels = torch.full(shape, IGNORED)
        mask = torch.zeros(shape, dtype=torch.bool)
        found: dict[str, list[tuple[Any, int, int]]] = {}
        for row, (pair, (tokens, prompt, places)) in enumerate(encoded):
            ids[row, : len(tokens)] = torch.tensor(tokens)
            labels[row, prompt : len(tokens)] = ids[row, prompt : len(tokens)]
            mask[row, : len(tokens)] = True
            for modality, position in places:
                found.setdefault(modality, []).append((pair.soft[modality], row, position))
        return Batch(ids, labels, mask, {m: _stack(items) for m, items in found.items()})


def _stack(items: Sequence[tuple[Any, int, int]]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    most = max(len(rows) for rows, _, _ in items)
    rows = torch.zeros(len(items), most, items[0][0].shape[1])
    real = torch.zeros(len(items), most, dtype=torch.bool)
    for i, (array, _, _) in enumerate(items):
        rows[i, : len(array)] = torch.from_numpy(array)
        real[i, : len(array)] = True
    return rows, real, torch.tensor([r for _, r, _ in items]), torch.tensor([p for _, _, p in items])


def batch_loss(model: LlamaForCausalLM, adapters: nn.ModuleDict, batch: Batch) -> Tensor:
    """Mean cross-entropy over the answers' tokens, nats."""
    embeds = model.get_input_embeddings()(batch.ids)  # (B, T, H)
    for modality, (rows, real, index, position) in batch.soft.items():
        soft = adapters[modality](rows, real)  # (M, n, H)
        columns = position[:, None] + torch.arange(soft.shape[1])  # (M, n)
        embeds = embeds.index_put((index[:, None], columns), soft.to(embeds.dtype))
    hidden = model.model(inputs_embeds=embeds, attention_mask=batch.mask.long()).last_hidden_state
    wanted = batch.labels[:, 1:] != IGNORED
    logits = model.lm_head(hidden[:, :-1][wanted])  # only where an answer token follows
    return nn.functional.cross_entropy(logits.float(), batch.labels[:, 1:][wanted])


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
        self.encoder = Encoder(self.tokenizer)
        widths = {m: v.shape[1] for case in cases for m, v in case.embeddings.items()}
        self.adapters = new_adapters(widths, seed, kind=settings.adapter)
        parameters = [*self.model.parameters(), *self.adapters.parameters()]
        self.optimiser = torch.optim.AdamW(
            parameters, lr=settings.learning_rate, betas=(0.9, 0.95), weight_decay=settings.weight_decay
        )
        self.parameters = parameters
        self.steps = self.tokens = 0
        self.aligned = settings.align_steps == 0
        self._pool: list[Batch] = []
        held = PairMaker(self.held_out, seed=seed + 11, noise=0.0, vary=True)
        self.held_batches = self._cut([held.draw() for _ in range(settings.held_out_pairs)])

    def _cut(self, pairs: Sequence[LMPair]) -> list[Batch]:
        encoded = sorted(((p, self.encoder.encode(p)) for p in pairs), key=lambda item: len(item[1][0]))
        size = self.settings.batch
        return [self.encoder.batch(encoded[i : i + size]) for i in range(0, len(encoded), size)]

    def _next(self) -> Batch:
        if not self._pool:
            count = self.settings.batch * self.settings.pool
            self._pool = self._cut([self.pairs.draw() for _ in range(count)])
            order = torch.randperm(len(self._pool)).tolist()
            self._pool = [self._pool[i] for i in order]
        return self._pool.pop()

    def step(self, done: float) -> float:
        """One optimiser step; ``done`` in [0, 1] is how far the run is, and sets the learning rate."""
        rate = min(1.0, done / self.settings.warmup) if self.settings.warmup else 1.0
        rate *= 0.04 + 0.96 * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
        for group in self.optimiser.param_groups:
            group["lr"] = max(self.settings.learning_rate * rate, 1e-5)
        if not self.aligned and (done >= self.settings.align_after or self.settings.start_from is not None):
            self.align()
        self.model.train()
        self.adapters.train()
        batch = self._next()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.settings.bfloat16):
            loss = batch_loss(self.model, self.adapters, batch)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimiser.step()
        self.steps += 1
        self.tokens += int(batch.mask.sum())
        return float(loss.detach())

    def align(self) -> dict[str, float]:
        """Point the adapters at the decoder's words, once its embeddings of them mean something."""
        self.aligned = True
        return align_adapters(
            self.model, self.adapters, self.tokenizer, self.training,
            steps=self.settings.align_steps, noise=self.pairs.noise, seed=self.seed,
        )  # fmt: skip

    @torch.no_grad()
    def held_out_loss(self) -> float:
        """Mean answer loss on fixed pairs of patients not trained on."""
        self.model.eval()
        self.adapters.eval()
        losses = [float(batch_loss(self.model, self.adapters, b)) for b in self.held_batches]
        return sum(losses) / len(losses)

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
    n_patients: int = 600,
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
                f"held-out {metrics['held_out_loss']:.3f}, {elapsed / 60:.1f} min")  # fmt: skip
    return _save(trainer, out, length, start)


def _save(trainer: Trainer, out: Path, length: str, start: float) -> dict[str, Any]:
    """Write the folder as it stands and return its metrics."""
    metrics = {
        "held_out_loss": round(trainer.held_out_loss(), 4),
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
