"""``radomica train adapters``: one call from pairs on disk to a folder that ``hf:`` and vLLM load.

Not known here: a step of the training (trainer.py), how pairs are made (draw_pairs.py).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from assistant.adapter_training.language_model import load_frozen
from assistant.adapter_training.pairs import read_pairs
from assistant.adapter_training.save import read_trained_card, save_trained
from assistant.adapter_training.settings import AdapterSettings
from assistant.adapter_training.trainer import CHECKPOINT_FILE, AdapterTrainer, Progress
from assistant.llm.soft_tokens import AdapterSet
from encoders.errors import SettingsError


def train_adapters(
    llm: str,
    pairs: Path,
    out: Path,
    *,
    seed: int = 0,
    settings: AdapterSettings | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train adapters (and LoRA) of an LLM and write their folder; goes on from ``out/checkpoint.pt``.

    llm : hub id or folder; pairs : a folder of ``radomica train pairs``
    settings.stage "instruct" starts from the adapters an "align" run left in ``out``

    Returns
    -------
    The card.

    Raises
    ------
    InputError: bad pairs. SettingsError: bad settings, a checkpoint of another run, or nothing to start from.
    ContractError: the adapters to start from belong to another LLM or encoder.
    """
    say = progress or (lambda _: None)
    settings = settings or AdapterSettings()
    pair_set = read_pairs(pairs)
    say(f"{len(pair_set.pairs)} pairs; loading {llm}")
    frozen = load_frozen(llm, settings.device)
    trainer = AdapterTrainer(frozen, pair_set, settings, seed, checkpoint=out / CHECKPOINT_FILE)
    if settings.stage == "instruct":
        _start_from(out, trainer)
    if trainer.too_long:
        say(f"{trainer.too_long} pairs are longer than the LLM reads and are left out")
    trainer.run(say)
    card = save_trained(trainer, out, {"command": _command(llm, settings, seed)})
    (out / CHECKPOINT_FILE).unlink(missing_ok=True)
    return card


def _start_from(out: Path, trainer: AdapterTrainer) -> None:
    """Load the adapters of an align run; the shape of the adapters is the earlier run's, and must be asked for."""
    card = read_trained_card(out)
    if card.get("lora"):
        raise SettingsError(
            f"{out.name} is already instruction-tuned; start again with --stage both, or name another --out."
        )
    found = AdapterSet.load(out, llm_hash=trainer.llm.hash, encoder_hash=trainer.pairs.encoder_hash)
    wanted = {m: (type(a), a.config) for m, a in trainer.adapters.items()}
    if found is None or {m: (type(a), a.config) for m, a in found.adapters.items()} != wanted:
        raise SettingsError(
            f"the adapters in {out.name} are {json.dumps(card['adapters'])}; ask for the same --adapter and --tokens."
        )
    for modality, adapter in found.adapters.items():
        trainer.adapters[modality].load_state_dict(adapter.state_dict())


def _command(llm: str, settings: AdapterSettings, seed: int) -> str:
    parts = [f"radomica train adapters --llm {llm} --pairs DIR --stage {settings.stage}"]
    parts.append(f"--adapter {settings.adapter} --tokens {settings.tokens} --steps {settings.steps}")
    parts.append(f"--batch {settings.batch} --accumulate {settings.accumulate}")
    return f"{' '.join(parts)} --lora-rank {settings.lora_rank} --seed {seed}"
