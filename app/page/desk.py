"""What the page's widgets call: every function knows its caller, and shows that caller's cases alone.

What the browser itself posts (uploads, reviews, feedback, what-if, deletion) goes to the API, not through here.
Not known here: widgets (app/chat_page.py), HTML (app/page_html.py, app/page/case_tabs.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr
from markupsafe import Markup

from app import page_html as pieces
from app.access import Caller, Scope, audit, caller_of
from app.case_files import StoredCase
from app.chat_events import AnswerText
from app.page import case_tabs
from app.page_html import Turn
from app.workbench import DEMO_CASE, Workbench
from encoders.errors import RadomicaError

KEPT_TURNS = 6
"""Earlier turns handed to the model with a question."""

TABS = 10
"""Outputs of ``refresh`` that change only with the report shown."""


class Desk:
    """The page's functions over one workbench."""

    def __init__(self, workbench: Workbench) -> None:
        self.workbench = workbench

    def open_page(self, request: gr.Request) -> str:
        """The header for who opened the page."""
        caller = caller_of(request)
        images = bool(getattr(self.workbench.settings, "images", True))
        return pieces.header(None if caller.local else caller.name, images=images)

    def refresh(self, case_id: str | None, wanted: str, shown: str, request: gr.Request) -> tuple[Any, ...]:
        """Case list and status always; the tabs only when another report is to be shown."""
        caller = caller_of(request)
        known = {c.case_id: c for c in self.workbench.cases(caller)}
        first = DEMO_CASE if DEMO_CASE in known else next(iter(known), None)
        chosen = case_id if case_id in known else first
        choices = self._choices(known, wanted, chosen)
        radio = gr.update(choices=choices, value=chosen) if known else gr.update(choices=[], value=None)
        status = pieces.case_status(self._newest(chosen or (DEMO_CASE if caller.local else "")))
        done = self.workbench.latest_report(chosen) if chosen else None
        now = f"{chosen}:{done['id'] if done else ''}"
        if now == shown:
            return (radio, status, *[gr.skip()] * (TABS + 3))
        tabs = self._tabs(known.get(chosen or ""), done, caller)
        return (radio, status, now, [], pieces.conversation([], ()), *tabs)

    def _tabs(self, case: StoredCase | None, done: dict[str, Any] | None, caller: Caller) -> tuple[str, ...]:
        report = self.workbench.report_json(done) if done else None
        case_id = case.case_id if case else ""
        if done:
            audit(caller, "see report", case_id=case_id, report=done["id"])
        reviews = self.workbench.reviews(done["id"]) if done else ()
        may = caller.scopes.__contains__
        return (
            pieces.report_frame(done),
            _viewer(case_id, done["id"] if done else "", self.workbench),
            case_tabs.predictions_tab(report),
            case_tabs.molecular_tab(report),
            case_tabs.therapy_tab(report, case_id),
            case_tabs.similar_tab(report),
            case_tabs.evidence_tab(report),
            case_tabs.review_tab(report, done["id"] if done else "", reviews, may_review=may(Scope.REVIEW)),
            case_tabs.files_tab(
                done,
                case_id,
                case.title if case else "",
                may_delete=may(Scope.DELETE),
                identity=self.workbench.identity_check(case_id) if case else None,
            ),
            pieces.evidence_panel(report, case_id),
        )

    def write_again(self, case_id: str | None, request: gr.Request) -> str:
        """Queue another report of the chosen case."""
        caller = self._allowed(request, case_id, Scope.WRITE)
        return pieces.case_status(self.workbench.submit(str(case_id), owner=caller.name))

    def ask(
        self, question: str, case_id: str | None, turns: list[Turn], weigh: bool, request: gr.Request
    ) -> Iterator[tuple[str, list[Turn], Any]]:
        """Stream the answer to one question into the conversation; the turns hold what is said so far."""
        if not question.strip():
            yield gr.skip(), gr.skip(), gr.skip()
            return
        caller = self._allowed(request, case_id, Scope.ASK)
        done = self.workbench.latest_report(case_id) if case_id else None
        if case_id is None or done is None:
            raise gr.Error("The chat opens when the case's report is written.", print_exception=False)
        known = {e["id"] for e in self.workbench.report_json(done)["evidence"]}
        history = [(t.question, t.answer) for t in turns[-KEPT_TURNS:] if t.done and not t.failed]
        turn = Turn(question.strip(), note="looking through the evidence")
        yield pieces.conversation([*turns, turn], known), [*turns, turn], ""
        try:
            audit(caller, "ask", case_id=case_id, llm=self.workbench.settings.llm)
            text = AnswerText()
            for event in self.workbench.ask(case_id, turn.question, history, reliance=weigh):
                text.add(event)
                turn = Turn(turn.question, text.shown(), text.note(), added=text.added(), steps=text.steps())
                yield pieces.conversation([*turns, turn], known), [*turns, turn], gr.skip()
            turn = replace(turn, note=text.final_note(), done=True)
        except RadomicaError as error:
            turn = Turn(turn.question, note=f"{type(error).__name__}: {error}", done=True, failed=True)
        yield pieces.conversation([*turns, turn], known), [*turns, turn], gr.skip()

    def ask_again(
        self, case_id: str | None, turns: list[Turn], weigh: bool, request: gr.Request
    ) -> Iterator[tuple[str, list[Turn], Any]]:
        """The last question once more, in place of its answer."""
        if not turns:
            yield gr.skip(), gr.skip(), gr.skip()
            return
        yield from self.ask(turns[-1].question, case_id, turns[:-1], weigh, request)

    def stopped(self, case_id: str | None, turns: list[Turn], request: gr.Request) -> tuple[str, list[Turn]]:
        """The conversation after its stream was cut: what was said stays, and is marked as not whole."""
        self._allowed(request, case_id, Scope.ASK)
        if not turns or turns[-1].done:
            return gr.skip(), gr.skip()
        last = replace(turns[-1], note="Stopped; this answer is not whole.", done=True, failed=True)
        done = self.workbench.latest_report(case_id) if case_id else None
        known = {e["id"] for e in self.workbench.report_json(done)["evidence"]} if done else set()
        now = [*turns[:-1], last]
        return pieces.conversation(now, known), now

    def _allowed(self, request: gr.Request, case_id: str | None, scope: Scope) -> Caller:
        """The caller, if the case is theirs to use so; a message on the page and a line in the audit log otherwise."""
        caller = caller_of(request)
        if not case_id:
            raise gr.Error("Choose a case first.", print_exception=False)
        write = scope not in (Scope.READ, Scope.ASK)
        if scope not in caller.scopes or not self.workbench.may_use(caller, case_id, write=write):
            audit(caller, "refused: page", needed=str(scope))
            raise gr.Error("There is no such case, or you may not do this.", print_exception=False)
        return caller

    def _choices(self, known: dict[str, StoredCase], wanted: str, chosen: str | None) -> list[tuple[str, str]]:
        """(label, id) of the cases that fit the search, newest first; the chosen one is always among them."""
        words = wanted.lower().split()
        fit = [c for c in known.values() if all(w in f"{c.title} {c.case_id} {c.created}".lower() for w in words)]
        fit = fit[::-1]
        if chosen and chosen not in {c.case_id for c in fit}:
            fit = [known[chosen], *fit]
        return [(_label(c), c.case_id) for c in fit]

    def _newest(self, case_id: str) -> dict[str, Any] | None:
        jobs = [j for j in self.workbench.jobs() if j["case_id"] == case_id]
        return jobs[-1] if jobs else None


def _label(case: StoredCase) -> str:
    return f"{case.title}\n{case.created[:10]}"


def _viewer(case_id: str, job_id: str, workbench: Workbench) -> str:
    """The place where page/viewer.js builds the viewer; another report builds it anew, with its measurements."""
    if not case_id:
        return '<div class="rd-empty">The viewer opens when a case is chosen.</div>'
    if not getattr(workbench.settings, "images", True):
        return '<div class="rd-empty">Image functions are switched off by a setting; no image is shown.</div>'
    return str(Markup('<div class="rd-viewer" data-case="{}" data-report="{}"></div>').format(case_id, job_id))
