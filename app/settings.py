"""Settings: flags over environment over defaults, as one frozen value.

| field | flag | environment | default |
|---|---|---|---|
| home | | RADOMICA_HOME | the platform's user data folder |
| llm | --llm | RADOMICA_LLM | embedded |
| nli | --nli | | none (the rules alone check each claim) |
| offline | | RADOMICA_OFFLINE=1 | off |
| database_url | | RADOMICA_DATABASE_URL | SQLite, radomica.db in the home |
| (added documents) | knowledge ... --store | RADOMICA_KNOWLEDGE | ``knowledge`` in the home |
| rate_per_minute | | RADOMICA_RATE_PER_MINUTE | 6000 requests a minute for each key (0 = no limit) |
| images | --no-images | RADOMICA_NO_IMAGES=1 | on; off, no image file is read and every image function refuses |
| debug | | RADOMICA_DEBUG=1 | off; on, errors show their traceback |

Not known here: what a backend does with its spec (assistant/llm/resolve.py); the folder of added documents, which is
read where it is used (retrieval/added_documents.py).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from encoders.errors import SettingsError

DEFAULT_LLM = "embedded"
DEFAULT_RATE = 6000
"""Requests a minute: more than a viewer's scrolling asks for, less than a loop gone wild."""
_SWITCH = {"": False, "0": False, "1": True}


@dataclass(frozen=True)
class Settings:
    """What a run may use. ``home`` is created only when something is stored."""

    home: Path
    llm: str = DEFAULT_LLM
    offline: bool = False
    allow_remote: bool = False
    database_url: str | None = None
    debug: bool = False
    nli: str | None = None
    rate_per_minute: int = DEFAULT_RATE
    images: bool = True

    @property
    def cases(self) -> Path:
        """Folder of the cases that the server keeps."""
        return self.home / "cases"


def read_settings(
    *,
    llm: str | None = None,
    allow_remote: bool = False,
    nli: str | None = None,
    no_images: bool = False,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Settings from flags and environment.

    Raises
    ------
    SettingsError: a switch is neither 0 nor 1; a rate that is no whole number; --allow-remote together with
    RADOMICA_OFFLINE=1; an empty LLM spec or NLI model.
    """
    env = os.environ if environ is None else environ
    offline = _switch(env, "RADOMICA_OFFLINE")
    if offline and allow_remote:
        raise SettingsError("--allow-remote and RADOMICA_OFFLINE=1 exclude each other; drop one of them.")
    spec = llm if llm is not None else env.get("RADOMICA_LLM") or DEFAULT_LLM
    if not spec.strip():
        raise SettingsError(
            "the LLM spec is empty; allowed: embedded, hf:<model>, vllm:<url>#<model>, openai:<url>#<model>."
        )
    if nli is not None and not nli.strip():
        raise SettingsError("--nli is empty; name the hub id or folder of an NLI model, or leave it out.")
    return Settings(
        home=Path(env["RADOMICA_HOME"]).expanduser() if env.get("RADOMICA_HOME") else _default_home(),
        llm=spec.strip(),
        offline=offline,
        allow_remote=allow_remote,
        database_url=env.get("RADOMICA_DATABASE_URL") or None,
        debug=_switch(env, "RADOMICA_DEBUG"),
        nli=nli.strip() if nli is not None else None,
        images=not (no_images or _switch(env, "RADOMICA_NO_IMAGES")),
        rate_per_minute=_rate(env.get("RADOMICA_RATE_PER_MINUTE") or str(DEFAULT_RATE)),
    )


def apply_offline(settings: Settings) -> None:
    """Tell the model libraries not to look for anything on the network; call before they are imported."""
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    if settings.offline:
        os.environ["HF_HUB_OFFLINE"] = "1"
        os.environ["TRANSFORMERS_OFFLINE"] = "1"


def _switch(env: Mapping[str, str], name: str) -> bool:
    value = env.get(name, "")
    if value not in _SWITCH:
        raise SettingsError(f"{name} is {value!r}; allowed: 0 or 1.")
    return _SWITCH[value]


def _rate(value: str) -> int:
    if not value.isdecimal():
        raise SettingsError(f"RADOMICA_RATE_PER_MINUTE is {value!r}; allowed: 0 (no limit) or a whole number above it.")
    return int(value)


def _default_home() -> Path:
    from platformdirs import user_data_path  # noqa: PLC0415  only when no home is set

    return user_data_path("radomica", appauthor=False)
