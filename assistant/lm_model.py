"""The embedded decoder before training: tokenizer, Llama configuration, chat template, and how it is saved.

The folder it is saved to is an ordinary Hugging Face model (config.json, model.safetensors, tokenizer.json, chat
template), so that ``hf:FOLDER`` and vLLM load it too, plus ``adapters.safetensors`` and ``card.json``.

Not known here: what it is trained on.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import nn
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from encoders.adapters import AdapterConfig, MLPAdapter, PerceiverResampler

PAD, USER, ASSISTANT, END, SOFT = "<|pad|>", "<|user|>", "<|assistant|>", "<|end|>", "<|soft|>"
VOCABULARY_SIZE = 1400
POSITIONS = 1024
SOFT_TOKENS = 4
HIDDEN = 192
QUERY_SPREAD, OUTPUT_GAIN = 1.0, 1.0
"""How sharply a new decoder attends to what is alike, and how much of it is passed on."""

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'user' %}" + USER + "\n{{ message['content'] }}\n"
    "{% elif message['role'] == 'assistant' %}" + ASSISTANT + "\n{{ message['content'] }}" + END + "\n"
    "{% else %}{{ raise_exception('this model reads user messages alone') }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}" + ASSISTANT + "\n{% endif %}"
)
"""Exactly the training layout; ``assistant/lm_train.py`` renders its pairs with it."""

# a line break, a word with the blank before it, one digit, one mark with the blank before it, any other blank
_PIECES = r"\n| ?[A-Za-z_]+|[0-9]| ?[^\sA-Za-z0-9_]|\s"


def train_tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer whose digits, brackets and line breaks are tokens of their own."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE,
        special_tokens=[PAD, USER, ASSISTANT, END, SOFT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        additional_special_tokens=[USER, ASSISTANT, SOFT],
        clean_up_tokenization_spaces=False,
        model_max_length=POSITIONS,
    )
    fast.chat_template = CHAT_TEMPLATE
    return fast


def new_decoder(tokenizer: PreTrainedTokenizerFast, seed: int) -> LlamaForCausalLM:
    """An untrained Llama of about 2 million parameters: four layers, six heads of width 32 (a size vLLM serves)."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=HIDDEN,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=6,
        num_key_value_heads=6,
        max_position_embeddings=POSITIONS,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        attention_dropout=0.0,
    )
    model = LlamaForCausalLM(config)
    _start_by_recalling(model)
    return model


@torch.no_grad()
def _start_by_recalling(model: LlamaForCausalLM) -> None:
    """Let every attention layer start by looking for what is alike and passing it on.

    Query and key projections start equal and value and output projections start as each other's inverse, so that
    copying a word from the message is near from the first step; from a random start a decoder this small spends most
    of its run on a plateau before it copies at all (mimetic initialisation: Trockman and Kolter, ICML 2023).
    """
    for layer in model.model.layers:
        attention = layer.self_attn
        width = attention.q_proj.weight.shape[1]
        nn.init.normal_(attention.q_proj.weight, std=QUERY_SPREAD / width**0.5)
        attention.k_proj.weight.copy_(attention.q_proj.weight)
        nn.init.orthogonal_(attention.v_proj.weight)
        attention.o_proj.weight.copy_(OUTPUT_GAIN * attention.v_proj.weight.T)


def new_adapters(widths: dict[str, int], seed: int, *, kind: str = "mlp") -> nn.ModuleDict:
    """One untrained adapter a modality; ``widths`` : modality -> D of its embedding rows."""
    torch.manual_seed(seed + 1)
    shape = {"mlp": MLPAdapter, "perceiver": PerceiverResampler}[kind]
    return nn.ModuleDict(
        {m: shape(AdapterConfig(d, HIDDEN, n_tokens=SOFT_TOKENS, dropout=0.1)) for m, d in widths.items()}
    )


def save_decoder(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write the Hugging Face part of the folder; weights in float16."""
    folder.mkdir(parents=True, exist_ok=True)
    training = model.training
    half = LlamaForCausalLM(model.config).half()
    half.load_state_dict({k: v.half() for k, v in model.state_dict().items()})
    half.generation_config = GenerationConfig(
        do_sample=False,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        max_new_tokens=400,
    )
    half.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    model.train(training)
