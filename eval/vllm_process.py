"""A vLLM server of the shipped decoder as a process of its own, for as long as a block needs it.

Not known here: what is asked of it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assistant.llm.serve import ServePlan, VLLMEnvironment, free_port, plan_server
from encoders.errors import UnavailableError
from eval.benchmark import Progress

START_LIMIT_S = 900.0
"""A loaded two-core machine was seen to need many minutes; an idle one needs about one."""


@contextmanager
def running_server(environment: VLLMEnvironment, *, extra: tuple[str, ...] = (), drop: tuple[str, ...] = (),
                   progress: Progress = None) -> Iterator[str]:  # fmt: skip
    """Start it on a free loopback port, give its spec, and stop it with all its processes.

    extra, drop : flags to add to, or take from, the command

    Raises
    ------
    UnavailableError: it ended or did not answer in START_LIMIT_S; the message holds the end of its log.
    """
    plan = plan_server(environment, port=free_port())
    command = [part for part in plan.command if part not in drop] + list(extra)
    with tempfile.TemporaryDirectory(prefix="radomica-vllm-") as folder:
        log = Path(folder) / "server.log"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                command, stdout=stream, stderr=subprocess.STDOUT, start_new_session=True,
                env={**os.environ, **plan.environment}, cwd=folder,
            )  # fmt: skip
        try:
            _wait(process, plan, log, progress)
            yield plan.spec
        finally:
            _stop(process)


def _wait(process: subprocess.Popen[bytes], plan: ServePlan, log: Path, progress: Progress) -> None:
    end = time.monotonic() + START_LIMIT_S
    if progress:
        progress("starting vLLM")
    while time.monotonic() < end:
        if process.poll() is not None:
            raise UnavailableError(f"vLLM ended with code {process.returncode}: {_tail(log)}")
        try:
            with urllib.request.urlopen(f"{plan.url}/health", timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(1)
    raise UnavailableError(f"vLLM did not answer within {START_LIMIT_S:.0f} s: {_tail(log)}")


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    errors = [x for x in lines if "Error" in x]
    return " | ".join([*errors[:2], *lines[-3:]])[:1500]


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the session's processes: vLLM's engine is a child that outlives a killed parent."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
        except ProcessLookupError:
            break
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            continue
    process.wait()
