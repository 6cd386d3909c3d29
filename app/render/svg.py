"""Charts of the report as inline SVG: survival curve with its interval, diverging bars, follow-up of similar cases.

Everything drawn is a number from report figures or an escaped label; no script, no external font.
Not known here: where a chart stands on the page (report.html.jinja) and its colours (report.css classes).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

LABEL_WIDTH = 82
ROW_HEIGHT = 17


def survival_chart(data: Mapping[str, Any]) -> Markup:
    """Patient's curve with its 95 % band and, dashed, the cohort with the same cancer. Months against probability."""
    width, height, left, right, top, bottom = 300, 150, 26, 8, 8, 28
    last = max(data["months"]) or 1.0

    def x(month: float) -> float:
        return left + (width - left - right) * month / last

    def y(chance: float) -> float:
        return top + (height - top - bottom) * (1 - chance)

    parts = [_axes(last, x, y)]
    band = [(x(m), y(u)) for m, u in zip(data["months"], data["upper"], strict=True)]
    band += [(x(m), y(low)) for m, low in zip(data["months"], data["lower"], strict=True)][::-1]
    parts.append(f'<polygon class="band" points="{_points(band)}"/>')
    if data.get("cohort"):
        parts.append(f'<polyline class="cohort" points="{_points(_steps(data["cohort"], x, y, last))}"/>')
    line = [(x(m), y(p)) for m, p in zip(data["months"], data["probability"], strict=True)]
    parts.append(f'<polyline class="curve" points="{_points(line)}"/>')
    for month in (12, 24):
        if month <= last:
            chance = _interpolate(data["months"], data["probability"], month)
            parts.append(f'<circle class="mark" cx="{x(month):.1f}" cy="{y(chance):.1f}" r="2.6"/>')
            parts.append(f'<text class="value" x="{x(month) + 5:.1f}" y="{y(chance) - 5:.1f}">{chance:.2f}</text>')
    return _svg(width, height, parts, "Predicted survival over time")


def kaplan_meier_chart(data: Mapping[str, Any]) -> Markup:
    """Steps of the neighbours with their 95 % band and, dashed, of all comparable patients, numbers at risk below."""
    curves = [c for c in (data["neighbours"], data.get("reference")) if c]
    risk_rows, width, left, right, top, bottom = len(curves), 420, 76, 10, 8, 34
    height = 150 + bottom + 13 * (risk_rows + 1)
    last = max(max(c["at_risk"], key=lambda r: r["month"])["month"] for c in curves)
    floor = height - bottom - 13 * (risk_rows + 1)

    def x(month: float) -> float:
        return left + (width - left - right) * month / last

    def y(chance: float) -> float:
        return top + (floor - top) * (1 - chance)

    middle = (top + floor) / 2
    parts = [_axes(last, x, y), f'<text class="axis" transform="translate({left - 34} {middle:.1f}) rotate(-90)" '
             'text-anchor="middle">survival probability</text>']  # fmt: skip
    upper, lower = (_steps({**curves[0], "probability": curves[0][end]}, x, y, _end(curves[0], last))
                    for end in ("upper", "lower"))  # fmt: skip
    parts.append(f'<polygon class="band" points="{_points([*upper, *lower[::-1]])}"/>')
    for curve, style in reversed(list(zip(curves, ("curve", "cohort"), strict=False))):
        steps = _steps({**curve, "probability": curve["survival_probability"]}, x, y, _end(curve, last))
        parts.append(f'<polyline class="{style}" points="{_points(steps)}"/>')
    first = floor + bottom + 8
    parts.append(f'<text class="axis" x="2" y="{first:.1f}">at risk</text>')
    for row, (curve, words) in enumerate(zip(curves, ("most similar", "all"), strict=False)):
        line = first + 13 * (row + 1)
        parts.append(f'<text class="name" x="2" y="{line:.1f}">{words}</text>')
        parts += [f'<text class="value" x="{x(r["month"]):.1f}" y="{line:.1f}" text-anchor="middle">{r["n"]}</text>'
                  for r in curve["at_risk"]]  # fmt: skip
    return _svg(width, int(height), parts, "Kaplan-Meier curves of the most similar and of all comparable patients")


def _end(curve: Mapping[str, Any], last: float) -> float:
    """A curve is drawn no further than its last visit."""
    return min(last, curve["followed_months"])


