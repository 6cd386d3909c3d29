"""Pairs -> token ids of any LLM's chat form -> one forward pass with soft tokens in their places.

Rows are padded on the left, as generation pads them, so that answers end in the same column and logits are computed
for the answers alone (a 262,000-word vocabulary over whole prompts would not fit).

Not known here: the optimiser, and where pairs come from.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from assistant.adapter_training.language_model import FrozenLLM
from assistant.adapter_training.pairs import TrainingPair
from assistant.llm.chat_template import render_chat
from assistant.llm.huggingface import SOFT_MARK
from assistant.lm_batch import Read


@dataclass(frozen=True)
class EncodedPair:
    """ids of message and answer, 0 where soft tokens stand; ``prompt`` of them are the message.

    places : (modality, first position of its soft tokens); told : positions of words only soft tokens can tell
    """

    pair: TrainingPair
    ids: list[int]
    prompt: int
    places: tuple[tuple[str, int], ...]
    told: tuple[int, ...]


def encode_pair(pair: TrainingPair, llm: FrozenLLM, n_tokens: int) -> EncodedPair:
    """Exactly the ids ``HuggingFaceModel.embed`` looks up for the message, then the answer and its end."""
    modalities = pair.modalities()
    ids: list[int] = []
    places: list[tuple[str, int]] = []
    for index, text in enumerate(render_chat(llm.tokenizer, pair.turns()).split(SOFT_MARK)):
        if text:
            ids += llm.tokenizer(text, add_special_tokens=False).input_ids
        if index < len(modalities):
            places.append((modalities[index], len(ids)))
            ids += [0] * n_tokens
    answer = llm.tokenizer(pair.answer, add_special_tokens=False, return_offsets_mapping=True)
    words = "|".join(sorted(re.escape(w) for w in pair.told))
    spans = [m.span() for m in re.finditer(rf"\b(?:{words})\b", pair.answer, re.IGNORECASE)] if words else []
    told = tuple(
        len(ids) + i
        for i, (start, end) in enumerate(answer.offset_mapping)
        if any(start < stop and end > first for first, stop in spans)
    )
    return EncodedPair(pair, [*ids, *answer.input_ids, llm.end_id], len(ids), tuple(places), told)


def read_pairs_batch(
    llm: FrozenLLM,
    model: nn.Module,
    adapters: nn.ModuleDict,
    batch: Sequence[EncodedPair],
    rows: Mapping[str, NDArray[np.float32]],
    noise: Mapping[str, float] | None = None,
) -> Read:
    """One forward pass. ``model`` is the LLM, with or without LoRA; ``rows`` : embedding id -> (K, D).

    noise : modality -> standard deviation of the Gaussian noise added to its rows; None = none
    """
    device = next(model.parameters()).device
    longest = max(len(e.ids) for e in batch)
    ids = torch.zeros(len(batch), longest, dtype=torch.long)
    mask = torch.zeros(len(batch), longest, dtype=torch.long)
    answers, told = (torch.zeros(len(batch), longest, dtype=torch.bool) for _ in range(2))
    for i, item in enumerate(batch):
        start = longest - len(item.ids)
        ids[i, start:] = torch.tensor(item.ids)
        mask[i, start:] = 1
        answers[i, start + item.prompt :] = True
        told[i, [start + p for p in item.told]] = True
    embeds = llm.model.get_input_embeddings()(ids.to(device))  # (B, T, H)
    made: dict[str, Tensor] = {}
    for modality in adapters:
        found = [(i, e, p) for i, e in enumerate(batch) for m, p in e.places if m == modality]
        if not found:
            continue
        values, real = _stack([rows[e.pair.embeddings[modality]] for _, e, _ in found])
        if noise:
            values = values + noise[modality] * torch.randn_like(values)
        soft = made[modality] = adapters[modality](values.to(device), real.to(device))  # (M, n, H)
        index = torch.tensor([i for i, _, _ in found], device=device)
        first = torch.tensor([longest - len(e.ids) + p for _, e, p in found], device=device)
        columns = first[:, None] + torch.arange(soft.shape[1], device=device)
        embeds = embeds.index_put((index[:, None], columns), soft.to(embeds.dtype))
    keep = int(answers.sum(1).max()) + 1
    logits = model(
        inputs_embeds=embeds,
        attention_mask=mask.to(device),
        position_ids=(mask.cumsum(1) - 1).clamp(min=0).to(device),
        logits_to_keep=keep,
        use_cache=False,
    ).logits[:, :-1]  # (B, keep - 1, V)
    wanted = answers[:, -(keep - 1) :]
    labels = ids[:, -(keep - 1) :][wanted].to(device)
    return Read(logits[wanted.to(device)], labels, told[:, -(keep - 1) :][wanted].to(device), made)


def _stack(arrays: Sequence[NDArray[np.float32]]) -> tuple[Tensor, Tensor]:
    """(M, K, D) rows padded with zeros, and (M, K) which are real."""
    most = max(len(a) for a in arrays)
    rows = torch.zeros(len(arrays), most, arrays[0].shape[1])
    real = torch.zeros(len(arrays), most, dtype=torch.bool)
    for i, array in enumerate(arrays):
        rows[i, : len(array)] = torch.from_numpy(np.asarray(array, np.float32))
        real[i, : len(array)] = True
    return rows, real
