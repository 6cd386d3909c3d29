"""Does the vLLM server write token for token what transformers writes, given the same soft tokens?

50 report requests of held-out synthetic patients that carry soft tokens, float32, greedy, without a grammar on either
side, so that nothing but the two engines is compared. Every difference is shown with the logit gap between the two
candidates at the first token that differs: under ``NEAR_TIE`` the engines only rounded differently.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from assistant.llm.chat_model import ChatRequest, SoftTokensPart
from assistant.llm.embedded import EmbeddedModel
from assistant.llm.vllm import VLLMModel
from assistant.prompt import report_requests
from assistant.report import SECTION_TITLES
from encoders.synthetic.cohort import sample_case
from eval.benchmark import Better, Progress, Row
from eval.intervals import wilson
from eval.smoke_reports import context_without_explanations

BAR = 0.98
NEAR_TIE = 1e-3
"""Logits closer than this are a tie that float32 sums in another order can decide either way."""


@dataclass(frozen=True)
class Difference:
    """Where two answers part: ``at`` tokens in; ``gap`` between the two candidates' logits there."""

    prompt: int
    at: int
    here: str
    there: str
    gap: float

    @property
    def near_tie(self) -> bool:
        """Whether rounding alone explains it."""
        return abs(self.gap) < NEAR_TIE


def soft_requests(llm: EmbeddedModel, *, n: int, seed: int) -> list[ChatRequest]:
    """The first ``n`` report requests with soft tokens, of held-out patients."""
    found: list[ChatRequest] = []
    index = 0
    while len(found) < n:
        context = context_without_explanations(sample_case(index, seed).patient)
        index += 1
        embeddings = context.prediction.embeddings
        soft = llm.soft_tokens(embeddings) if embeddings is not None else ()
        for section in SECTION_TITLES:
            for request in report_requests(context.ledger, section, llm, soft, seed):
                if any(isinstance(p, SoftTokensPart) for m in request.messages for p in m.parts):
                    found.append(request)
    return found[:n]


def tokens_here(llm: EmbeddedModel, request: ChatRequest) -> list[int]:
    """Greedy tokens of transformers, the end token left out."""
    embeds = llm.embed(request)[None]
    room = llm.model.config.max_position_embeddings - embeds.shape[1]
    with torch.inference_mode():
        written = llm.model.generate(
            inputs_embeds=embeds,
            attention_mask=torch.ones(embeds.shape[:2], dtype=torch.long),
            max_new_tokens=min(request.max_tokens, room),
            do_sample=False,
            pad_token_id=llm.tokenizer.pad_token_id,
        )[0].tolist()
    return _without_end(written, llm.tokenizer.eos_token_id)


def difference(
    llm: EmbeddedModel, request: ChatRequest, here: Sequence[int], there: Sequence[int], number: int
) -> Difference:
    """The first token that differs, and how far apart its two candidates are here."""
    at = next((i for i, (a, b) in enumerate(zip(here, there, strict=False)) if a != b), min(len(here), len(there)))
    end = llm.tokenizer.eos_token_id
    a, b = ((tokens[at] if at < len(tokens) else end) for tokens in (here, there))
    prefix = torch.tensor(list(here[:at]), dtype=torch.long)
    table = llm.model.get_input_embeddings()
    embeds = torch.cat([llm.embed(request), table(prefix).detach()])[None]
    with torch.inference_mode():
        logits = llm.model(inputs_embeds=embeds).logits[0, -1]
    names = llm.tokenizer.convert_ids_to_tokens([a, b])
    return Difference(number, at, names[0], names[1], float(logits[a] - logits[b]))


def parity_rows(server: VLLMModel, *, n: int, seed: int, progress: Progress = None) -> tuple[Row, ...]:
    """Share of answers with identical token sequences."""
    start = time.monotonic()
    llm = EmbeddedModel()
    requests = soft_requests(llm, n=n, seed=seed)
    if progress:
        progress(f"parity: {n} prompts with soft tokens made")
    here = [tokens_here(llm, r) for r in requests]
    there = [_without_end(t, llm.tokenizer.eos_token_id) for t in server.generate_token_ids(requests)]
    pairs = enumerate(zip(requests, here, there, strict=True))
    found = [difference(llm, r, a, b, i) for i, (r, a, b) in pairs if a != b]
    same = n - len(found)
    unexplained = sum(not d.near_tie for d in found)
    tokens = sum(map(len, here))
    shown = "; ".join(f"prompt {d.prompt} token {d.at}: {d.here!r} or {d.there!r}, gap {d.gap:.2g}" for d in found)
    note = f"{tokens} tokens, float32, greedy, no grammar; {len(found)} differ, {unexplained} of them no near-tie"
    seconds = (time.monotonic() - start) / 2
    return (
        Row("hf_vllm_parity", same / n, BAR, Better.HIGHER, n, seconds, wilson(same, n), f"{note}. {shown}".strip()),
        Row("hf_vllm_parity.unexplained", float(unexplained), 0.0, Better.LOWER, n, seconds, note=shown),
    )


def _without_end(tokens: Sequence[int], end: int) -> list[int]:
    return list(tokens[: tokens.index(end)]) if end in tokens else list(tokens)
