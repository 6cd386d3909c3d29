"""Small random-weight models of the real classes, cases with evidence and embeddings, and pairs drawn from them."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import (
    Gemma3Config,
    Gemma3ForCausalLM,
    Gemma3ForConditionalGeneration,
    Gemma3TextConfig,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from assistant.adapter_training.draw_pairs import draw_pairs, encoder_of
from assistant.adapter_training.pairs import write_pairs
from assistant.evidence import Evidence, Field, Ledger
from assistant.lm_cases import LMCase, case_of, made_up_rows
from assistant.lm_model import ASSISTANT, END, USER, train_tokenizer
from encoders.vocabulary import APPEARANCE, EXPRESSION_PROFILES

torch.set_num_threads(1)

GEMMA_TEMPLATE = (  # Gemma 2's rule in a few words: no system role, roles alternate
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for m in messages %}"
    "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}"
    + "{{ ('" + ASSISTANT + "' if m['role'] == 'assistant' else '" + USER + "') + '\n' + m['content'] | trim }}"
    + "{{ '" + END + "\n' }}{% endfor %}{% if add_generation_prompt %}{{ '" + ASSISTANT + "\n' }}{% endif %}"
)  # fmt: skip
PLAIN_TEMPLATE = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>\n' + m['content'] + '" + END + "\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '" + ASSISTANT + "\n' }}{% endif %}"
)
KINDS = ("llama", "qwen3", "gemma3", "gemma3-multimodal", "mistral")
SIZES: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 1, "head_dim": 16, "max_position_embeddings": 4096,
    "initializer_range": 0.2,  # so that a random model hears its input
}  # fmt: skip


def _model(kind: str, sizes: dict[str, Any]) -> torch.nn.Module:
    if kind == "llama":
        return LlamaForCausalLM(LlamaConfig(**sizes))
    if kind == "qwen3":
        return Qwen3ForCausalLM(Qwen3Config(**sizes))
    if kind == "mistral":
        return MistralForCausalLM(MistralConfig(**sizes, sliding_window=None))
    text = Gemma3TextConfig(**sizes, query_pre_attn_scalar=16, sliding_window=64,
                            layer_types=["sliding_attention", "full_attention"])  # fmt: skip
    if kind == "gemma3":
        return Gemma3ForCausalLM(text)
    vision = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
              "image_size": 28, "patch_size": 14}  # fmt: skip
    last = sizes["vocab_size"] - 1
    return Gemma3ForConditionalGeneration(
        Gemma3Config(
            text_config=text,
            vision_config=vision,
            mm_tokens_per_image=4,
            image_token_index=last,
            boi_token_index=last,
            eoi_token_index=last,
        )
    )


@dataclass(frozen=True)
class Sample:
    """Cases, and a folder of pairs drawn from them."""

    cases: list[LMCase]
    folder: Path


def _seen(item: Evidence, rng: random.Random) -> Evidence:
    attribute = str(item.fields["attribute"].value).replace(" ", "_")
    pair = EXPRESSION_PROFILES.get(attribute) or APPEARANCE[attribute]["LUAD"]
    word = rng.choice(pair)
    return replace(item, fields={**item.fields, "finding": Field(word, word)})


def made_case(ledger: Ledger, seed: int, encoder_hash: str = "enc") -> LMCase:
    """The toy case with other findings, and rows that hold them."""
    rng = random.Random(seed)
    evidence = [_seen(e, rng) if e.perceived_from else e for e in ledger]
    bare = case_of("LUAD", evidence, {}, encoder_hash, keep_evidence=True)
    rows = {m: made_up_rows(found, rng, width=16) for m, found in bare.findings.items()}
    return case_of("LUAD", evidence, rows, encoder_hash, keep_evidence=True)


@pytest.fixture(autouse=True)
def _made_up_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """The encoder in use is the one that ``made_case`` names, so that backends take what is trained here."""
    monkeypatch.setattr("encoders.models.load_models", lambda: SimpleNamespace(sha256="enc"))


@pytest.fixture(scope="session")
def sample(toy_ledger: Ledger, tmp_path_factory: pytest.TempPathFactory) -> Sample:
    cases = [made_case(toy_ledger, i) for i in range(24)]
    folder = tmp_path_factory.mktemp("pairs")
    pairs, rows = draw_pairs(cases, 40, seed=7)
    write_pairs(folder, pairs, rows, encoder_of(cases), {"seed": 7})
    return Sample(cases, folder)


@pytest.fixture(scope="session")
def tokenizer_texts(sample: Sample) -> list[str]:
    pairs, _ = draw_pairs(sample.cases, 40, seed=3)
    return ["\n".join([*(text for _, text in p.turns()), p.answer]) for p in pairs]


@pytest.fixture(scope="session")
def tiny_llm(tmp_path_factory: pytest.TempPathFactory, tokenizer_texts: Sequence[str]) -> Callable[..., Path]:
    """tiny_llm("gemma3") -> a folder transformers can load; a second call gives the same folder."""
    made: dict[str, Path] = {}

    def make(kind: str, *, stops: bool = True) -> Path:
        key = f"{kind}-{stops}"
        if key not in made:
            folder = made[key] = tmp_path_factory.mktemp(kind)
            tokenizer: PreTrainedTokenizerFast = train_tokenizer(tokenizer_texts)
            tokenizer.chat_template = GEMMA_TEMPLATE if "gemma" in kind else PLAIN_TEMPLATE
            torch.manual_seed(0)
            end = tokenizer.eos_token_id if stops else 0
            sizes = SIZES | {"vocab_size": len(tokenizer) + 1, "pad_token_id": tokenizer.pad_token_id,
                             "eos_token_id": end, "bos_token_id": None}  # fmt: skip
            model = _model(kind, sizes)
            model.generation_config.eos_token_id = end
            model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
        return made[key]

    return make
