"""The language model benchmark: ``radomica eval llm``; one group alone with ``--only parity``.

The group parity needs a vLLM environment (RADOMICA_VLLM_PYTHON, or .venv-vllm from `make vllm-env`); without one its
rows say so and are not ok. Not known here: what a group measures (its own file).
"""

from __future__ import annotations

import time
from pathlib import Path

from assistant.llm.resolve import load_llm
from assistant.llm.serve import find_environment
from assistant.llm.vllm import VLLMModel
from encoders.errors import UnavailableError
from eval.benchmark import Better, Progress, Registry, Row, grouped_benchmark
from eval.llm_first_token import first_token_rows
from eval.llm_overhead import overhead_rows
from eval.llm_parity import BAR, parity_rows
from eval.llm_questions import question_rows
from eval.llm_raw_claims import raw_claim_rows
from eval.smoke_soft_tokens import soft_token_rows
from eval.vllm_process import running_server

HELD_OUT_SEED = 90_000
"""First seed of the held-out patients."""

PROMPTS = 50
PATIENTS = 100
"""Held-out patients of the groups raw_claims and soft_tokens."""


def vllm_rows(seed: int, shared: Path, progress: Progress) -> tuple[Row, ...]:
    """Parity with a real vLLM server of the shipped decoder, started for it; "not here" where none can be."""
    start = time.monotonic()
    try:
        environment = find_environment()
    except UnavailableError as error:
        ids = (("hf_vllm_parity", BAR, Better.HIGHER), ("hf_vllm_parity.unexplained", 0.0, Better.LOWER))
        return tuple(Row(i, None, bar, better, 0, 0.0, note=f"not here: {error}") for i, bar, better in ids)
    with running_server(environment, progress=progress) as spec:
        if progress:
            progress(f"parity: vLLM {environment.version} is up after {time.monotonic() - start:.0f} s")
        return parity_rows(VLLMModel(spec.removeprefix("vllm:")), n=PROMPTS, seed=seed, progress=progress)


GROUPS: Registry = {
    "parity": vllm_rows,
    "first_token": lambda seed, _, progress: first_token_rows(load_llm("embedded"), seed=seed, progress=progress),
    "raw_claims": lambda seed, _, progress: raw_claim_rows(
        load_llm("embedded"), n=PATIENTS, seed=seed, progress=progress
    ),
    "soft_tokens": lambda seed, _, progress: soft_token_rows(
        load_llm("embedded"), n=PATIENTS, seed=seed, progress=progress
    ),
    "questions": lambda seed, _, progress: question_rows(load_llm("embedded"), progress=progress),  # of fixed patients
    "overhead": lambda seed, _, progress: overhead_rows(seed=seed, progress=progress),
}
"""Group -> its rows."""


run_llm = grouped_benchmark("llm", GROUPS, first_seed=HELD_OUT_SEED)
