"""A run folder for people: run.md and run.html (one file, pictures inside, nothing fetched) from what the folder holds.

What this module does not know: how a figure was measured. It reads config.json, metrics.json and model/card.json.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from encoders.atomic_write import write_atomically
from encoders.cohort_runs import run_plots
from encoders.cohort_runs.run_tables import Section, sections_of

NOTICE = "Research use only. Not a medical device."
_CSS = """
body{font:15px/1.5 system-ui,sans-serif;color:#1c2530;max-width:62rem;margin:2rem auto;padding:0 1.2rem}
h1{font-size:1.5rem;margin:.2rem 0}h2{font-size:1.15rem;margin:2.2rem 0 .4rem;border-bottom:1px solid #d5dbe1}
.notice{background:#fff3d6;border-left:4px solid #c98a00;padding:.5rem .8rem;font-weight:600}
table{border-collapse:collapse;margin:.6rem 0;font-size:.9rem;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:.22rem .9rem .22rem 0;border-bottom:1px solid #e6eaee;vertical-align:top}
th{color:#52606d;font-weight:600}
td:not(:last-child){white-space:nowrap}.wide{overflow-x:auto}p.note{color:#52606d;font-size:.88rem;margin:.3rem 0}
figure{margin:.8rem 0}img{max-width:100%;height:auto}
@media print{body{margin:0;max-width:none}h2{break-after:avoid}figure,table{break-inside:avoid}}
"""


def write_run_page(out: Path) -> None:
    """Write run.md and run.html into the run folder ``out``, which holds metrics.json and config.json."""
    config, figures = (json.loads((out / f"{n}.json").read_text(encoding="utf-8")) for n in ("config", "metrics"))
    card = out / "model" / "card.json"
    model = json.loads(card.read_text(encoding="utf-8")) if card.is_file() else None
    title = f"{config['task']}{_positive(config)} of {config['cohort']}"
    sections = sections_of(config, figures, model)
    write_atomically(out / "run.md", markdown(title, sections))
    pictures = run_plots.pictures_of(figures)
    write_atomically(out / "run.html", page(title, sections, pictures))


def _positive(config: Mapping[str, Any]) -> str:
    return f" = {' or '.join(config['positive'])}" if config.get("positive") else ""


def markdown(title: str, sections: Sequence[Section]) -> str:
    """All sections as Markdown."""
    lines = [f"# {title}", "", f"**{NOTICE}**", ""]
    for section in sections:
        lines += [f"## {section.title}", ""]
        lines += [line for text in section.before for line in (text, "")]
        if section.rows:
            lines += [_cells(section.columns), "|" + "---|" * len(section.columns)]
            lines += [*(_cells(row) for row in section.rows), ""]
        lines += [line for text in section.notes for line in (text, "")]
    return "\n".join(lines).rstrip() + "\n"


def _cells(row: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"


def page(title: str, sections: Sequence[Section], pictures: Mapping[str, bytes]) -> str:
    """All sections and pictures (SVG) as one HTML file."""
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<title>{html.escape(title)}</title><style>{_CSS}</style></head><body>",
        f'<p class="notice">{NOTICE}</p><h1>{html.escape(title)}</h1>',
    ]
    for section in sections:
        parts.append(f"<h2>{html.escape(section.title)}</h2>")
        parts += [f"<p>{html.escape(text)}</p>" for text in section.before]
        if section.picture in pictures:
            data = base64.b64encode(pictures[section.picture]).decode()
            words = html.escape(section.title)
            parts.append(f'<figure><img alt="{words}" src="data:image/svg+xml;base64,{data}"></figure>')
        if section.rows:
            head = "".join(f"<th>{html.escape(name)}</th>" for name in section.columns)
            body = "".join(
                "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in section.rows
            )
            parts.append(f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>')
        parts += [f'<p class="note">{html.escape(text)}</p>' for text in section.notes]
    return "".join([*parts, "</body></html>\n"])
