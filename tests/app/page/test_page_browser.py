"""A whole visit in a real browser on a real server: upload, read, look, ask, suppose, review, download, delete.

The patient is synthetic, everything else is what a user gets. Each tab is photographed at two sizes and read by
axe-core; no request leaves the machine and the console stays silent. Pictures stay in pytest's temporary folder.
"""

from __future__ import annotations

import io
import json
import socket
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.doctor import find_chromium
from app.settings import Settings
from encoders.synthetic.cohort import SyntheticCase, sample_case, write_case

FLAGS = (
    "--no-sandbox", "--headless", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
LAPTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
TABS = (
    "Report",
    "Viewer",
    "Predictions",
    "Molecular",
    "Therapy",
    "Similar cases",
    "Evidence",
    "Chat",
    "Review",
    "Files",
)
PATIENCE_MS = 150_000
"""Longest wait for one thing to appear; a quiet machine needs a few seconds."""


@pytest.fixture(scope="module")
def synthetic() -> SyntheticCase:
    return sample_case(3, 52, "LUAD")


@pytest.fixture
def other_stage(synthetic: SyntheticCase) -> str:
    """A stage group that the patient is not in."""
    return "II" if "IV" in str(synthetic.patient.diagnosis.stage) else "IV"


@pytest.fixture
def patient_zip(synthetic: SyntheticCase, tmp_path: Path) -> Path:
    write_case(synthetic, tmp_path / "patient")
    packed = tmp_path / "visit.zip"
    with zipfile.ZipFile(packed, "w") as made:
        for path in sorted(p for p in (tmp_path / "patient").rglob("*") if p.is_file()):
            made.write(path, path.relative_to(tmp_path).as_posix())
    return packed


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    uvicorn = pytest.importorskip("uvicorn")
    from app.api import make_app  # noqa: PLC0415  Gradio takes seconds to import

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    app = make_app(Settings(home=tmp_path / "home"), port=port, with_demo=False)
    running = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning"))
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    end = time.monotonic() + 60
    while not running.started and time.monotonic() < end:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    running.should_exit = True
    thread.join(timeout=10)


@pytest.fixture
def page(server: str) -> Iterator[Any]:
    """A page on the server; whatever it complains of or asks elsewhere is in ``page.troubles``."""
    path = find_chromium()
    if path is None:
        pytest.skip("no Chromium on this machine; install one to test the page in a browser")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=list(FLAGS))
        opened = browser.new_page(viewport=LAPTOP)
        opened.set_default_timeout(PATIENCE_MS)
        opened.troubles = []
        own = (server, "data:", "blob:")
        opened.on("console", lambda m: opened.troubles.append(m.text) if m.type == "error" else None)
        opened.on("pageerror", lambda e: opened.troubles.append(str(e)))
        opened.on("request", lambda r: None if r.url.startswith(own) else opened.troubles.append(r.url))
        opened.goto(server)
        yield opened
        browser.close()


@pytest.mark.browser
@pytest.mark.slow  # once in four clones it failed for a reason not yet known; `make test-all` runs it
@pytest.mark.timeout(900)
def test_a_visit_from_upload_to_deletion(page: Any, patient_zip: Path, other_stage: str, tmp_path: Path) -> None:
    upload(page, patient_zip)
    for size, name in ((LAPTOP, "laptop"), (PHONE, "phone")):
        look_at_every_tab(page, size, tmp_path / name)
    page.set_viewport_size(LAPTOP)
    open_sources(page)
    chat(page)
    suppose(page, other_stage)
    review(page)
    download(page)
    delete(page)
    assert page.troubles == []


def upload(page: Any, patient_zip: Path) -> None:
    """The report of the uploaded patient opens by itself."""
    page.get_by_role("button", name="Add a patient").click()
    page.locator('.rd-upload input[name="files"]').set_input_files(patient_zip)
    page.frame_locator("iframe.rd-report").get_by_role("heading", level=1).wait_for()
    assert page.locator('#rd-cases input[type="radio"]').count() == 1
    page.locator("#rd-search textarea, #rd-search input").fill("no such name")
    page.wait_for_timeout(500)
    assert page.locator('#rd-cases input[type="radio"]').count() == 1  # the chosen case stays in sight
    page.locator("#rd-search textarea, #rd-search input").fill("")


