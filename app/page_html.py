"""HTML pieces of the page: header, case status, chat turns, the drawer of evidence. All from outside is escaped here.

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
    steps : what was done for it, one line each (app/chat_events.py: AnswerText.steps)
    """

    question: str
    answer: str = ""
    note: str = ""
    done: bool = False
    failed: bool = False
    added: tuple[Mapping[str, Any], ...] = ()
    steps: tuple[str, ...] = ()


def header(user: str | None = None, *, images: bool = True) -> str:
    """Name, research-use notice, whether image functions are off, and who is logged in; always in sight.

    user : None for the local user of this machine, who needs no login
    """
    off = Markup("") if images else Markup('<strong class="rd-off">Image functions are switched off</strong>')
    who = (
        Markup(
            '<form class="rd-who" method="post" action="/logout">{} <button type="submit">Log out</button></form>'
        ).format(user)
        if user
        else Markup('<span class="rd-who">this machine, no login</span>')
    )
    return str(Markup('<div class="rd-head"><h1>Radomica</h1><span>{}</span>{}{}</div>').format(RESEARCH_USE, off, who))


def case_status(job: Mapping[str, Any] | None) -> str:
    """What the newest job of the case is doing."""
    if job is None:
        return '<p class="rd-status">No report yet.</p>'
    if job["state"] in ("failed", "cancelled"):
        said = job["error"] or "The report was cancelled."
        return str(Markup('<p class="rd-status rd-bad" role="alert">{}</p>').format(said))
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


def conversation(turns: Sequence[Turn], known: Iterable[str]) -> str:
    """All turns, the newest last. Citations of known evidence become chips that open the panel.

    known : ids of the case's evidence; what a turn added opens from the turn itself
    """
    ids = set(known)
    if not turns:
        return (
            '<div class="rd-turns" role="log" aria-label="Conversation" tabindex="0">'
            '<p class="rd-hint">Ask about this case. Every answer cites its evidence; a click opens it.</p></div>'
        )
    shown = Markup("").join(_turn(t, i, ids) for i, t in enumerate(turns))
    return str(Markup('<div class="rd-turns" role="log" aria-label="Conversation" tabindex="0">{}</div>').format(shown))


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
            Markup('<div class="rd-a" data-state="{}">{}{}{}{}{}</div>').format(
                state, cited(turn.answer, known, own), note, _steps(turn, number), kept, _rating(turn)
            )
        )
    return Markup("").join(parts)


def _steps(turn: Turn, number: int) -> Markup:
    """What was done for an answer, folded."""
    if not turn.steps:
        return Markup("")
    lines = Markup("").join(Markup("<li>{}</li>").format(line) for line in turn.steps)
    count = f"{len(turn.steps)} {'step' if len(turn.steps) == 1 else 'steps'}"
    return Markup('<details class="rd-steps" data-keep="steps{}"><summary>{}</summary><ol>{}</ol></details>').format(
        number, count, lines
    )


def _rating(turn: Turn) -> Markup:
    """Thumbs up and down, for an answer that is whole."""
    if not turn.done or turn.failed or not turn.answer:
        return Markup("")
    return Markup(
        '<p class="rd-rate" data-question="{}" data-answer="{}"><button type="button" data-rate="up" '
        'aria-label="This answer helped">Helpful</button><button type="button" data-rate="down" '
        'aria-label="This answer did not help">Not helpful</button></p>'
    ).format(turn.question, turn.answer)


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


def evidence_panel(report: Mapping[str, Any] | None, case_id: str = "") -> str:
    """The drawer: every evidence entry, hidden until its chip is clicked: text, fields, place, picture, source."""
    entries = Markup("")
    if report is not None:
        slices = {s["series_uid"]: s for s in (report.get("figures") or {}).get("slices", [])}
        entries = Markup("").join(_entry(e, slices) for e in report["evidence"])
    return str(
        Markup(
            '<aside class="rd-panel" id="rd-panel" data-case="{}" role="dialog" aria-label="Evidence" hidden>'
            '<button type="button" class="rd-close" aria-label="Close evidence">Close</button>{}</aside>'
        ).format(case_id, entries)
    )


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
        '<p class="rd-where">{} {}</p>{}</article>'
    ).format(
        entry or item["id"], item["id"], KIND_TITLES[item["kind"]], item["text"], how, picture, fields,
        source_text(item), _links(item), _openers(item, added=entry is not None),
    )  # fmt: skip


_OWN_FILE_KINDS = "FM"
"""Kinds whose file is the patient's own, so that its lines can be shown."""


def _openers(item: Mapping[str, Any], *, added: bool) -> Markup:
    """Buttons that open the source itself: the slice in the viewer, or the lines of the patient's file."""
    source, made = item["source"], Markup("")
    if source.get("series_uid"):
        made += Markup(
            '<p class="rd-open"><button type="button" data-series="{}" data-slice="{}">Open in the viewer</button></p>'
        ).format(source["series_uid"], source.get("slice_index", ""))
    elif source.get("file") and item["kind"] in _OWN_FILE_KINDS and not added:
        made += Markup(
            '<p class="rd-open"><button type="button" data-lines="{}">Show the place in the file</button></p>'
            '<div class="rd-lines" role="status"></div>'
        ).format(item["id"])
    return made


def _links(item: Mapping[str, Any]) -> Markup:
    link = Markup('<a href="{}" target="_blank" rel="noopener noreferrer">{}</a> ')
    return Markup("").join(link.format(address, label) for label, address in source_links(item))
