"""The crash benchmark sees what a server loses: tried on a stand-in that keeps its word, and on one that does not."""

from __future__ import annotations

import io
import json
import multiprocessing
import secrets
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from eval import server_crash
from eval.server_process import Server


def stand_in(home: Path, forgets: bool) -> type[BaseHTTPRequestHandler]:
    """Answers as the API does; jobs and cases are files of ``home``, or memory where it ``forgets``."""
    kept: dict[str, bytes] = {}

    def all_kept() -> dict[str, bytes]:
        return kept if forgets else {p.stem: p.read_bytes() for p in home.glob("*.case")}

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            time.sleep(0.05)  # so that no life is long enough for every upload
            archive = body[body.index(b"PK\3\4") : body.rindex(b"\r\n--")]
            name = f"report-{secrets.token_hex(4)}"
            if forgets:
                kept[name] = archive
            else:
                (home / f"{name}.part").write_bytes(archive)
                (home / f"{name}.part").rename(home / f"{name}.case")
            self.answer(json.dumps({"id": name, "case_id": name}).encode())

        def do_GET(self) -> None:
            if self.path.endswith("/export"):
                archive = all_kept().get(self.path.split("/")[3])
                self.answer(exported(archive) if archive else b"", 200 if archive else 404)
                return
            jobs = [{"id": name, "case_id": name, "state": "done", "error": None} for name in all_kept()]
            self.answer(json.dumps({"reports": jobs}).encode())

        def answer(self, data: bytes, status: int = 200) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    return Handler


def exported(archive: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as given, zipfile.ZipFile(buffer, "w") as made:
        for name in given.namelist():
            made.writestr(name.replace("patient/", "files/"), given.read(name))
    return buffer.getvalue()


@pytest.fixture
def served_by(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Puts the stand-in in the server's place."""
    monkeypatch.setattr(server_crash, "LONGEST_WAIT_S", 0.02)

    def install(forgets: bool) -> None:
        @contextmanager
        def running(home: Path) -> Iterator[Server]:
            server = HTTPServer(("127.0.0.1", 0), stand_in(home, forgets))
            child = multiprocessing.get_context("fork").Process(target=server.serve_forever, daemon=True)
            child.start()
            address = f"http://127.0.0.1:{server.server_address[1]}"
            server.server_close()
            try:
                yield Server(address, child.pid, 0.0)
            finally:
                child.kill()
                child.join()

        monkeypatch.setattr(server_crash, "running_server", running)

    return install


def test_a_server_that_keeps_its_word_loses_nothing(served_by: Callable[[bool], None]) -> None:
    served_by(False)
    rows = {r.id: r for r in server_crash.crash_rows(0, uploads=12)}
    nothing = ("acknowledged_lost", "files_not_as_uploaded", "jobs_without_an_end", "uploads_refused")
    assert [rows[f"crash.{name}"].value for name in nothing] == [0, 0, 0, 0]
    assert rows["crash.kills_inside_a_request"].n >= 2 and rows["crash.acknowledged_lost"].n >= 12


def test_a_server_that_forgets_is_found_out(served_by: Callable[[bool], None]) -> None:
    served_by(True)
    rows = {r.id: r for r in server_crash.crash_rows(0, uploads=4)}
    assert not rows["crash.acknowledged_lost"].ok and "is not there" in rows["crash.acknowledged_lost"].note
