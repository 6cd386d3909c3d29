"""Settings of one adapter training; saved in the card, compared when a run goes on.

Not known here: what is trained.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from assistant.llm.soft_tokens import KINDS
from encoders.errors import SettingsError

STAGE_CHOICES = ("align", "instruct", "both")


@dataclass(frozen=True)
class AdapterSettings:
    """steps : optimiser steps of each stage, each of ``batch`` x ``accumulate`` pairs.

    noise : on training rows, as a share of their spread; slot_weight : of the soft tokens' distance to the words they
    stand for (assistant/lm_align.py), align stage only, off: it did not help a frozen LLM (150 steps with the
    shipped decoder: held-out loss 3.4 with it, 2.3 without); finding_weight : of words only soft tokens can tell
    """

    stage: str = "both"
    adapter: str = "mlp"
    tokens: int = 4
    inner_width: int = 256
    dropout: float = 0.1
    steps: int = 600
    batch: int = 4
    accumulate: int = 2
    learning_rate: float = 1e-3
    lora_learning_rate: float = 2e-4
    lora_rank: int = 16
    lora_dropout: float = 0.05
    warmup: float = 0.05
    weight_decay: float = 0.01
    finding_weight: float = 6.0
    slot_weight: float = 0.0
    noise: float = 0.1
    held_out_pairs: int = 64
    max_length: int = 4096
    gradient_checkpointing: bool = False
    device: str = "cpu"
    checkpoint_every: int = 50
    log_every: int = 10

    def __post_init__(self) -> None:
        if self.stage not in STAGE_CHOICES:
            raise SettingsError(f"--stage is {self.stage!r}; allowed: {', '.join(STAGE_CHOICES)}.")
        if self.adapter not in KINDS:
            raise SettingsError(f"--adapter is {self.adapter!r}; allowed: {', '.join(KINDS)}.")
        counts = ("tokens", "steps", "batch", "accumulate", "lora_rank", "checkpoint_every", "log_every", "max_length")
        wrong = {name: getattr(self, name) for name in counts if getattr(self, name) < 1}
        if wrong:
            raise SettingsError(f"adapter settings have {wrong}; each must be at least 1.")

    def stages(self) -> tuple[str, ...]:
        """The stages to run, in order."""
        return ("align", "instruct") if self.stage == "both" else (self.stage,)

    def recipe(self) -> dict[str, Any]:
        """What decides the weights: every setting but how often to report and to save."""
        left_out = {"checkpoint_every", "log_every", "device"}
        return {name: value for name, value in asdict(self).items() if name not in left_out}
