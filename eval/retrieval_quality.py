"""Rows ``pubmedqa``, ``bioasq`` and ``floor`` of the retrieval benchmark: the right passage, or nothing.

The shipped index and fusion answer; its parts are the vector ranking and the word ranking of the very same searches.
Differences are paired by question. In ``pubmedqa`` and ``bioasq`` the floor is off: what it costs is ``floor``'s
figure. The order of hits was fitted on BioASQ years 7 and 8: PubMedQA and year 9 are new to it. The floor was fitted on
those years and every other PubMedQA question; ``floor`` measures on year 9 and the other half. Which four figures of a
hit the floor reads was chosen with both halves in sight, so that its rows are a little kind.

What ``floor.bioasq.nothing_when_removed`` cannot tell: 15,267 snippets of 1,497 questions overlap, so that passages on
the subject, some of them answers ("Camrelizumab is a programmed cell death protein 1 inhibitor"), stay in the pool
when the labelled documents are gone. PubMedQA, one abstract a question, is the clean measurement.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from encoders.errors import UnavailableError
from eval.benchmark import Better, Progress, Row
from eval.intervals import bootstrap, wilson
from eval.retrieval_fit import Searched, fit, recall_lost, returns_nothing, search_part
from eval.retrieval_labelled import load_bioasq, load_pubmedqa, position_of
from eval.retrieval_metrics import ndcg_at, recall_at
from retrieval.embed import load_embedding
from retrieval.relevance import RelevanceModel, relevance_model
from retrieval.search import fuse

RECALL_1, RECALL_10, NOTHING, RECALL_LOST, REFIT = 0.98, 0.997, 0.80, 0.03, 0.02
Ranked = Mapping[str, list[list[int]]]
"""Part -> a ranking of positions for every question."""


def quality_rows(group: str, seed: int, shared: Path, progress: Progress) -> tuple[Row, ...]:
    """The rows of one group; without the developers' files, rows that say so."""
    make = {"pubmedqa": _pubmedqa, "bioasq": _bioasq, "floor": _floor}[group]
    try:
        return make(seed, shared, progress)
    except UnavailableError as error:
        return (Row(f"{group}.searched", None, 1.0, Better.HIGHER, 0, 0.0, note=str(error)),)


def shipped_model() -> RelevanceModel:
    """The model of the embedder in use; raises UnavailableError where none was fitted for it."""
    model = relevance_model(load_embedding().weights_sha256)
    if model is None:
        raise UnavailableError("no relevance model was fitted for this embedder; unset RADOMICA_EMBEDDER.")
    return model


def rankings(searched: Searched) -> Ranked:
    """The shipped order and that of both parts, for every question searched."""
    model = shipped_model()
    return {
        "shipped": [[position_of(f.id) for f in fuse(found, model)] for found in searched.found],
        "vector": [[position_of(i) for i in found.by_vector] for found in searched.found],
        "word": [[position_of(i) for i in found.by_word] for found in searched.found],
    }


def _figures(
    orders: Ranked, searched: Searched, figure: Callable[[Sequence[int], frozenset[int], int], float], k: int
) -> dict[str, NDArray[np.float64]]:
    golds = [c.question.gold for c in searched.candidates]
    return {
        name: np.asarray([figure(order, gold, k) for order, gold in zip(made, golds, strict=True)])
        for name, made in orders.items()
    }


def _paired(name: str, values: Mapping[str, NDArray[np.float64]], seed: int, started: float) -> list[Row]:
    """The shipped figure less each part's, paired by question; the bar: above 0."""
    rows = []
    for part in ("vector", "word"):
        gained = values["shipped"] - values[part]
        interval = bootstrap(lambda i, g=gained: float(g[i].mean()), len(gained), seed=seed)
        rows.append(
            Row(f"{name}.gain_over_{part}", float(gained.mean()), 1e-4, Better.HIGHER, len(gained),
                time.monotonic() - started, interval, f"{part} alone {values[part].mean():.4f}")
        )  # fmt: skip
    return rows


def _pubmedqa(seed: int, shared: Path, progress: Progress) -> tuple[Row, ...]:
    started = time.monotonic()
    searched = search_part(load_pubmedqa(shared), None)
    orders = rankings(searched)
    rows: list[Row] = []
    for k, bar in ((1, RECALL_1), (10, RECALL_10)):
        values = _figures(orders, searched, recall_at, k)
        right, n = int(values["shipped"].sum()), len(values["shipped"])
        seconds = time.monotonic() - started
        rows.append(Row(f"pubmedqa.recall@{k}", right / n, bar, Better.HIGHER, n, seconds, wilson(right, n)))
        if k == 1:
            rows += _paired(f"pubmedqa.recall@{k}", values, seed, started)
    return tuple(rows)


def _bioasq(seed: int, shared: Path, progress: Progress) -> tuple[Row, ...]:
    started = time.monotonic()
    labelled = load_bioasq(shared)
    searched = search_part(labelled, "test")
    orders = rankings(searched)
    rows: list[Row] = []
    for name, figure in (("ndcg@10", ndcg_at), ("recall@10", recall_at)):
        values = _figures(orders, searched, figure, 10)
        best_part = max(values["vector"].mean(), values["word"].mean())
        shipped = values["shipped"]
        rows.append(
            Row(f"bioasq.{name}", float(shipped.mean()), float(best_part), Better.HIGHER, len(shipped),
                time.monotonic() - started, bootstrap(lambda i, s=shipped: float(s[i].mean()), len(shipped), seed=seed),
                f"{len(labelled.index)} passages; the bar is the better part's figure")
        )  # fmt: skip
        rows += _paired(f"bioasq.{name}", values, seed, started)
    return tuple(rows)


def _floor(seed: int, shared: Path, progress: Progress) -> tuple[Row, ...]:
    started = time.monotonic()
    sets = (load_pubmedqa(shared), load_bioasq(shared))
    model = relevance_model(load_embedding().weights_sha256)
    refit = _refit(model, [search_part(s, "train") for s in sets], started)
    if model is None:
        return (refit,)
    rows: list[Row] = []
    for labelled, held_out in zip(sets, (search_part(s, "test") for s in sets), strict=True):
        candidates = held_out.candidates
        nothing = returns_nothing(held_out.removed, model)
        before, after = (np.asarray(v) for v in recall_lost(candidates, model))
        lost = before - after
        n, seconds = len(nothing), time.monotonic() - started
        rows += [
            Row(f"floor.{labelled.name}.nothing_when_removed", sum(nothing) / n, NOTHING, Better.HIGHER, n, seconds,
                wilson(sum(nothing), n)),
            Row(f"floor.{labelled.name}.recall_lost", float(lost.mean()), RECALL_LOST, Better.LOWER, n, 0.0,
                bootstrap(lambda i, v=lost: float(v[i].mean()), n, seed=seed),
                f"recall@10 {before.mean():.4f} without the floor"),
        ]  # fmt: skip
    return (*rows, refit)


def _refit(model: RelevanceModel | None, parts: Sequence[Searched], started: float) -> Row:
    """How far the shipped model is from one fitted now, relative to it; ``note`` has the one to ship."""
    pubmedqa, bioasq = parts
    now = fit(pubmedqa, bioasq)
    fitted = asdict(now)
    away = None if model is None else max(abs(getattr(model, f) / value - 1) for f, value in fitted.items())
    words = ", ".join(f"{name}={value:.4f}" for name, value in fitted.items())
    n = len(pubmedqa.candidates) + len(bioasq.candidates)
    return Row("floor.shipped_is_fitted", away, REFIT, Better.LOWER, n, time.monotonic() - started, note=words)
