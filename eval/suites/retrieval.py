"""Did the search find the documents an item is labelled with? Recall@k, nDCG@k, reciprocal rank.

Passages are ranked as found; several passages of one document count once, at the first one's place. A passage belongs
to a document by its PMID, its document id or its own id. Recall@k is the share of the most that could be there,
min(k, labelled) (eval/retrieval_metrics.py).

Not known here: whether a passage that is not labelled answers the item too; a document that the index does not hold is
a miss like any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eval.retrieval_metrics import ndcg_at, recall_at
from eval.suites.score import Scored, cluster_bootstrap
from retrieval.passage import Hit


def document_ranking(hits: Sequence[Hit], documents: Sequence[str]) -> list[str]:
    """Documents in the order found, each once; a labelled one goes by its label, another by its own name."""
    labelled, ranking = set(documents), []
    for hit in hits:
        names = [n for n in (hit.passage.pmid, hit.passage.document_id, hit.passage.passage_id) if n]
        ranking.append(next((n for n in names if n in labelled), names[0]))
    return list(dict.fromkeys(ranking))


def retrieval_figures(ranking: Sequence[str], documents: Sequence[str], k: int) -> dict[str, float]:
    """Figures of one item; ``documents`` are its labels, at least one.

    Raises
    ------
    InputError: nothing is labelled.
    """
    number = {name: i for i, name in enumerate(dict.fromkeys([*documents, *ranking]))}
    ranked, gold = [number[n] for n in ranking], {number[n] for n in documents}
    first = next((place for place, one in enumerate(ranked, 1) if one in gold), None)
    return {
        "recall_at_1": recall_at(ranked, gold, 1),
        f"recall_at_{k}": recall_at(ranked, gold, k),
        f"ndcg_at_{k}": ndcg_at(ranked, gold, k),
        "reciprocal_rank": 1 / first if first else 0.0,
    }


def mean_figures(items: Sequence[Scored], *, seed: int) -> dict[str, Any] | None:
    """Mean and 95 % interval of each figure over the labelled items, and how many were not; None where none was."""
    told = [s for s in items if s.retrieval is not None]
    if not told:
        return None
    cases = [s.case if s.case is not None else f"\0{s.key}" for s in told]
    found: dict[str, Any] = {"n": len(told), "without_labels": len(items) - len(told)}
    for name in told[0].retrieval or {}:
        values = np.array([_of(s.retrieval)[name] for s in told], np.float64)
        low, high = cluster_bootstrap(values, cases, seed=seed)
        found[name] = {"mean": float(values.mean()), "interval": [low, high]}
    return found


def _of(found: Mapping[str, float] | None) -> Mapping[str, float]:
    return found or {}
