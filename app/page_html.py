"""HTML pieces of the page: case header, status, chat turns, evidence panel. Everything from outside is escaped here.

The pieces are put into gr.HTML components, which do not escape; so no value enters one except through ``escape``.
Not known here: Gradio, or how an answer is made.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from app.render.tables import KIND_TITLES, source_links, source_text
from assistant.evidence import CITATION
from assistant.report import RESEARCH_USE

EXAMPLES = (
    "What does the imaging show?",
    "Which targeted therapies apply, and how strong is the evidence?",
    "What is the predicted survival?",
    "Which data are missing, and what would they change?",
)

FRAME_RIGHTS = "allow-scripts allow-popups allow-popups-to-escape-sandbox"
"""What the report may do in its frame: its own small script, and links to PubMed in a new tab."""

_SPACES = re.compile(r"[ \t]+")


@dataclass(frozen=True)
class Turn:
    """One question with what has been answered so far. ``note`` is a status ("reading the case") or an error.

    added : evidence that this answer made (a what-if), as app/chat_events.py: evidence_to_dict; kept with the turn,
        because another answer may give the same id to other evidence
    """

    question: str
    answer: str = ""
    note: str = ""
    done: bool = False
    failed: bool = False
    added: tuple[Mapping[str, Any], ...] = ()


def header() -> str:
    """Name and research-use notice, always in sight."""
    return str(Markup('<div class="rd-head"><b>Radomica</b><span>{}</span></div>').format(RESEARCH_USE))


def case_status(job: Mapping[str, Any] | None) -> str:
    """What the newest job of the case is doing."""
    if job is None:
        return '<p class="rd-status">No report yet.</p>'
    if job["state"] == "failed":
        return str(Markup('<p class="rd-status rd-bad">{}</p>').format(job["error"]))
    if job["state"] == "done":
        made = str(job["created"])[:16].replace("T", " ")
        return str(Markup('<p class="rd-status">Report of {} UTC</p>').format(made))
    return str(Markup('<p class="rd-status rd-busy">Writing the report: {}</p>').format(job["progress"]))


def report_frame(job: Mapping[str, Any] | None) -> str:
    """The report page in a frame, or what stands in its place."""
    if job is None or job["state"] != "done":
        return '<div class="rd-empty">The report appears here when it is written.</div>'
    return str(
        Markup(
            '<iframe class="rd-report" title="Report" src="/v1/reports/{}?format=html" sandbox="{}"></iframe>'
        ).format(job["id"], FRAME_RIGHTS)
    )


def downloads(job: Mapping[str, Any] | None) -> str:
    """Links to both files of a finished report."""
    if job is None or job["state"] != "done":
        return '<div class="rd-empty">Nothing to download yet.</div>'
    rows = (
        ("html", "report.html", "the report as one page: opens anywhere, prints on A4, needs no network"),
        ("json", "report.json", "the same report as data: claims, verdicts, evidence, versions"),
    )
    items = Markup("").join(
        Markup('<li><a href="/v1/reports/{}/report.{}" download>{}</a> <span>{}</span></li>').format(job["id"], *row)
        for row in rows
    )
    return str(Markup('<ul class="rd-files">{}</ul>').format(items))


def conversation(turns: Sequence[Turn], known: Iterable[str]) -> str:
    """All turns, the newest last. Citations of known evidence become chips that open the panel.

    known : ids of the case's evidence; what a turn added opens from the turn itself
    """
    ids = set(known)
    if not turns:
        return '<div class="rd-empty">Ask about this case. Every answer cites its evidence; a click opens it.</div>'
    return str(
        Markup('<div class="rd-turns">{}</div>').format(Markup("").join(_turn(t, i, ids) for i, t in enumerate(turns)))
    )


def _turn(turn: Turn, number: int, known: set[str]) -> Markup:
    own = {str(e["id"]): f"turn{number}-{e['id']}" for e in turn.added}
    parts = [Markup('<div class="rd-q">{}</div>').format(turn.question)]
    if turn.answer or turn.note:
        note = (
            Markup('<p class="rd-note{}">{}</p>').format(" rd-bad" if turn.failed else "", turn.note)
            if turn.note
            else ""
        )
        state = "done" if turn.done else "running"
        kept = Markup("").join(_entry(e, {}, own[str(e["id"])]) for e in turn.added)
        parts.append(
            Markup('<div class="rd-a" data-state="{}">{}{}{}</div>').format(
                state, cited(turn.answer, known, own), note, kept
            )
        )
    return Markup("").join(parts)


def cited(text: str, known: set[str], own: Mapping[str, str] | None = None) -> Markup:
    """Escaped text, one paragraph a line, with [M1] as a chip where M1 is known.

    own : id -> the entry to open, for evidence of this answer alone
    """
    entries = {**{i: i for i in known}, **(own or {})}

    def line(words: str) -> Markup:
        parts, at = [], 0
        for match in CITATION.finditer(words):
            parts.append(escape(words[at : match.start()]))
            id_ = match[1]
            parts.append(
                Markup('<button type="button" class="rd-chip" data-evidence="{}">{}</button>').format(entries[id_], id_)
                if id_ in entries
                else escape(match[0])
            )
            at = match.end()
        parts.append(escape(words[at:]))
        return Markup("<p>{}</p>").format(Markup("").join(parts))

    return Markup("").join(line(_SPACES.sub(" ", w)) for w in text.splitlines() if w.strip())


def evidence_panel(report: Mapping[str, Any] | None) -> str:
    """Every evidence entry, hidden until its chip is clicked: text, fields, place, picture, link."""
    if report is None:
        return '<div class="rd-panel" id="rd-panel"><p class="rd-hint">Sources open here.</p></div>'
    slices = {s["series_uid"]: s for s in (report.get("figures") or {}).get("slices", [])}
    entries = Markup("").join(_entry(e, slices) for e in report["evidence"])
    hint = Markup('<p class="rd-hint">Click a citation to see what it rests on.</p>')
    return str(Markup('<div class="rd-panel" id="rd-panel" aria-live="polite">{}{}</div>').format(hint, entries))


def _entry(item: Mapping[str, Any], slices: Mapping[str, Any], entry: str | None = None) -> Markup:
    """One evidence; ``entry`` is what its chips open, where that is not its id."""
    fields = Markup("").join(
        Markup("<tr><th>{}</th><td>{}</td></tr>").format(name.replace("_", " "), field["display"])
        for name, field in item["fields"].items()
    )
    picture = Markup("")
    drawn = slices.get(item["source"].get("series_uid"))
    if drawn:
        shown = drawn["heatmap"] if item["kind"] == "X" and drawn["heatmap"] else drawn["plain"]
        words = f"{drawn['role']}, slice {drawn['slice_number']} of {drawn['slice_count']}"
        picture = Markup('<figure><img src="{}" alt="{}"><figcaption>{}</figcaption></figure>').format(
            shown, words, words
        )
    how = Markup('<p class="rd-how">{}</p>').format(item["how"]) if item.get("how") else ""
    return Markup(
        '<article class="rd-ev" data-id="{}" hidden><h3><b>{}</b> {}</h3><p>{}</p>{}{}<table>{}</table>'
        '<p class="rd-where">{} {}</p></article>'
    ).format(
        entry or item["id"], item["id"], KIND_TITLES[item["kind"]], item["text"], how, picture, fields,
        source_text(item), _links(item),
    )  # fmt: skip


def evidence_table(report: Mapping[str, Any] | None) -> str:
    """The whole ledger as a table."""
    if report is None:
        return '<div class="rd-empty">The evidence appears here when the report is written.</div>'
    rows = Markup("").join(
        Markup("<tr><th>{}</th><td>{}</td><td>{}</td><td>{} {}</td></tr>").format(
            e["id"], KIND_TITLES[e["kind"]], e["text"], source_text(e), _links(e)
        )
        for e in report["evidence"]
    )
    head = Markup("<thead><tr><th></th><th>Kind</th><th>Evidence</th><th>Source</th></tr></thead>")
    return str(Markup('<div class="rd-table"><table>{}<tbody>{}</tbody></table></div>').format(head, rows))


def _links(item: Mapping[str, Any]) -> Markup:
    link = Markup('<a href="{}" target="_blank" rel="noopener noreferrer">{}</a> ')
    return Markup("").join(link.format(address, label) for label, address in source_links(item))
