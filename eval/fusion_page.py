"""The fusion benchmark for people: fusion.md with every row, fusion.png with the cancers beside their bars.

Not known here: how a figure was measured.
"""

from __future__ import annotations

import io
from pathlib import Path

from matplotlib.figure import Figure

from encoders.atomic_write import write_atomically
from eval.benchmark import BenchmarkResult, Row
from eval.fusion_runs import CANCERS


def write_page(result: BenchmarkResult, out: Path) -> None:
    """Write fusion.md into ``out``, and fusion.png where cancers were measured."""
    write_atomically(out / "fusion.md", table_text(result))
    wanted = {f"fusion.porpoise.{name}": name for name in (*CANCERS, "mean")}
    shown = [(wanted[row.id], row) for row in result.rows if row.id in wanted and row.value is not None]
    if shown:
        buffer = io.BytesIO()
        _figure(shown).savefig(buffer, format="png", dpi=150)
        write_atomically(out / "fusion.png", buffer.getvalue())


def table_text(result: BenchmarkResult) -> str:
    """A Markdown table of all rows, notes below it."""
    said = result.to_dict()
    lines = [
        f"# radomica eval fusion, commit {said['commit']}, seed {said['seed']}, {said['machine']}",
        "",
        "| row | value | 95 % interval | n | bar | reached | seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in result.rows:
        value = "not measured" if row.value is None else f"{row.value:.4f}"
        interval = "" if row.interval is None else f"{row.interval[0]:.4f} to {row.interval[1]:.4f}"
        sign = ">=" if row.better.value == "higher" else "<="
        lines.append(
            f"| {row.id} | {value} | {interval} | {row.n} | {sign} {row.bar:.4g} | {'yes' if row.ok else 'no'} | "
            f"{row.seconds:.0f} |"
        )
    notes = [f"- {row.id}: {row.note}" for row in result.rows if row.note]
    return "\n".join([*lines, "", *notes]) + "\n"


def _figure(shown: list[tuple[str, Row]]) -> Figure:
    """C-index of each cancer with its interval; the bar is a tick beside it."""
    figure = Figure(figsize=(7, 0.4 * len(shown) + 1.2), layout="constrained")
    axes = figure.subplots()
    for y, (_, row) in enumerate(reversed(shown)):
        if row.interval is not None:
            axes.plot(row.interval, (y, y), color="0.5", lw=2)
        axes.plot(row.value, y, "o", color="tab:blue" if row.ok else "tab:red")
        axes.plot(row.bar, y, "|", color="black", ms=14)
    axes.set_yticks(range(len(shown)), [name for name, _ in reversed(shown)])
    axes.set_xlabel("C-index on held-out patients, 95 % interval; tick = the row's bar")
    return figure
