"""The retrieval benchmark: ``radomica eval retrieval``, the right passage or none, from a store that loses nothing.

Groups: ``pubmedqa`` and ``bioasq`` (labelled questions; the shipped order beside its parts), ``floor`` (nothing, once
the labelled passages are gone), ``scale`` (a million made vectors), ``cold`` (first start), ``crash`` (a writer killed
at random moments), ``scope`` (cross-patient queries beside adds and deletes).
"""

from __future__ import annotations

from eval.benchmark import Registry, grouped_benchmark
from eval.retrieval_cold import cold_rows
from eval.retrieval_crash import crash_rows
from eval.retrieval_quality import quality_rows
from eval.retrieval_scale import scale_rows
from eval.retrieval_scope import scope_rows

GROUPS: Registry = {
    "pubmedqa": lambda *given: quality_rows("pubmedqa", *given),
    "bioasq": lambda *given: quality_rows("bioasq", *given),
    "floor": lambda *given: quality_rows("floor", *given),
    "scale": scale_rows,
    "cold": cold_rows,
    "crash": lambda seed, _, progress: crash_rows(seed=seed, progress=progress),
    "scope": lambda seed, _, progress: scope_rows(seed=seed, progress=progress),
}
"""Group -> its rows."""


run_retrieval = grouped_benchmark("retrieval", GROUPS)
