"""The page: choose or upload a case, read its report, ask about it, download. Gradio, mounted beside the API.

No request leaves the machine: system fonts, no analytics, no share link.
Not known here: how reports and answers are made (app/workbench.py), or HTML pieces (app/page_html.py).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when Gradio is imported

import gradio as gr
from fastapi import FastAPI

from app import page_html as pieces
from app.chat_events import AnswerText
from app.page_html import EXAMPLES, Turn
from app.workbench import DEMO_CASE, Workbench
from encoders.errors import RadomicaError

POLL_SECONDS = 2.0
KEPT_TURNS = 6
"""Earlier turns handed to the model with a question."""


ACCENT = gr.themes.Color(
    name="radomica", c50="#eef5f8", c100="#e6eff4", c200="#c5dae5", c300="#94bacd", c400="#4d88a6", c500="#14506e",
    c600="#14506e", c700="#104159", c800="#0d3347", c900="#0a2836", c950="#061a24",
)  # fmt: skip


def mount_page(api: FastAPI, workbench: Workbench, *, port: int) -> None:
    """Mount the page at / of the API's application."""
    asset = files("app")
    gr.mount_gradio_app(
        api,
        build_page(workbench),
        path="/",
        server_name="127.0.0.1",
        server_port=port,
        footer_links=[],
        show_error=True,
        ssr_mode=False,
        enable_monitoring=False,
        theme=_theme(),
        css=(asset / "page.css").read_text(encoding="utf-8"),
        head=f"<script>{(asset / 'page.js').read_text(encoding='utf-8')}</script>",
    )


def build_page(workbench: Workbench) -> gr.Blocks:
    """The page's widgets and what each does."""
    desk = _Desk(workbench)
    with gr.Blocks(title="Radomica", fill_width=True, analytics_enabled=False) as page:
        shown, turns = gr.State(""), gr.State([])
        gr.HTML(pieces.header(), elem_id="rd-headbox")
        with gr.Row(elem_id="rd-body"):
            with gr.Column(scale=1, min_width=230, elem_id="rd-side"):
                gr.HTML("<h2>Cases</h2>")
                cases = gr.Radio(choices=[], show_label=False, container=False, elem_id="rd-cases")
                status = gr.HTML()
                upload = gr.UploadButton("Add a patient folder (zip)", file_types=[".zip"], size="sm")
                again = gr.Button("Write the report again", size="sm")
            with gr.Column(scale=5, min_width=320), gr.Tabs():
                with gr.Tab("Report"):
                    report = gr.HTML()
                with gr.Tab("Chat"), gr.Row(elem_id="rd-chat"):
                    with gr.Column(scale=3, min_width=300):
                        messages = gr.HTML(elem_id="rd-messages")
                        with gr.Row(elem_id="rd-examples"):
                            examples = [gr.Button(text, size="sm") for text in EXAMPLES]
                        question = gr.Textbox(
                            placeholder="Ask about this case", show_label=False, lines=1, max_lines=4, submit_btn=True,
                            elem_id="rd-question",
                        )  # fmt: skip
                        weigh = gr.Checkbox(
                            label="Also say how the answer changes without the image and without the omics (slower)",
                            container=False, elem_id="rd-weigh",
                        )  # fmt: skip
                    with gr.Column(scale=2, min_width=260):
                        panel = gr.HTML()
                with gr.Tab("Evidence"):
                    table = gr.HTML()
                with gr.Tab("Downloads"):
                    links = gr.HTML()
        timer = gr.Timer(POLL_SECONDS)
        views = [cases, status, shown, turns, messages, report, panel, table, links]
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        for trigger in (page.load, timer.tick, cases.input):
            trigger(desk.refresh, [cases, shown], views, **quiet)
        upload.upload(desk.add_case, [upload], [cases, status], **quiet)
        again.click(desk.write_again, [cases], [status], **quiet)
        asked = [question, cases, turns, weigh]
        question.submit(desk.ask, asked, [messages, turns, question], **quiet)
        for button in examples:
            button.click(desk.ask, [button, cases, turns, weigh], [messages, turns, question], **quiet)
    return page


