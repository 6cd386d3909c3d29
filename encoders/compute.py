"""What this machine can compute with: how many cores this process may use, and which device a training runs on.

Not known here: what is computed. Prediction always runs on the CPU, where it is fast enough and gives the same numbers
everywhere; only training asks for a device.
"""

from __future__ import annotations

import os

import torch

from encoders.errors import SettingsError


def core_count() -> int:
    """Cores this process may use: its affinity where the system tells it, else all of the machine's; at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def training_device(requested: str | None) -> str:
    """``requested``, or "cuda" where there is a usable GPU and "cpu" elsewhere when nothing was requested.

    Raises
    ------
    SettingsError: "cuda" is asked for where PyTorch sees no GPU, or the device is neither "cpu" nor "cuda".
    """
    if requested is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    if requested not in {"cpu", "cuda"}:
        raise SettingsError(f"--device is {requested!r}; allowed: cpu, cuda.")
    if requested == "cuda" and not torch.cuda.is_available():
        raise SettingsError("--device is cuda, but PyTorch sees no GPU here; leave --device out to train on the CPU.")
    return requested
