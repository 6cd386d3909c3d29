"""The page as a clinician meets it: a real server, a real browser, the demo case, two questions.

Needs Playwright (extra ``dev``) and a Chromium on this machine; where one is absent the rows say so and are not ok.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from encoders.errors import UnavailableError
from eval.benchmark import Better, Progress, Row

QUESTIONS = ("What does the imaging show?", "Which therapies are options for this patient?")
START_LIMIT_S, REPORT_LIMIT_S, ANSWER_LIMIT_S = 120.0, 240.0, 60.0
CHROMIUM_FLAGS = (
    "--no-sandbox", "--headless", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


@contextmanager
def running_server(home: Path, llm_spec: str) -> Iterator[str]:
    """``radomica serve`` on a free loopback port with a home of its own; yields its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "RADOMICA_HOME": str(home)}
    command = [sys.executable, "-m", "app.cli", "serve", "--port", str(port), "--llm", llm_spec]
    with (home / "serve.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            _wait_for(port, process, home / "serve.log")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=30)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_LIMIT_S
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.3)
    said = log.read_text(errors="replace")[-400:]
    raise UnavailableError(f"radomica serve did not open port {port} within {START_LIMIT_S:.0f} s; it said: {said}")


def page_rows(*, work: Path, llm_spec: str, out: Path | None = None, progress: Progress = None) -> tuple[Row, ...]:
    """Rows: slowest answer in seconds, answers with citations, console errors and requests that leave the machine."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None or find_spec("playwright") is None:
        note = "no Chromium or no Playwright here; install chromium and the extra 'dev'"
        return (Row("page.slowest_answer_seconds", None, 10.0, Better.LOWER, 0, 0.0, note=note),)
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  an extra, not needed to import this file

    if progress:
        progress("page: starting the server and a browser")
    start = time.monotonic()
    work.mkdir(parents=True, exist_ok=True)
    with running_server(work, llm_spec) as address, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=list(CHROMIUM_FLAGS))
        try:
            seconds, chips, troubles = _visit(browser, address, out)
        finally:
            browser.close()
    took, n = time.monotonic() - start, len(QUESTIONS)
    cited = sum(c > 0 for c in chips)
    return (
        Row("page.slowest_answer_seconds", max(seconds), 10.0, Better.LOWER, n, took),
        Row("page.answers_with_citations", float(cited), float(n), Better.HIGHER, n, took),
        Row(
            "page.console_errors_and_outside_requests",
            float(len(troubles)),
            0.0,
            Better.LOWER,
            n,
            took,
            note="; ".join(troubles[:3]),
        ),
    )


def _visit(browser: Any, address: str, out: Path | None) -> tuple[list[float], list[int], list[str]]:
    """(seconds of each answer, its number of citations, console errors and outside requests)."""
    page = browser.new_page(viewport={"width": 1360, "height": 900})
    troubles: list[str] = []
    page.on("console", lambda m: troubles.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda e: troubles.append(str(e)))
    inside = (address, "data:", "blob:")
    page.on("request", lambda r: None if r.url.startswith(inside) else troubles.append(r.url))
    page.goto(address)
    page.frame_locator("iframe.rd-report").get_by_role("heading").first.wait_for(timeout=REPORT_LIMIT_S * 1000)
    _shot(page, out, "page-report.png")
    page.get_by_role("tab", name="Chat").click()
    seconds, chips = [], []
    for number, question in enumerate(QUESTIONS):
        asked = time.monotonic()
        box = page.locator("#rd-question textarea")
        box.fill(question)
        box.press("Enter")
        answer = page.locator(".rd-a[data-state=done]").nth(number)
        answer.wait_for(timeout=ANSWER_LIMIT_S * 1000)
        seconds.append(time.monotonic() - asked)
        chips.append(answer.locator(".rd-chip").count())
    _shot(page, out, "page-chat.png")
    return seconds, chips, troubles


def _shot(page: Any, out: Path | None, name: str) -> None:
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(out / name))
