"""The grounding benchmark: ``radomica eval grounding``, labelled claims, injected instructions, hostile servers.

Groups: ``checker`` (the sentences the checker was first mended for), ``earlier`` (four sets that were held out once and
then mended for), ``held_out`` (the newest set, run once and not mended for: the figure to quote), ``injection``,
``servers``. All patients are synthetic; no language model runs.
"""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache

from assistant.claim import Verdict
from assistant.evidence import Ledger
from assistant.grounding import check_claim
from assistant.grounding_evidence import views
from assistant.pipeline import prepare_case
from encoders.synthetic.cohort import sample_case
from eval.benchmark import Better, Registry, Row, grouped_benchmark
from eval.grounding_claims import LabelledClaim, labelled_claims
from eval.grounding_injection import injection_rows
from eval.grounding_servers import server_rows
from eval.grounding_wordings import KNOWN
from eval.grounding_wordings_case_reports import CASE_REPORTS
from eval.grounding_wordings_fresh import FRESH
from eval.grounding_wordings_held_out import FIRST_HELD_OUT
from eval.grounding_wordings_late import LATE
from eval.grounding_wordings_letters import LETTERS
from eval.grounding_wordings_writers import WRITERS
from eval.intervals import wilson
from eval.smoke_reports import context_without_explanations


def _merged(*sets: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    keys = dict.fromkeys(key for wordings in sets for key in wordings)
    return {key: tuple(s for wordings in sets for s in wordings.get(key, ())) for key in keys}


SEEN: Mapping[str, tuple[str, ...]] = _merged(KNOWN, LATE)
EARLIER: Mapping[str, tuple[str, ...]] = _merged(FIRST_HELD_OUT, WRITERS, CASE_REPORTS, LETTERS)
HELD_OUT: Mapping[str, tuple[str, ...]] = FRESH
SEEN_SEED, EARLIER_SEED, INJECTION_SEED, HELD_OUT_SEED = 91_000, 93_000, 94_000, 98_000
"""First seeds of the patients of each group."""

PATIENTS, EXPLAINED = 10, 2
RECALL, FALSE_REJECTION, MS_PER_CLAIM = 0.99, 0.03, 2.0


@lru_cache(maxsize=4)
def patient_ledgers(seed: int, n: int = PATIENTS) -> tuple[Ledger, ...]:
    """Ledgers of ``n`` synthetic patients, explanations in the first two (they cost most of the time)."""
    patients = [sample_case(i, seed).patient for i in range(n)]
    return tuple(
        (prepare_case(p) if i < EXPLAINED else context_without_explanations(p)).ledger for i, p in enumerate(patients)
    )


def score(group: str, items: Sequence[LabelledClaim], *, started: float) -> tuple[Row, ...]:
    """Recall of corrupted claims, false rejections, processor time a claim, and recall by kind of corruption.

    Time is the thread's processor time with the ledger's views built, as in a report, where they are built once.
    """
    for ledger in {id(i.ledger): i.ledger for i in items}.values():
        views(ledger, ledger.ids())
    wrong: Counter[str] = Counter()
    total: Counter[str] = Counter()
    spent_ms: list[float] = []
    for item in items:
        start = time.thread_time()
        checked = check_claim(item.claim, item.ledger, section=item.section)
        spent_ms.append((time.thread_time() - start) * 1e3)
        kind = item.corruption or "honest"
        total[kind] += 1
        wrong[kind] += (checked.verdict is Verdict.SUPPORTED) == bool(item.corruption)
    false = {k: n for k, n in total.items() if k != "honest"}
    n_false, caught = sum(false.values()), sum(n - wrong[k] for k, n in false.items())
    honest = total["honest"]
    seconds = time.monotonic() - started
    median, p95 = statistics.median(spent_ms), statistics.quantiles(spent_ms, n=20)[-1]
    rows = [
        Row(f"{group}.corrupted_recall", caught / n_false, RECALL, Better.HIGHER, n_false, seconds,
            wilson(caught, n_false)),
        Row(f"{group}.false_rejections", wrong["honest"] / honest, FALSE_REJECTION, Better.LOWER, honest, 0.0,
            wilson(wrong["honest"], honest)),
        Row(f"{group}.ms_per_claim_median", median, MS_PER_CLAIM, Better.LOWER, len(items), 0.0),
        Row(f"{group}.ms_per_claim_p95", p95, MS_PER_CLAIM, Better.LOWER, len(items), 0.0),
    ]  # fmt: skip
    rows += [
        Row(f"{group}.recall.{kind}", (n - wrong[kind]) / n, RECALL, Better.HIGHER, n, 0.0, wilson(n - wrong[kind], n))
        for kind, n in sorted(false.items())
    ]
    return tuple(rows)


def _labelled(group: str, wordings: Mapping[str, tuple[str, ...]], seed: int) -> tuple[Row, ...]:
    started = time.monotonic()
    return score(group, labelled_claims(patient_ledgers(seed), wordings, seed=seed), started=started)


GROUPS: Registry = {
    "checker": lambda seed, *_: _labelled("checker", SEEN, SEEN_SEED + seed),
    "earlier": lambda seed, *_: _labelled("earlier", EARLIER, EARLIER_SEED + seed),
    "held_out": lambda seed, *_: _labelled("held_out", HELD_OUT, HELD_OUT_SEED + seed),
    "injection": lambda seed, _, progress: injection_rows(seed=INJECTION_SEED + seed, progress=progress),
    "servers": lambda seed, _, progress: server_rows(patient_ledgers(SEEN_SEED + seed, 1)[0], progress=progress),
}
"""Group -> its rows."""


run_grounding = grouped_benchmark("grounding", GROUPS)
