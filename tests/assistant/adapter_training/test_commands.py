"""`radomica train pairs` and `train adapters`, from the command line to a folder an LLM spec names."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.cli import run_command
from assistant.adapter_training.pairs import read_pairs
from assistant.llm.locations import adapter_folder
from assistant.llm.resolve import load_llm
from assistant.lm_cases import CACHE_FORM

SHORT = ["--steps", "1", "--batch", "2", "--accumulate", "1", "--tokens", "2", "--lora-rank", "2", "--device", "cpu"]


def test_pairs_then_adapters_then_one_merged_folder(
    sample: Any,
    tiny_llm: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("RADOMICA_HOME", str(tmp_path / "home"))
    cache = tmp_path / "home" / "cache"
    cache.mkdir(parents=True)
    (cache / f"lm-cases-{CACHE_FORM}-24-5-evidence.pickle").write_bytes(pickle.dumps(sample.cases))
    pairs, llm = tmp_path / "pairs", str(tiny_llm("mistral"))
    assert run_command(["train", "pairs", "--out", str(pairs), "--n", "24", "--patients", "24", "--seed", "5"]) == 0
    assert json.loads(capsys.readouterr().out)["command"] == "radomica train pairs --n 24 --patients 24 --seed 5"
    assert len(read_pairs(pairs).pairs) == 24

    assert run_command(["train", "adapters", "--llm", llm]) == 2
    assert "--pairs is missing; write some with `radomica train pairs" in capsys.readouterr().err
    assert (
        run_command(["train", "adapters", "--llm", llm, "--pairs", str(pairs), "--adapter", "perceiver", *SHORT]) == 0
    )
    card = json.loads(capsys.readouterr().out)
    assert card["out"] == str(adapter_folder(llm)) and card["lora"]["rank"] == 2
    model = load_llm(f"hf:{llm}")
    assert model.takes_soft_tokens and model.versions()["lora_hash"] == card["lora"]["hash"]

    assert run_command(["train", "adapters", "--llm", llm, "--merge", str(tmp_path / "merged")]) == 0
    assert load_llm(f"hf:{tmp_path / 'merged'}").takes_soft_tokens
