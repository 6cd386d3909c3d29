"""What each soft token should stand for: supervision of the adapters beside the answers' own loss.

One slot a perceived attribute. A slot's target is the decoder's own embedding of the finding word plus that of the
attribute's name, as the embedding table stands at that step: reading a soft token is then the same as reading text,
and what the decoder learns of copying words from lines serves both.

Not known here: the pairs, and the loss of the answers (assistant/lm_train.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

SLOTS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "imaging": (("margin",), ("necrosis",), ("texture",), ("enhancement", "uptake")),
    "expression": (("proliferation",), ("immune_infiltration",)),
}
"""Modality -> attributes of each soft token, in order; tokens beyond the slots are left free."""


class SlotTargets:
    """Vectors the soft tokens should be near, from the decoder's embedding table."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self.tokenizer = tokenizer
        self._ids: dict[str, Tensor] = {}

    def _vector(self, text: str, table: Tensor) -> Tensor:
        """Mean embedding of the tokens of a word as a line writes it ("finding=absent"), (H,).

        These tokens are only ever read, never written. Those an answer writes would not do: "smooth" and "spiculated"
        follow the same words, so their embeddings are pulled together until the decoder tells them apart.
        """
        if text not in self._ids:
            ids = self.tokenizer(f"={text}", add_special_tokens=False).input_ids[1:]
            self._ids[text] = torch.tensor(ids, device=table.device)
        return table[self._ids[text]].mean(0)

    def code(self, attribute: str, word: str, table: Tensor) -> Tensor:
        """The vector (H,) of one finding: what it is about, which attention looks for, plus what is found."""
        return self._vector(attribute, table) + self._vector(word, table)

    @torch.no_grad()
    def __call__(self, modality: str, findings: Sequence[Mapping[str, str]], table: Tensor) -> tuple[Tensor, Tensor]:
        """Targets of M patients' soft tokens of one modality.

        findings : attribute -> finding word, one mapping a patient
        table : (V, H) embedding table of the decoder as it is now; no gradient flows into it

        Returns
        -------
        (M, slots, H) float target vectors; (M, slots) float, 1 where the finding is known.
        """
        slots = SLOTS.get(modality, ())
        wanted = table.new_zeros(len(findings), len(slots), table.shape[1])
        known = table.new_zeros(len(findings), len(slots))
        for i, found in enumerate(findings):
            for j, attributes in enumerate(slots):
                for attribute in attributes:
                    if attribute in found:
                        wanted[i, j], known[i, j] = self.code(attribute, found[attribute], table), 1.0
        return wanted, known


def slot_error(soft: Tensor, wanted: Tensor, known: Tensor) -> Tensor:
    """Squared distance of soft tokens (M, n, H) to their targets, as a share of the targets' size; 0 = on them."""
    weight = known.unsqueeze(-1)
    distance = (soft[:, : wanted.shape[1]].float() - wanted) ** 2
    return (distance * weight).sum() / ((wanted**2 * weight).sum() + 1e-6)
