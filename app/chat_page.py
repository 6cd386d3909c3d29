"""The page: cases, report, viewer, findings, therapy, evidence, chat, review, downloads. Gradio, beside the API.

No request leaves the machine: system fonts, no analytics, no share link. What the browser posts itself goes to the
API. Not known here: what the widgets call (app/page/desk.py), or HTML (app/page_html.py, app/page/case_tabs.py).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when Gradio is imported

import gradio as gr
from fastapi import FastAPI

from app import page_html as pieces
from app.page.desk import Desk
from app.page_html import EXAMPLES
from app.workbench import Workbench

POLL_SECONDS = 2.0
ASKING_AT_ONCE = 2
"""Questions of all pages answered at the same time; more wait in line."""

REFRESHING_AT_ONCE = 8

ACCENT = gr.themes.Color(
    name="radomica", c50="#eef5f8", c100="#e6eff4", c200="#c5dae5", c300="#94bacd", c400="#4d88a6", c500="#14506e",
    c600="#14506e", c700="#104159", c800="#0d3347", c900="#0a2836", c950="#061a24",
)  # fmt: skip

UPLOAD = """
<form class="rd-upload" aria-label="Add a patient">
<p class="rd-drop">Drop a zip, files or a folder here, or</p>
<p class="rd-pick"><label class="rd-button">Choose files<input type="file" name="files" multiple></label>
<label class="rd-button">Choose a folder<input type="file" name="folder" webkitdirectory></label></p>
<p><label><input type="checkbox" name="deidentify"> Take names and dates of birth out first</label></p>
<progress max="100" value="0" hidden aria-label="Upload"></progress>
<div class="rd-upload-said" role="status"></div></form>
"""


def mount_page(api: FastAPI, workbench: Workbench, *, port: int) -> None:
    """Mount the page at / of the API's application."""
    asset = files("app")
    scripts = (asset / "page" / "viewer.js", asset / "page.js", asset / "page" / "actions.js")
    styles = (asset / "page.css", asset / "page" / "viewer.css")
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
        css="\n".join(s.read_text(encoding="utf-8") for s in styles),
        head="".join(f"<script>{s.read_text(encoding='utf-8')}</script>" for s in scripts),
    )


@dataclass(frozen=True)
class _Chat:
    """The chat's widgets."""

    messages: Any
    question: Any
    weigh: Any
    stop: Any
    retry: Any
    examples: list[Any]


@dataclass(frozen=True)
class _Side:
    """The widgets beside the tabs."""

    search: Any
    cases: Any
    status: Any
    again: Any


def build_page(workbench: Workbench) -> gr.Blocks:
    """The page's widgets and what each does."""
    desk = Desk(workbench)
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    with gr.Blocks(title="Radomica", fill_width=True, analytics_enabled=False) as page:
        shown, turns = gr.State(""), gr.State([])
        head = gr.HTML(pieces.header(), elem_id="rd-headbox")
        with gr.Row(elem_id="rd-body"):
            with gr.Column(scale=1, min_width=230, elem_id="rd-side"):
                side = _side()
            with gr.Column(scale=5, min_width=320, elem_id="rd-main"), gr.Tabs(elem_id="rd-tabs"):
                boxes = [_tab(name) for name in ("Report", "Viewer", "Predictions", "Molecular", "Therapy")]
                boxes += [_tab(name) for name in ("Similar cases", "Evidence")]
                with gr.Tab("Chat", elem_id="rd-chat"):
                    chat = _chat()
                boxes += [_tab(name) for name in ("Review", "Files")]
        panel = gr.HTML(elem_id="rd-panelbox")
        timer = gr.Timer(POLL_SECONDS)
        page.load(desk.open_page, None, [head], **quiet)
        views = [side.cases, side.status, shown, turns, chat.messages, *boxes, panel]
        for trigger in (page.load, timer.tick, side.cases.input, side.search.input):
            trigger(desk.refresh, [side.cases, side.search, shown], views, concurrency_limit=REFRESHING_AT_ONCE,
                    concurrency_id="refresh", trigger_mode="always_last", **quiet)  # fmt: skip
        side.again.click(desk.write_again, [side.cases], [side.status], **quiet)
        _wire_chat(desk, chat, side.cases, turns, quiet)
    return page


def _side() -> _Side:
    gr.HTML("<h2>Cases</h2>")
    search = gr.Textbox(
        placeholder="Search by name, id or date", label="Search cases", show_label=False, container=False, lines=1,
        elem_id="rd-search",
    )  # fmt: skip
    cases = gr.Radio(choices=[], label="Cases", show_label=False, container=False, elem_id="rd-cases")
    status = gr.HTML()
    again = gr.Button("Write the report again", size="sm")
    with gr.Accordion("Add a patient", open=False, elem_id="rd-add"):
        gr.HTML(UPLOAD)
    return _Side(search, cases, status, again)


def _tab(name: str) -> Any:
    with gr.Tab(name):
        return gr.HTML()


def _chat() -> _Chat:
    messages = gr.HTML(elem_id="rd-messages")
    with gr.Row(elem_id="rd-examples"):
        examples = [gr.Button(text, size="sm") for text in EXAMPLES]
    question = gr.Textbox(
        placeholder="Ask about this case", label="Question", show_label=False, lines=1, max_lines=4, submit_btn=True,
        elem_id="rd-question",
    )  # fmt: skip
    with gr.Row(elem_id="rd-chat-row"):
        weigh = gr.Checkbox(
            label="Also say how the answer changes without the image and without the omics (slower)",
            container=False, elem_id="rd-weigh",
        )  # fmt: skip
        stop = gr.Button("Stop", size="sm", elem_id="rd-stop", min_width=80)
        retry = gr.Button("Ask again", size="sm", elem_id="rd-retry", min_width=80)
    return _Chat(messages, question, weigh, stop, retry, examples)


def _wire_chat(desk: Desk, chat: _Chat, cases: Any, turns: Any, quiet: dict[str, Any]) -> None:
    outputs = [chat.messages, turns, chat.question]
    limit: dict[str, Any] = {"concurrency_limit": ASKING_AT_ONCE, "concurrency_id": "ask", **quiet}
    asking = [chat.question.submit(desk.ask, [chat.question, cases, turns, chat.weigh], outputs, **limit)]
    for button in chat.examples:
        asking.append(button.click(desk.ask, [button, cases, turns, chat.weigh], outputs, **limit))
    asking.append(chat.retry.click(desk.ask_again, [cases, turns, chat.weigh], outputs, **limit))
    chat.stop.click(desk.stopped, [cases, turns], [chat.messages, turns], cancels=asking, **quiet)


def _theme() -> gr.themes.Base:
    fonts = ("Inter", "Segoe UI", "Helvetica Neue", "Liberation Sans", "Arial", "sans-serif")
    return gr.themes.Base(
        primary_hue=ACCENT, neutral_hue=gr.themes.colors.slate, radius_size="sm", font=fonts,
        font_mono=("ui-monospace", "Liberation Mono", "monospace"),
    ).set(
        body_background_fill="#e9edf0", button_primary_background_fill="#14506e", button_primary_text_color="#ffffff",
        block_border_width="0px", block_background_fill="transparent", block_shadow="none",
    )  # fmt: skip
