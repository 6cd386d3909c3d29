"""``radomica serve`` as a process of its own on a free loopback port, for the benchmarks that measure a server."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from encoders.errors import UnavailableError

START_LIMIT_S = 180.0


@dataclass(frozen=True)
class Server:
    """Where it answers, its process, and seconds from its start to its first answer."""

    address: str
    pid: int
    ready_seconds: float

    def memory_mib(self) -> float:
        """Resident memory of the process in MiB.

        Raises
        ------
        UnavailableError: the process is gone, or the system has no /proc.
        """
        try:
            status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii", errors="replace")
        except OSError as error:
            raise UnavailableError(f"the memory of process {self.pid} cannot be read: {error}") from error
        line = next((x for x in status.splitlines() if x.startswith("VmRSS:")), "VmRSS: 0 kB")
        return int(line.split()[1]) / 1024.0


@contextmanager
def running_server(home: Path, *, llm_spec: str = "embedded", path: str = "/healthz") -> Iterator[Server]:
    """A server with the home ``home``; ready when ``path`` answers 200.

    Raises
    ------
    UnavailableError: it did not answer in time; the message holds the end of what it printed.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RADOMICA_")} | {"RADOMICA_HOME": str(home)}
    command = [sys.executable, "-m", "app.cli", "serve", "--port", str(port), "--llm", llm_spec]
    printed = home / "serve.log"
    with printed.open("wb") as log:
        begun = time.monotonic()
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_for(f"{address}{path}", process, printed)
            yield Server(address, process.pid, time.monotonic() - begun)
        finally:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for(address: str, process: subprocess.Popen[bytes], printed: Path) -> None:
    end = time.monotonic() + START_LIMIT_S
    while time.monotonic() < end and process.poll() is None:
        try:
            if httpx.get(address, timeout=10.0).status_code == httpx.codes.OK:
                return
        except httpx.HTTPError:
            time.sleep(0.1)
    said = printed.read_text(encoding="utf-8", errors="replace")[-400:]
    raise UnavailableError(f"radomica serve did not answer {address} within {START_LIMIT_S:.0f} s; it said: {said}")