def look_at_every_tab(page: Any, size: dict[str, int], folder: Path) -> None:
    """Nothing blank, nothing wider than the screen, nothing that axe calls serious; the notice stays in sight."""
    folder.mkdir()
    page.set_viewport_size(size)
    for name in TABS:
        open_tab(page, name)
        if name == "Viewer":
            page.locator("canvas[data-url]").first.wait_for()
        if name == "Files":
            page.locator(".rd-outcome table").wait_for()
        page.wait_for_timeout(300)
        assert page.get_by_text("Research use only").first.is_visible(), name
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], name
        shot = page.screenshot(path=folder / f"{name.replace(' ', '-').lower()}.png")
        below = np.asarray(Image.open(io.BytesIO(shot)).convert("L"))[size["height"] // 3 :]
        assert below.std() > 4, f"{name} looks blank"
        if size is LAPTOP:
            assert serious(page) == [], name


def open_tab(page: Any, name: str) -> None:
    """By the tab itself, or by the menu of those that do not fit."""
    tab = page.get_by_role("tab", name=name, exact=True).locator("visible=true")
    more = page.locator(".overflow-menu > button").locator("visible=true")
    tab.or_(more).first.wait_for()
    if tab.count():
        tab.first.click()
        return
    more.first.click()
    page.locator(".overflow-dropdown button", has_text=name).click()


def serious(page: Any) -> list[str]:
    """What axe-core finds serious or critical on the page as it stands."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    found = axe.Axe().run(page).response["violations"]
    return [f"{v['id']}: {v['nodes'][0]['html'][:200]}" for v in found if v["impact"] in ("serious", "critical")]


def open_sources(page: Any) -> None:
    """A chip opens its evidence, the file's own line, and the slice; keys move it and choose windows."""
    open_tab(page, "Molecular")
    page.locator(".rd-molecular tr", has_text="clinical/record.json").locator(".rd-chip").first.click()
    page.locator(".rd-ev:visible").get_by_role("button", name="Show the place in the file").click()
    page.locator(".rd-ev:visible .rd-hit").first.wait_for()
    page.keyboard.press("Escape")
    assert page.locator(".rd-ev:visible").count() == 0
    open_tab(page, "Evidence")
    page.locator(".rd-evidence-filter").fill("ct chest lesion volume")
    row = page.locator(".rd-evidence tbody tr:visible").first
    row.locator(".rd-chip").click()
    opener = page.locator(".rd-ev:visible").get_by_role("button", name="Open in the viewer")
    number = int(opener.get_attribute("data-slice"))
    opener.click()
    canvas = page.locator("canvas").first
    page.locator(f'canvas[data-url*="index={number}&"]').wait_for()
    canvas.focus()
    canvas.press("ArrowDown")
    page.locator(f'canvas[data-url*="index={number + 1}&"]').wait_for()
    page.keyboard.press("2")
    page.locator('canvas[data-url*="window=400"]').wait_for()
    page.keyboard.press("c")
    page.locator('canvas[data-url*="plane=coronal"]').wait_for()
    page.get_by_label("PET over it").check()
    page.locator('canvas[data-url*="suv_max=10"]').wait_for()
    assert page.locator(".rdv-lesions dd").count() > 1


def chat(page: Any) -> None:
    """Two questions, the second a follow-up; each answer cites, shows its steps, and can be rated."""
    open_tab(page, "Chat")
    box = page.locator("#rd-question textarea")
    for number, question in enumerate(("What is the predicted survival?", "And which data are missing?")):
        box.fill(question)
        box.press("Enter")
        answer = page.locator(".rd-a[data-state=done]").nth(number)
        answer.wait_for()
        assert answer.locator(".rd-chip").count() >= 1
    answer.locator("summary").click()
    assert answer.locator(".rd-steps li").first.is_visible()
    answer.get_by_role("button", name="This answer helped").click()
    answer.get_by_text("Saved, thank you.").wait_for()


def suppose(page: Any, stage: str) -> None:
    """Another stage changes something, and says so as supposed."""
    open_tab(page, "Therapy")
    page.locator('.rd-whatif select[name="stage"]').select_option(stage)
    page.get_by_role("button", name="Show what changes").click()
    page.locator(".rd-whatif-result li").first.wait_for()
    assert f"If the stage were {stage}" in page.locator(".rd-whatif-result").inner_text()


def review(page: Any) -> None:
    """An override without a reason is not taken; with one it is shown."""
    open_tab(page, "Review")
    claim = page.locator("[data-claim]").first
    claim.get_by_role("button", name="Override").click()
    claim.get_by_role("button", name="Override it").click()
    assert claim.get_attribute("data-decision") is None
    claim.get_by_label("Reason").fill("seen differently at the board")
    claim.get_by_role("button", name="Override it").click()
    claim.get_by_text("Overridden").wait_for()
    assert claim.get_attribute("data-decision") == "override"


def download(page: Any) -> None:
    """PDF and FHIR come as files of their kind."""
    open_tab(page, "Files")
    for name in ("report.pdf", "report.fhir.json"):
        with page.expect_download() as waiting:
            page.get_by_role("link", name=name).click()
        content = Path(waiting.value.path()).read_bytes()
        assert content[:5] == b"%PDF-" if name.endswith("pdf") else json.loads(content)["resourceType"] == "Bundle"


def delete(page: Any) -> None:
    """Deletion asks first; then the case is gone from list and server."""
    page.get_by_role("button", name="Delete this case").click()
    page.get_by_role("button", name="Keep it").click()
    assert page.locator('#rd-cases input[type="radio"]').count() == 1
    page.get_by_role("button", name="Delete this case").click()
    page.get_by_role("button", name="Delete it").click()
    page.wait_for_function("document.querySelectorAll('#rd-cases input[type=radio]').length === 0")
    assert page.request.get(f"{page.url}v1/cases").json()["total"] == 0