class _Desk:
    """What the widgets call."""

    def __init__(self, workbench: Workbench) -> None:
        self.workbench = workbench

    def refresh(self, case_id: str | None, shown: str) -> tuple[Any, ...]:
        """Case list and status always; report, chat and evidence only when another report is to be shown."""
        known = [(c.title, c.case_id) for c in self.workbench.cases()]
        ids = [value for _, value in known]
        chosen = case_id if case_id in ids else (DEMO_CASE if DEMO_CASE in ids else next(iter(ids), None))
        newest = self._newest(chosen or DEMO_CASE)
        radio = gr.update(choices=known, value=chosen) if known else gr.skip()
        status = pieces.case_status(newest)
        done = self.workbench.latest_report(chosen) if chosen else None
        now = f"{chosen}:{done['id'] if done else ''}"
        if now == shown:
            return (radio, status, *[gr.skip()] * 7)
        report = self.workbench.report_json(done) if done else None
        return (
            radio,
            status,
            now,
            [],
            pieces.conversation([], ()),
            pieces.report_frame(done),
            pieces.evidence_panel(report),
            pieces.evidence_table(report),
            pieces.downloads(done),
        )

    def add_case(self, path: str | None) -> tuple[Any, Any]:
        """Keep an uploaded zip and start its report."""
        if not path:
            return gr.skip(), gr.skip()
        try:
            case = self.workbench.files.add_zip(Path(path), title=Path(path).stem)
            job = self.workbench.submit(case.case_id)
        except RadomicaError as error:
            raise gr.Error(str(error), print_exception=False) from error
        known = [(c.title, c.case_id) for c in self.workbench.cases()]
        return gr.update(choices=known, value=case.case_id), pieces.case_status(job)

    def write_again(self, case_id: str | None) -> str:
        """Queue another report of the chosen case."""
        if not case_id:
            raise gr.Error("Choose a case first.", print_exception=False)
        return pieces.case_status(self.workbench.submit(case_id))

    def ask(
        self, question: str, case_id: str | None, turns: list[Turn], weigh: bool
    ) -> Iterator[tuple[str, list[Turn], Any]]:
        """Stream the answer to one question into the conversation."""
        if not question.strip():
            yield gr.skip(), gr.skip(), gr.skip()
            return
        done = self.workbench.latest_report(case_id) if case_id else None
        if case_id is None or done is None:
            raise gr.Error("The chat opens when the case's report is written.", print_exception=False)
        known = {e["id"] for e in self.workbench.report_json(done)["evidence"]}
        history = [(t.question, t.answer) for t in turns[-KEPT_TURNS:] if t.done and not t.failed]
        turn = Turn(question.strip(), note="looking through the evidence")
        yield pieces.conversation([*turns, turn], known), turns, ""
        try:
            text = AnswerText()
            for event in self.workbench.ask(case_id, turn.question, history, reliance=weigh):
                text.add(event)
                turn = Turn(turn.question, answer=text.shown(), note=text.note(), added=text.added())
                yield pieces.conversation([*turns, turn], known), turns, gr.skip()
            turn = Turn(turn.question, answer=text.shown(), note=text.final_note(), done=True, added=text.added())
        except RadomicaError as error:
            turn = Turn(turn.question, note=str(error), done=True, failed=True)
        yield pieces.conversation([*turns, turn], known), [*turns, turn], gr.skip()

    def _newest(self, case_id: str) -> dict[str, Any] | None:
        jobs = [j for j in self.workbench.jobs() if j["case_id"] == case_id]
        return jobs[-1] if jobs else None


def _theme() -> gr.themes.Base:
    fonts = ("Inter", "Segoe UI", "Helvetica Neue", "Liberation Sans", "Arial", "sans-serif")
    return gr.themes.Base(
        primary_hue=ACCENT, neutral_hue=gr.themes.colors.slate, radius_size="sm", font=fonts,
        font_mono=("ui-monospace", "Liberation Mono", "monospace"),
    ).set(
        body_background_fill="#e9edf0", button_primary_background_fill="#14506e", button_primary_text_color="#ffffff",
        block_border_width="0px", block_background_fill="transparent", block_shadow="none",
    )  # fmt: skip
