"""The figures of a run as one self-contained HTML page: accuracy a set with its interval, reliability, the table.

No script, nothing loaded from elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from eval.suites.item import Problem
from eval.suites.summary import MOST_PROBLEMS, PUBLISHED
from eval.suites.tables import Table, interval, more_tables, number

WIDTH, ROW, LEFT = 720, 30, 190
SIDE = 260
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#1d2733;background:#fff}
h1{font-size:1.4rem} h2{font-size:1.1rem;margin-top:2rem} table{border-collapse:collapse;width:100%}
th,td{text-align:right;padding:.3rem .6rem;border-bottom:1px solid #d9e0e8;font-variant-numeric:tabular-nums}
th:first-child,td:first-child{text-align:left} .note{color:#4a5868;font-size:.9rem}
.notice{background:#fff4d6;border-left:4px solid #b88500;padding:.5rem .8rem} svg text{font:13px system-ui,sans-serif}
"""


def run_page(metrics: Mapping[str, Any], problems: Sequence[Problem]) -> str:
    """HTML of a run's metrics (``score.summarise`` and the configuration)."""
    config = metrics["config"]
    title = f"{metrics['suite']}: {config['system']}, {config['llm']}"
    rows = [*metrics["sets"].items(), ("all items", metrics["all_items"])]
    calibration = metrics["all_items"]["calibration"]
    parts = [
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{escape(title)}</title><style>{_STYLE}</style>",
        "<meta name='viewport' content='width=device-width,initial-scale=1'>",
        f"<h1>{escape(title)}</h1><p class='notice'>{escape(metrics['research_use'])}</p>",
        f"<h2>Accuracy, 95 % interval</h2>{_bars(rows)}{_table(rows)}",
    ]
    if calibration["n"]:
        error = calibration["expected_calibration_error"]
        parts.append(
            f"<h2>Reliability</h2>{_reliability(calibration['bins'])}<p class='note'>Expected calibration error "
            f"{error:.3f} over {calibration['n']} items with a confidence, {calibration['without_confidence']} "
            "without. A dot on the line is well calibrated; its size is the number of items.</p>"
        )
    parts += [_more(table) for table in more_tables(metrics)]
    if problems:
        listed = "".join(f"<li>{escape(p.key)}: {escape(p.reason)}</li>" for p in problems[:MOST_PROBLEMS])
        parts.append(f"<h2>Left out: {len(problems)} items of the file</h2><ul>{listed}</ul>")
    parts.append(f"<p class='note'>Commit {escape(metrics['commit'])}, {escape(str(metrics['machine']))}.</p></html>")
    return "\n".join(parts)


def _x(value: float) -> float:
    return LEFT + value * (WIDTH - LEFT - 40)


def _bars(rows: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    height = ROW * len(rows) + 30
    marks = [
        f"<line x1='{_x(v / 4):.0f}' x2='{_x(v / 4):.0f}' y1='0' y2='{height - 24}' stroke='#d9e0e8'/>"
        f"<text x='{_x(v / 4):.0f}' y='{height - 8}' text-anchor='middle' fill='#4a5868'>{v / 4:.2f}</text>"
        for v in range(5)
    ]
    for i, (name, f) in enumerate(rows):
        y = i * ROW + 18
        marks.append(f"<text x='{LEFT - 10}' y='{y + 4}' text-anchor='end'>{escape(name)}</text>")
        if f["accuracy"] is None:
            marks.append(f"<text x='{LEFT}' y='{y + 4}' fill='#4a5868'>not scored</text>")
            continue
        low, high = f["interval"]
        marks.append(
            f"<line x1='{_x(low):.1f}' x2='{_x(high):.1f}' y1='{y}' y2='{y}' stroke='#1c5d99' stroke-width='3'/>"
        )
        marks.append(f"<circle cx='{_x(f['accuracy']):.1f}' cy='{y}' r='5' fill='#1c5d99'/>")
        for who, value, source in PUBLISHED.get(name, ()):
            said = escape(f"{who}: {value:.3f} ({source})")
            marks.append(
                f"<path d='M{_x(value):.1f} {y - 9}v18' stroke='#b85c00' stroke-width='2'><title>{said}</title></path>"
            )
    note = (
        "<p class='note'>Dot and bar: this run. Upright ticks: published figures (their names on hover and below).</p>"
    )
    label = "Accuracy of every set with its 95 % interval; the same figures stand in the table below"
    return (
        f"<svg viewBox='0 0 {WIDTH} {height}' width='100%' role='img' aria-label='{label}'>{''.join(marks)}</svg>{note}"
    )


def _table(rows: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    head = ("set", "n", "right", "partly", "wrong", "no answer", "not scored", "accuracy", "95 % interval", "published")
    body = []
    for name, f in rows:
        published = "; ".join(f"{who} {value:.3f}" for who, value, _ in PUBLISHED.get(name, ()))
        cells = [name, f["n"], f["right"], f["partly"], f["wrong"], f["no_answer"], f["not_scored"],
                 number(f["accuracy"]), interval(f), published]  # fmt: skip
        body.append("<tr>" + "".join(f"<td>{escape(str(c))}</td>" for c in cells) + "</tr>")
    return _html_table(head, body)


def _more(table: Table) -> str:
    note = f"<p class='note'>{escape(table.note)}</p>" if table.note else ""
    body = ["<tr>" + "".join(f"<td>{escape(str(c))}</td>" for c in row) + "</tr>" for row in table.rows]
    return f"<h2>{escape(table.title)}</h2>{note}{_html_table(table.head, body)}"


def _html_table(head: Sequence[str], body: Sequence[str]) -> str:
    top = "".join(f"<th scope='col'>{escape(h)}</th>" for h in head)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def _reliability(bins: Sequence[Mapping[str, float]]) -> str:
    def at(value: float) -> float:
        return 40 + value * (SIDE - 60)

    most = max(b["n"] for b in bins)
    dots = "".join(
        f"<circle cx='{at(b['confidence']):.1f}' cy='{SIDE - at(b['accuracy']):.1f}' "
        f"r='{3 + 7 * (b['n'] / most) ** 0.5:.1f}' fill='#1c5d99' fill-opacity='.8'>"
        f"<title>confidence {b['confidence']:.2f}, accuracy {b['accuracy']:.2f}, {b['n']} items</title></circle>"
        for b in bins
    )
    frame = (
        f"<rect x='{at(0)}' y='{SIDE - at(1)}' width='{at(1) - at(0)}' height='{at(1) - at(0)}' fill='none' "
        f"stroke='#9aa7b5'/><line x1='{at(0)}' y1='{SIDE - at(0)}' x2='{at(1)}' y2='{SIDE - at(1)}' stroke='#9aa7b5' "
        "stroke-dasharray='4 4'/>"
    )
    text = (
        f"<text x='{at(0.5)}' y='{SIDE - 8}' text-anchor='middle'>stated confidence</text>"
        f"<text x='12' y='{SIDE / 2}' transform='rotate(-90 12 {SIDE / 2})' text-anchor='middle'>accuracy</text>"
    )
    return (
        f"<svg viewBox='0 0 {SIDE} {SIDE}' width='{SIDE}' role='img' aria-label='Reliability'>{frame}{dots}{text}</svg>"
    )
