"""An LLM made ready for adapter training: loaded, frozen, its chat form known, LoRA added for the second stage.

Any class transformers loads as a causal LM works whose forward takes ``inputs_embeds`` and ``logits_to_keep``: seen
to work with Llama, Qwen3, Gemma 3 (text alone, and Gemma3ForConditionalGeneration as in MedGemma) and Mistral.

Not known here: pairs, adapters, losses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase

from assistant.llm.chat_template import end_of_turn
from assistant.llm.huggingface import resolve_folder
from assistant.llm.soft_tokens import llm_fingerprint
from encoders.errors import SettingsError, UnavailableError

LORA_TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
NOT_LANGUAGE = r".*(vision_tower|vision_model|visual|multi_modal_projector|audio_tower).*"
"""Modules of a multimodal LLM that LoRA leaves alone."""


@dataclass
class FrozenLLM:
    """model : every parameter frozen, in evaluation mode (no dropout of its own); end_id : closes an answer."""

    name: str
    folder: Path
    hash: str
    tokenizer: PreTrainedTokenizerBase
    model: nn.Module
    end_id: int
    hidden_size: int
    positions: int


def load_frozen(name: str, device: str) -> FrozenLLM:
    """An LLM by hub id or folder: float32 on the CPU, bfloat16 on a GPU.

    Raises
    ------
    UnavailableError: it is not here, or cannot be loaded.
    SettingsError: no chat template, or a template that ends answers with a token its generation does not stop at.
    """
    folder = resolve_folder(name)
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise UnavailableError(f"the model {name} cannot be loaded: {error}") from error
    if tokenizer.chat_template is None:
        raise SettingsError(f"the model {name} has no chat template; choose an instruction-tuned model.")
    end_id = end_of_turn(tokenizer)
    stops = _stop_ids(model)
    if end_id not in stops:
        raise SettingsError(
            f"the chat template of {name} ends answers with {tokenizer.convert_ids_to_tokens(end_id)!r} (id {end_id}), "
            f"generation stops at {sorted(stops)}; add the id to eos_token_id in its generation_config.json."
        )
    model.requires_grad_(False).eval().to(device)
    config = model.config.get_text_config()
    hidden = int(model.get_input_embeddings().weight.shape[1])
    positions = int(getattr(config, "max_position_embeddings", 0) or 1 << 20)
    return FrozenLLM(name, folder, llm_fingerprint(folder), tokenizer, model, end_id, hidden, positions)


def _stop_ids(model: Any) -> set[int]:
    found = model.generation_config.eos_token_id
    if found is None:
        found = model.config.get_text_config().eos_token_id
    return set(found) if isinstance(found, (list, tuple)) else {found} - {None}


def add_lora(model: nn.Module, rank: int, seed: int, dropout: float) -> nn.Module:
    """The model with trainable low-rank updates on every projection of its language layers.

    References
    ----------
    Hu et al., LoRA, ICLR 2022 (arXiv 2106.09685); through ``peft``, alpha = 2 x rank.

    Raises
    ------
    SettingsError: the model has none of the projections ``LORA_TARGETS``.
    """
    torch.manual_seed(seed)
    config = LoraConfig(
        r=rank,
        lora_alpha=2 * rank,
        lora_dropout=dropout,
        target_modules=list(LORA_TARGETS),
        exclude_modules=NOT_LANGUAGE if any(re.fullmatch(NOT_LANGUAGE, n) for n, _ in model.named_modules()) else None,
        task_type="CAUSAL_LM",
    )
    try:
        return get_peft_model(model, config)
    except ValueError as error:
        raise SettingsError(f"LoRA finds none of {', '.join(LORA_TARGETS)} in this LLM: {error}") from error
