"""Pictures of a run as SVG: models beside each other, reliability diagrams, Shapley values of the blocks.

What this module does not know: how a figure was measured, where a picture goes.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

BLUE, GREY = "#2364aa", "#8a949e"
_STYLE = {"font.size": 9, "svg.fonttype": "none", "axes.spines.top": False, "axes.spines.right": False}


def pictures_of(figures: Mapping[str, Any]) -> dict[str, bytes]:
    """Name -> SVG, for what metrics.json holds."""
    found: dict[str, bytes] = {}
    with mpl.rc_context({**_STYLE, "svg.hashsalt": "radomica"}):
        if any(told["mean"] is not None for told in figures["models"].values()):
            found["models"] = _svg(_models(figures))
        if figures.get("reliability"):
            found["reliability"] = _svg(_reliability(figures))
        if "default_explanations" in figures:
            found["shapley"] = _svg(_shapley(figures["default_explanations"]["shapley"]["mean_absolute"]))
    return found


def _svg(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def _models(figures: Mapping[str, Any]) -> Figure:
    named = sorted(figures["models"].items(), key=lambda pair: "default_minus_this" in pair[1])
    told = [(name, found) for name, found in named if found["mean"] is not None]
    figure = Figure(figsize=(7, 0.32 * len(told) + 0.8), layout="constrained")
    axes = figure.subplots()
    for y, (_, found) in enumerate(reversed(told)):
        colour = BLUE if "default_minus_this" not in found else GREY
        axes.plot(found["interval"], (y, y), color=colour, lw=2)
        axes.plot(found["mean"], y, "o", color=colour)
    axes.axvline(0.5, color="0.8", lw=1, zorder=0)
    axes.set_yticks(range(len(told)), [name for name, _ in reversed(told)])
    axes.set_ylim(-0.6, len(told) - 0.4)
    axes.set_xlabel(f"{figures['figure']}, held-out patients, 95 % interval; line at 0.5 = chance")
    return figure


def _reliability(figures: Mapping[str, Any]) -> Figure:
    diagrams = figures["reliability"]
    figure = Figure(figsize=(3.1 * len(diagrams) + 0.3, 3.3), layout="constrained")
    for axes, (name, found) in zip(figure.subplots(1, len(diagrams), squeeze=False)[0], diagrams.items(), strict=True):
        _diagram(axes, found)
        label = "label" not in diagrams
        axes.set_title(f"survival at {name}" if label else "probability of the label", fontsize=9)
        axes.set_xlabel("predicted probability")
        axes.set_ylabel("Kaplan-Meier, 95 % interval" if label else "share observed, 95 % interval")
    return figure


def _diagram(axes: Axes, found: Mapping[str, Any]) -> None:
    axes.plot((0, 1), (0, 1), color="0.75", lw=1, ls="--", zorder=0)
    told = [b for b in found["bins"] if b["observed"] is not None]
    for one in told:
        axes.plot((one["predicted"], one["predicted"]), (one["lower"], one["upper"]), color=GREY, lw=1.5)
    axes.plot([b["predicted"] for b in told], [b["observed"] for b in told], "o", color=BLUE, ms=5)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    axes.text(0.98, 0.03, f"{sum(b['n'] for b in found['bins'])} patients", ha="right", fontsize=8, color="0.4")


def _shapley(values: Mapping[str, float]) -> Figure:
    told = sorted(values.items(), key=lambda pair: pair[1])
    figure = Figure(figsize=(7, 0.3 * len(told) + 0.7), layout="constrained")
    axes = figure.subplots()
    axes.barh([name for name, _ in told], [value for _, value in told], color=BLUE, height=0.6)
    axes.set_xlabel("mean |Shapley value|, in the unit of the score (log relative hazard or log odds)")
    return figure
