"""kill -9 of the real server during uploads and reports: is anything acknowledged lost, does every job end?

A client uploads small cases one after another, each with a report job, and notes what the server acknowledged. The
server is killed a random moment after it acknowledged some; the next one has the same home. After the last start every
job is waited for, and every case exported and compared with what was uploaded.
NOT measured: loss of power; a case with images (the files are small, so that many kills fall into a write).
"""

from __future__ import annotations

import io
import json
import os
import random
import signal
import tempfile
import threading
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from eval.benchmark import Better, Progress, Row
from eval.server_process import Server, running_server

UPLOADS = 50
MOST_A_LIFE, LONGEST_WAIT_S = 8, 0.5
"""A server is killed after at most so many acknowledged uploads, and at most so long after the last of them."""

END_LIMIT_S = 1800.0
MIN_INSIDE = 0.5
"""At least this share of kills while a request was under way."""

MOST_REFUSED = 3
"""A server that refuses uploads is not measured further."""

ENDED = ("done", "failed", "cancelled")


@dataclass
class Tally:
    """What was acknowledged (job -> case and number of the upload), and what became of it."""

    jobs: dict[str, tuple[str, int]] = field(default_factory=dict)
    kills: int = 0
    inside: int = 0
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def crash_rows(seed: int, progress: Progress = None, *, uploads: int = UPLOADS) -> tuple[Row, ...]:
    """One row a promise, over ``uploads`` uploads with a report each."""
    started, tally, rng = time.monotonic(), Tally(), random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="radomica-crash-") as folder:
        home = Path(folder)
        while len(tally.jobs) < uploads and len(tally.refused) < MOST_REFUSED:
            if progress:
                progress(f"server {tally.kills + 1}: {len(tally.jobs)} of {uploads} uploads acknowledged")
            _one_life(home, rng, uploads, tally)
        with running_server(home) as server:
            _compare(server, tally, progress)
    seconds = time.monotonic() - started

    def row(name: str, found: list[str], n: int) -> Row:
        return Row(f"crash.{name}", len(found), 0, Better.LOWER, n, seconds, note=found[0] if found else "")

    return (
        row("acknowledged_lost", tally.lost, len(tally.jobs)),
        row("files_not_as_uploaded", tally.wrong, len(tally.jobs)),
        row("jobs_without_an_end", tally.open, len(tally.jobs)),
        row("uploads_refused", tally.refused, len(tally.jobs) + len(tally.refused)),
        Row("crash.kills_inside_a_request", tally.inside / tally.kills, MIN_INSIDE, Better.HIGHER, tally.kills, 0.0),
    )


def made_case(number: int) -> bytes:
    """A zip of one small patient folder."""
    record = {
        "patient_id": f"CRASH-{number:04d}",
        "oncotree_code": "LUAD",
        "sex": "female",
        "age_years": 40 + number % 40,
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr("patient/record.json", json.dumps({**record, "synthetic": True}))
        made.writestr("patient/note.txt", f"Note of made-up patient {number}. No cough.\n" * 20)
    return buffer.getvalue()


def _one_life(home: Path, rng: random.Random, uploads: int, tally: Tally) -> None:
    """Start a server, upload until it is killed."""
    wanted = min(len(tally.jobs) + rng.randint(1, MOST_A_LIFE), uploads)
    under_way = threading.Event()
    with running_server(home) as server:
        client = threading.Thread(target=_upload, args=(server, uploads, tally, under_way), daemon=True)
        client.start()
        while len(tally.jobs) < wanted and client.is_alive():
            time.sleep(0.01)
        time.sleep(rng.uniform(0, LONGEST_WAIT_S))
        tally.inside += under_way.is_set()
        os.kill(server.pid, signal.SIGKILL)
        client.join()
    tally.kills += 1


def _upload(server: Server, uploads: int, tally: Tally, under_way: threading.Event) -> None:
    """Upload one case after another until the server is gone or there are enough."""
    with httpx.Client(base_url=server.address, timeout=120.0) as client:
        while len(tally.jobs) < uploads:
            number = len(tally.jobs)
            under_way.set()
            try:
                answer = client.post(
                    "/v1/reports", files={"file": ("case.zip", made_case(number))},
                    headers={"Idempotency-Key": f"crash-{number}"},
                )  # fmt: skip
                answer.raise_for_status()
            except httpx.HTTPStatusError as error:
                tally.refused.append(f"upload {number} was answered {error.response.status_code}")
                return
            except httpx.TransportError:  # the server is gone, as it should be
                return
            under_way.clear()
            job: dict[str, Any] = answer.json()
            tally.jobs[job["id"]] = job["case_id"], number


def _compare(server: Server, tally: Tally, progress: Progress) -> None:
    """Wait for every job to end, then hold what is there against what was acknowledged."""
    end = time.monotonic() + END_LIMIT_S
    with httpx.Client(base_url=server.address, timeout=120.0) as client:
        while True:
            jobs = {j["id"]: j for j in client.get("/v1/reports").json()["reports"]}
            left = [j for j in jobs.values() if j["state"] not in ENDED]
            if not left or time.monotonic() > end:
                break
            if progress:
                progress(f"{len(left)} jobs have not ended")
            time.sleep(2.0)
        tally.open += [f"{j['id']} is {j['state']}" for j in left]
        tally.open += [
            f"{j['id']} failed for no reason" for j in jobs.values() if j["state"] == "failed" and not j["error"]
        ]
        tally.lost += [f"{job_id} is not there" for job_id in tally.jobs if job_id not in jobs]
        for case_id, number in tally.jobs.values():
            answer = client.get(f"/v1/cases/{case_id}/export")
            if answer.status_code != httpx.codes.OK:
                tally.lost.append(f"case {case_id} answers {answer.status_code}")
            elif _files(answer.content, "files/") != _files(made_case(number), "patient/"):
                tally.wrong.append(f"case {case_id}")


def _files(archive: bytes, folder: str) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as made:
        return {n.removeprefix(folder): made.read(n) for n in made.namelist() if n.startswith(folder)}
