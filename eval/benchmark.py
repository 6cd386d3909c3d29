"""The one form every benchmark speaks: rows with a bar, printed as one JSON object on the last line.

Not known here: what a benchmark measures, or where its output goes.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from encoders.errors import ContractError, SettingsError


class Better(StrEnum):
    """Which side of the bar is good."""

    HIGHER = "higher"
    LOWER = "lower"


@dataclass(frozen=True)
class Row:
    """One measured figure beside the bar it must reach.

    value : the figure; None = could not be measured here, ``note`` says why (such a row is not ok)
    interval : 95 % interval of ``value`` or None
    n : how many items the figure is over
    """

    id: str
    value: float | None
    bar: float
    better: Better
    n: int
    seconds: float
    interval: tuple[float, float] | None = None
    note: str = ""

    @property
    def ok(self) -> bool:
        """True when the value reaches the bar."""
        if self.value is None:
            return False
        return bool(self.value >= self.bar if self.better is Better.HIGHER else self.value <= self.bar)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form; numbers rounded to what is meaningful."""
        return {
            "id": self.id,
            "value": None if self.value is None else round(float(self.value), 4),
            "interval": None if self.interval is None else [round(float(x), 4) for x in self.interval],
            "n": self.n,
            "bar": self.bar,
            "better": self.better.value,
            "ok": self.ok,
            "seconds": round(self.seconds, 1),
            **({"note": self.note} if self.note else {}),
        }


@dataclass(frozen=True)
class BenchmarkResult:
    """All rows of one benchmark with what is needed to run it again."""

    benchmark: str
    rows: tuple[Row, ...]
    seed: int

    def __post_init__(self) -> None:
        ids = [r.id for r in self.rows]
        if not ids or len(set(ids)) != len(ids):
            raise ContractError(f"benchmark {self.benchmark!r} needs at least one row and unique row ids, found {ids}.")

    @property
    def exit_code(self) -> int:
        """0 when every row reaches its bar, else 1."""
        return 0 if all(r.ok for r in self.rows) else 1

    def to_dict(self) -> dict[str, Any]:
        """DESIGN section 8's form."""
        return {
            "benchmark": self.benchmark,
            "rows": [r.to_dict() for r in self.rows],
            "commit": commit(),
            "machine": machine(),
            "seed": self.seed,
        }

    def to_json_line(self) -> str:
        """The last line a benchmark prints."""
        return json.dumps(self.to_dict(), allow_nan=False)


SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "open"
"""Where developers keep the real files; absent on a user's machine, and then said so."""

Progress = Callable[[str], None] | None
RowMaker = Callable[..., tuple[Row, ...]]
Registry = Mapping[str, RowMaker]


def chosen_groups(benchmark: str, groups: Collection[str], only: Sequence[str], progress: Progress) -> Iterator[str]:
    """The groups named in ``only`` (all when it is empty), in order, each said on ``progress`` as it comes up.

    Raises
    ------
    SettingsError: ``only`` names a group that does not exist; at once, before anything is measured.
    """
    unknown = set(only) - set(groups)
    if unknown:
        raise SettingsError(f"no {benchmark} group {sorted(unknown)}; allowed: {', '.join(groups)}.")
    return _said(only or tuple(groups), progress)


def _said(names: Sequence[str], progress: Progress) -> Iterator[str]:
    for name in names:
        if progress:
            progress(f"group {name}")
        yield name


def grouped_benchmark(benchmark: str, groups: Registry, *, first_seed: int = 0) -> Callable[..., BenchmarkResult]:
    """The benchmark made of ``groups``: run(seed, llm_spec, shared, only, out, progress), keywords all, gives its rows.

    Each group makes its rows from (``first_seed`` + seed, folder of the shared real data, progress). ``only`` names the
    groups that run (all by default); no group asks for ``llm_spec`` or writes to ``out``.

    Raises
    ------
    SettingsError: when run, as ``chosen_groups``.
    """

    def run(
        *,
        seed: int = 0,
        llm_spec: str = "embedded",
        shared: Path | None = None,
        only: tuple[str, ...] = (),
        out: Path | None = None,
        progress: Progress = None,
    ) -> BenchmarkResult:
        chosen = chosen_groups(benchmark, groups, only, progress)
        rows = [row for name in chosen for row in groups[name](first_seed + seed, shared or SHARED_DATA, progress)]
        return BenchmarkResult(benchmark, tuple(rows), seed)

    return run


def commit() -> str:
    """Short hash of the checked-out commit, "+changes" appended when the tree differs, "unknown" outside git."""
    root = Path(__file__).resolve().parents[1]
    try:
        head = _git(root, "rev-parse", "--short", "HEAD")
        return head + ("+changes" if _git(root, "status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(root: Path, *args: str) -> str:
    return subprocess.run(["git", "-C", str(root), *args], capture_output=True, text=True, check=True).stdout.strip()


def machine() -> str:
    """The machine in words: system, processor kind, cores, Python."""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
