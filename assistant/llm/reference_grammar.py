"""Keep generated citations and references inside the ledger: the decoder's form of the JSON schema's id enum.

Inside ``[...]`` only ids of the request may follow, inside ``{...}`` only an id, a dot and one of that id's fields.
Everything else is left free, and each time the model's own choice had to be changed is counted.

Not checked here: whether the right id was chosen (assistant/grounding.py does).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from transformers import LogitsProcessor, PreTrainedTokenizerBase


def _open_part(text: str) -> tuple[str, str] | None:
    """("[" or "{", what follows it) when the text ends inside one, else None."""
    at = max(text.rfind("["), text.rfind("{"))
    if at < 0 or "]" in text[at:] or "}" in text[at:]:
        return None
    return text[at], text[at + 1 :]


class ReferenceGrammar(LogitsProcessor):
    """Mask logits of a batch so that brackets can only hold what the ledger holds.

    referable : per row, evidence id -> fields that may be referenced
    interventions : how many steps had the model's first choice forbidden
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, referable: Sequence[Mapping[str, Sequence[str]]]) -> None:
        self._strings = [tokenizer.decode([i]) for i in range(len(tokenizer))]
        self._ids: dict[str, int] = {}
        special = set(tokenizer.all_special_ids)
        for index, string in enumerate(self._strings):
            if string and index not in special:
                self._ids.setdefault(string, index)
        self._legal = [
            {
                "[": [f"{i}]" for i in fields],
                "{": [f"{i}.{name}}}" for i, names in fields.items() for name in names],
            }
            for fields in referable
        ]
        self._texts = [""] * len(referable)
        self._seen = 0
        self.interventions = 0

    def _allowed(self, row: int) -> list[int] | None:
        inside = _open_part(self._texts[row])
        if inside is None:
            return None
        opening, written = inside
        rest = [s[len(written) :] for s in self._legal[row][opening] if s.startswith(written) and len(s) > len(written)]
        tokens = {self._ids[r[:n]] for r in rest for n in range(1, len(r) + 1) if r[:n] in self._ids}
        return sorted(tokens) or None

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """scores (B, V); ``input_ids`` (B, t) holds the generated tokens alone."""
        for step in range(self._seen, input_ids.shape[1]):
            for row, token in enumerate(input_ids[:, step].tolist()):
                self._texts[row] = (self._texts[row] + self._strings[token])[-96:]
        self._seen = input_ids.shape[1]
        for row in range(len(self._texts)):
            allowed = self._allowed(row)
            if allowed is None:
                continue
            if int(scores[row].argmax()) not in allowed:
                self.interventions += 1
            masked = torch.full_like(scores[row], float("-inf"))
            masked[allowed] = scores[row, allowed]
            scores[row] = masked
        return scores
