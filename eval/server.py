"""The server benchmark: ``radomica eval server``; one group alone with ``--only load``.

Not known here: what a group measures (its own file).
"""

from __future__ import annotations

from eval.benchmark import Registry, grouped_benchmark
from eval.server_crash import crash_rows
from eval.server_load import load_rows, start_rows

GROUPS: Registry = {
    "load": lambda seed, _, progress: load_rows(seed, progress),
    "crash": lambda seed, _, progress: crash_rows(seed, progress),
    "start": lambda seed, _, progress: start_rows(seed, progress),
}
"""Group -> its rows."""

run_server = grouped_benchmark("server", GROUPS)
