"""The page in a real browser: read the demo report, ask twice, open a citation; nothing leaves, no console error."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.chat_events import AnswerText
from app.doctor import find_chromium
from app.page.case_tabs import evidence_tab
from app.page_html import Turn, cited, conversation, evidence_panel, report_frame
from app.settings import Settings
from assistant.report import Report

CHROMIUM_FLAGS = (
    "--no-sandbox", "--headless", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


def test_a_known_citation_is_a_chip_and_all_else_is_text() -> None:
    made = str(cited("Found [M1], not [M9]. <b>x</b> ![](http://evil.example/x.png)", {"M1"}))
    assert 'data-evidence="M1">M1</button>' in made
    assert "[M9]" in made and "<b>" not in made and "<img" not in made


def test_a_question_is_escaped_too() -> None:
    made = conversation([Turn("<script>alert(1)</script>", "yes", done=True)], ())
    assert "<script>" not in made and "&lt;script&gt;" in made


def test_what_a_what_if_computed_opens_from_its_own_turn(ask_what_if: Callable[[str], AnswerText]) -> None:
    turns = []
    for stage in ("IV", "II"):
        text = ask_what_if(f"What if the stage were {stage}?")
        turns.append(Turn("?", text.shown(), done=True, added=text.added()))
    made = conversation(turns, {"P1"})
    for number, stage in enumerate(("IV", "II")):
        assert f'data-evidence="turn{number}-P9">P9</button>' in made
        entry = made.partition(f'<article class="rd-ev" data-id="turn{number}-P9" hidden>')[2].partition("</article>")[
            0
        ]
        assert f"if the stage were {stage} with everything else as recorded" in entry
        assert "on a copy of the patient, changed as supposed" in entry
        assert "the same survival model predicted again" in entry
        assert "radomica-fusion-synthetic-v1" in entry and "higher risk" in entry
    assert made.count('data-evidence="P1">P1</button>') == 2


def test_the_panel_holds_every_entry_with_its_picture(report: Report) -> None:
    data = report.to_dict()
    panel = evidence_panel(data)
    assert all(f'data-id="{e.id}"' in panel for e in report.evidence)
    assert panel.count("data:image/png;base64,") == 3  # I1 and I2 lie on the CT, I3 on the PET
    assert "<script>alert" not in panel + evidence_tab(data)
    assert 'href="https://pubmed.ncbi.nlm.nih.gov/29151359/"' in panel


def test_there_is_no_frame_before_there_is_a_report() -> None:
    assert "<iframe" not in report_frame({"id": "report-1", "state": "running"})


@pytest.fixture
def ask_what_if(
    fake_chain: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], AnswerText]:
    from app.workbench import Workbench  # noqa: PLC0415

    fake_chain()
    monkeypatch.setattr(Workbench, "check_question", lambda self, case_id, question: question)
    bench = Workbench(Settings(home=tmp_path))

    def ask(question: str) -> AnswerText:
        text = AnswerText()
        for event in bench.ask("case", question):
            text.add(event)
        return text

    return ask


@pytest.fixture
def server(fake_chain: Callable[..., None], tmp_path: Path) -> Iterator[str]:
    uvicorn = pytest.importorskip("uvicorn")
    from app.api import make_app  # noqa: PLC0415  Gradio takes seconds to import

    fake_chain()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = uvicorn.Server(
        uvicorn.Config(make_app(Settings(home=tmp_path), port=port), host="127.0.0.1", port=port, log_level="warning")
    )
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    end = time.monotonic() + 60
    while not running.started and time.monotonic() < end:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    running.should_exit = True
    thread.join(timeout=10)


@pytest.fixture
def browser() -> Iterator[Any]:
    path = find_chromium() or shutil.which("/usr/bin/chromium")
    if path is None:
        pytest.skip("no Chromium on this machine; install one to test the page in a browser")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=path, args=list(CHROMIUM_FLAGS))
        yield opened
        opened.close()


@pytest.mark.browser
def test_open_the_demo_case_ask_two_questions_and_open_a_source(server: str, browser: Any) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 850})
    troubles: list[str] = []
    page.on("console", lambda m: troubles.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda e: troubles.append(str(e)))
    page.on("request", lambda r: troubles.append(r.url) if not r.url.startswith((server, "data:", "blob:")) else None)
    page.goto(server)
    frame = page.frame_locator("iframe.rd-report")
    frame.get_by_role("heading", name="HAND-0001").wait_for(timeout=60_000)
    frame.locator(".s-summary .chip").first.click()
    assert frame.locator("#evidence").evaluate("box => box.open")
    assert page.get_by_text("Research use only").first.is_visible()
    page.get_by_role("tab", name="Chat").click()
    for number, question in enumerate(("Is EGFR mutated?", "Which drug?")):
        box = page.locator("#rd-question textarea")
        box.fill(question)
        box.press("Enter")
        answer = page.locator(".rd-a[data-state=done]").nth(number)
        answer.wait_for(timeout=30_000)
        assert answer.locator(".rd-chip").count() == 2
    assert page.get_by_text("What the answer rests on").count() == 0
    page.locator("#rd-weigh input").check()
    box.fill("Which drug, then?")
    box.press("Enter")
    page.get_by_text("image blanked: 1 of 2 sentences change").wait_for(timeout=30_000)
    page.locator(".rd-a .rd-chip", has_text="G1").last.click()
    source = page.locator(".rd-ev:visible")
    assert source.count() == 1 and "PMID 29151359" in source.inner_text()
    for stage in ("IV", "II"):  # both answers call their evidence P9; each chip opens its own
        box.fill(f"What if the stage were {stage}?")
        box.press("Enter")
        page.locator(".rd-q", has_text=f"were {stage}?").wait_for(timeout=30_000)
        page.locator(".rd-a[data-state=done]", has_text=f"were {stage} with").wait_for(timeout=30_000)
    for stage in ("IV", "II"):
        page.locator(".rd-a", has_text=f"were {stage} with").locator(".rd-chip", has_text="P9").click()
        assert source.count() == 1 and f"if the stage were {stage} with" in source.inner_text()
        assert "on a copy of the patient, changed as supposed" in source.inner_text()
    page.locator(".rd-a .rd-chip", has_text="P1").last.click()
    assert source.count() == 1 and "Computed for this answer" not in source.inner_text()
    page.keyboard.press("Escape")
    assert source.count() == 0
    page.get_by_role("tab", name="Files").click()
    assert page.get_by_role("link", name="report.json").is_visible()
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert troubles == []
