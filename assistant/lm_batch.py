"""Pairs -> padded batches of token ids with soft tokens in their places, and what the decoder makes of them.

The layout is the chat template's (assistant/lm_model.py), so that a trained decoder is asked exactly as it was taught.

Not known here: the optimiser, the cases, how pairs are worded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from assistant.lm_model import ASSISTANT, END, SOFT, SOFT_TOKENS, USER
from assistant.lm_pairs import LMPair

IGNORED = -100
"""Label of every token that is not part of an answer."""


@dataclass(frozen=True)
class SoftRows:
    """Rows of one modality for the M pairs of a batch that carry it.

    rows (M, K, D); real (M, K) bool; index (M,) row of the batch; position (M,) first column of its soft tokens
    carried : attribute -> finding word, one mapping a pair
    """

    rows: Tensor
    real: Tensor
    index: Tensor
    position: Tensor
    carried: tuple[Mapping[str, str], ...]


@dataclass(frozen=True)
class Batch:
    """ids (B, T) with SOFT where soft tokens stand; labels (B, T), IGNORED outside answers; mask (B, T) bool.

    told : (B, T) bool, the answer's tokens that only soft tokens can tell
    soft : by modality
    """

    ids: Tensor
    labels: Tensor
    mask: Tensor
    told: Tensor
    soft: dict[str, SoftRows]


@dataclass(frozen=True)
class Encoded:
    """One pair as ids: ``prompt`` of them are the message; ``places`` : (modality, first position of its soft tokens).

    told : positions in ``ids`` of the words that only soft tokens can tell
    """

    pair: LMPair
    ids: list[int]
    prompt: int
    places: list[tuple[str, int]]
    told: list[int]


class Encoder:
    """Pairs -> token ids, in the chat template's layout."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self.tokenizer = tokenizer
        self.soft_id = int(tokenizer.convert_tokens_to_ids(SOFT))  # type: ignore[arg-type]

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False).input_ids)

    def encode(self, pair: LMPair) -> Encoded:
        """Ids of message and answer, and where the soft tokens and the words told by them stand."""
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
        answer = self.tokenizer(f"{pair.answer}{END}", add_special_tokens=False, return_offsets_mapping=True)
        words = "|".join(sorted({re.escape(w.replace("_", " ")) for w in pair.findings.values()}))
        spans = [m.span() for m in re.finditer(rf"\b(?:{words})\b", pair.answer, re.IGNORECASE)] if words else []
        told = [
            prompt + i
            for i, (start, end) in enumerate(answer.offset_mapping)
            if any(start < stop and end > first for first, stop in spans)
        ]
        return Encoded(pair, ids + list(answer.input_ids), prompt, places, told)

    def batch(self, encoded: Sequence[Encoded]) -> Batch:
        """Pad a few encoded pairs on the right."""
        shape = (len(encoded), max(len(e.ids) for e in encoded))
        ids = torch.full(shape, int(self.tokenizer.pad_token_id or 0))
        labels = torch.full(shape, IGNORED)
        mask, told = torch.zeros(shape, dtype=torch.bool), torch.zeros(shape, dtype=torch.bool)
        found: dict[str, list[tuple[LMPair, int, int]]] = {}
        for row, item in enumerate(encoded):
            length = len(item.ids)
            ids[row, :length] = torch.tensor(item.ids)
            labels[row, item.prompt : length] = ids[row, item.prompt : length]
            mask[row, :length] = True
            told[row, item.told] = True
            for modality, position in item.places:
                found.setdefault(modality, []).append((item.pair, row, position))
        return Batch(ids, labels, mask, told, {m: _stack(m, items) for m, items in found.items()})


def _stack(modality: str, items: Sequence[tuple[LMPair, int, int]]) -> SoftRows:
    arrays = [pair.soft[modality] for pair, _, _ in items]
    most = max(len(a) for a in arrays)
    rows = torch.zeros(len(items), most, arrays[0].shape[1])
    real = torch.zeros(len(items), most, dtype=torch.bool)
    for i, array in enumerate(arrays):
        rows[i, : len(array)] = torch.from_numpy(array)
        real[i, : len(array)] = True
    index, position = (torch.tensor([item[i] for item in items]) for i in (1, 2))
    return SoftRows(rows, real, index, position, tuple(pair.carried[modality] for pair, _, _ in items))


@dataclass(frozen=True)
class Read:
    """What the decoder made of a batch. A answer tokens: logits (A, V), labels (A,), told (A,) bool; soft (M, n, H)."""

    logits: Tensor
    labels: Tensor
    told: Tensor
    soft: Mapping[str, Tensor]

    def losses(self) -> Tensor:
        """Cross-entropy of each answer token, (A,), nats."""
        return nn.functional.cross_entropy(self.logits.float(), self.labels, reduction="none")


def read_batch(model: LlamaForCausalLM, adapters: nn.ModuleDict, batch: Batch) -> Read:
    """Put the soft tokens in their places and run the decoder; logits only where an answer token follows."""
    device = model.device
    ids, mask = batch.ids.to(device), batch.mask.to(device)
    embeds = model.get_input_embeddings()(ids)  # (B, T, H)
    made: dict[str, Tensor] = {}
    for modality, rows in batch.soft.items():
        soft = made[modality] = adapters[modality](rows.rows.to(device), rows.real.to(device))  # (M, n, H)
        columns = rows.position.to(device)[:, None] + torch.arange(soft.shape[1], device=device)  # (M, n)
        embeds = embeds.index_put((rows.index.to(device)[:, None], columns), soft.to(embeds.dtype))
    hidden = model.model(inputs_embeds=embeds, attention_mask=mask.long()).last_hidden_state
    labels = batch.labels[:, 1:].to(device)
    wanted = labels != IGNORED
    told = batch.told[:, 1:].to(device)[wanted]
    return Read(model.lm_head(hidden[:, :-1][wanted]), labels[wanted], told, made)
