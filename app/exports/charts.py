"""The survival curve as a PNG for the forms on paper.

Everything drawn is a number of report figures. Not known here: how the curve was predicted.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

SIZE_MM = (120.0, 62.0)
_DPI = 220
_MM_PER_INCH = 25.4


def survival_png(data: Mapping[str, Any]) -> bytes:
    """Patient's curve with its 95 % band and, dashed, the reference cohort; months against probability."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415  half a second to load
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=tuple(v / _MM_PER_INCH for v in SIZE_MM), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.fill_between(data["months"], data["lower"], data["upper"], color="#2a6f97", alpha=0.18, linewidth=0,
                      label="95 % interval")  # fmt: skip
    axes.plot(data["months"], data["probability"], color="#01497c", linewidth=1.6, label="this patient, predicted")
    cohort = data.get("cohort")
    if cohort:
        axes.step([0, *cohort["months"]], [1, *cohort["probability"]], where="post", color="#555555", linewidth=1,
                  linestyle="--", label=f"reference cohort, n {cohort['n']}")  # fmt: skip
    axes.set(xlim=(0, max(data["months"])), ylim=(0, 1.02), xlabel="months", ylabel="survival probability")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for item in (axes.xaxis.label, axes.yaxis.label, *axes.get_xticklabels(), *axes.get_yticklabels()):
        item.set_fontsize(7)
    axes.legend(fontsize=6.5, frameon=False)
    packed = io.BytesIO()
    figure.savefig(packed, format="png", metadata={"Software": None})
    return packed.getvalue()