def _axes(last: float, x: Any, y: Any) -> str:
    parts = []
    for chance in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(
            f'<line class="grid" x1="{x(0):.1f}" x2="{x(last):.1f}" y1="{y(chance):.1f}" y2="{y(chance):.1f}"/>'
        )
        if chance in (0.0, 0.5, 1.0):
            parts.append(
                f'<text class="tick" x="{x(0) - 5:.1f}" y="{y(chance) + 3:.1f}" text-anchor="end">{chance:g}</text>'
            )
    step = 12 if last <= 84 else 24
    for month in range(0, int(last) + 1, step):
        parts.append(f'<text class="tick" x="{x(month):.1f}" y="{y(0) + 13:.1f}" text-anchor="middle">{month}</text>')
    parts.append(f'<text class="axis" x="{x(last):.1f}" y="{y(0) + 26:.1f}" text-anchor="end">months</text>')
    return "".join(parts)


def _steps(cohort: Mapping[str, Any], x: Any, y: Any, last: float) -> list[tuple[float, float]]:
    points, level = [(x(0), y(1.0))], 1.0
    for month, chance in zip(cohort["months"], cohort["probability"], strict=True):
        points += [(x(month), y(level)), (x(month), y(chance))]
        level = chance
    return [*points, (x(last), y(level))]


def _interpolate(months: Sequence[float], values: Sequence[float], at: float) -> float:
    """Linear between the two nearest points; ``at`` lies inside ``months``."""
    for (m0, v0), (m1, v1) in zip(
        zip(months, values, strict=True), zip(months[1:], values[1:], strict=True), strict=False
    ):
        if m0 <= at <= m1 and m1 > m0:
            return v0 + (v1 - v0) * (at - m0) / (m1 - m0)
    return values[-1]


def bar_chart(rows: Sequence[Mapping[str, Any]], label: str, title: str) -> Markup:
    """Diverging horizontal bars of ``value``; right of the line raises the risk, left lowers it."""
    width, height = 280, ROW_HEIGHT * len(rows) + 16
    most = max((abs(r["value"]) for r in rows), default=0.0) or 1.0
    lowest = min(0.0, *(r["value"] for r in rows))
    room = width - LABEL_WIDTH - 44 - (44 if lowest < 0 else 0)
    share = (most, most) if lowest < 0 else (0.0, most)
    zero = LABEL_WIDTH + (44 if lowest < 0 else 0) + room * (share[0] / (share[0] + share[1]))
    scale = room / (share[0] + share[1])
    parts = [f'<line class="zero" x1="{zero:.1f}" x2="{zero:.1f}" y1="0" y2="{height - 14}"/>']
    for i, row in enumerate(rows):
        value, mid = row["value"], i * ROW_HEIGHT + 11
        length = abs(value) * scale
        start = zero if value >= 0 else zero - length
        parts.append(
            f'<text class="name" x="{LABEL_WIDTH - 8}" y="{mid}" text-anchor="end">{escape(_short(row[label]))}</text>'
        )
        parts.append(
            f'<rect class="{"raises" if value >= 0 else "lowers"}" x="{start:.1f}" y="{mid - 9}" '
            f'width="{max(length, 0.8):.1f}" height="11" rx="1.5"/>'
        )
        end, anchor = (start + length + 4, "start") if value >= 0 else (start - 4, "end")
        parts.append(
            f'<text class="value" x="{end:.1f}" y="{mid}" text-anchor="{anchor}">{value:+.{_digits(most)}f}</text>'
        )
    caption_y = height - 3
    parts.append(f'<text class="axis" x="{zero + 4:.1f}" y="{caption_y}">raises risk →</text>')
    if lowest < 0:
        parts.append(f'<text class="axis" x="{zero - 4:.1f}" y="{caption_y}" text-anchor="end">← lowers risk</text>')
    return _svg(width, height, parts, title)


def follow_up_bar(months: float, event: bool, longest: float) -> Markup:
    """One case's follow-up as a bar on a scale shared by all rows; dot = death, arrow = alive at last visit."""
    width, height, room = 180, 14, 92
    end = 2 + room * months / (longest or 1.0)
    mark = (
        f'<circle class="died" cx="{end:.1f}" cy="7" r="3.6"/>'
        if event
        else f'<path class="alive" d="M{end - 3:.1f} 3 L{end + 4:.1f} 7 L{end - 3:.1f} 11"/>'
    )
    words = f"{months:.0f} months, {'died' if event else 'alive'}"
    parts = (
        f'<line class="follow" x1="2" x2="{end:.1f}" y1="7" y2="7"/>',
        mark,
        f'<text class="value" x="{end + 8:.1f}" y="10.5">{words}</text>',
    )
    return _svg(width, height, parts, words)


def _digits(most: float) -> int:
    return 2 if most >= 0.1 else 3


def _short(text: object, limit: int = 13) -> str:
    words = str(text).replace("_", " ")
    return words if len(words) <= limit else words[: limit - 1] + "…"


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{px:.1f},{py:.1f}" for px, py in points)


def _svg(width: int, height: int, parts: Sequence[str], title: str) -> Markup:
    head = f'<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">'
    return Markup(head + "".join(parts) + "</svg>")  # every label above is escaped
