"""Is the server alive, and what is it made of.

/healthz answers from the event loop alone, with counts that a task refreshes: it waits for no thread and no lock.
"""

from __future__ import annotations

import asyncio
from functools import lru_cache
from importlib.metadata import version
from typing import Any

import anyio
import anyio.to_thread
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

from app.chat_pool import ChatPool
from app.exports import FORMATS
from app.routes.errors import documented
from app.routes.guards import Reader
from app.workbench import Workbench
from assistant.report import RESEARCH_USE, SCHEMA
from encoders.registry import REGISTRY

REFRESH_SECONDS = 1.0


class Health(BaseModel):
    """jobs, waiting : report jobs in all and not ended; chats_waiting, chats_running : questions."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "status": "ok", "version": "0.1.0", "llm": "embedded", "jobs": 3, "waiting": 1,
                    "chats_waiting": 0, "chats_running": 0,
                }
            ]
        }
    )  # fmt: skip
    status: str
    version: str
    llm: str
    jobs: int
    waiting: int
    chats_waiting: int
    chats_running: int


class ModelInfo(BaseModel):
    """A shipped model: what it is for, what it was trained on, and the SHA-256 of its weights as its card says."""

    name: str
    purpose: str
    trained_on: str
    weights_sha256: str | None = None


class ExportInfo(BaseModel):
    """A form a report can be downloaded in."""

    name: str
    suffix: str
    media_type: str
    needs_images: bool
    title: str


class Info(BaseModel):
    """What answers here; images : False where image functions are switched off by a setting."""

    version: str = Field(examples=["0.1.0"])
    report_schema: str
    research_use: str
    llm: str
    images: bool
    models: list[ModelInfo]
    exports: list[ExportInfo]


class Pulse:
    """Counts of report jobs, refreshed in a thread of its own."""

    def __init__(self, workbench: Workbench) -> None:
        self._workbench = workbench
        self.jobs = self.waiting = 0

    async def keep(self) -> None:
        """Refresh until cancelled."""
        limiter = anyio.CapacityLimiter(1)
        while True:
            states = await anyio.to_thread.run_sync(self._states, limiter=limiter, abandon_on_cancel=True)
            self.jobs, self.waiting = len(states), sum(s in ("submitted", "running") for s in states)
            await asyncio.sleep(REFRESH_SECONDS)

    def _states(self) -> list[str]:
        return [j["state"] for j in self._workbench.jobs()]


def add_service(app: FastAPI, workbench: Workbench, *, pulse: Pulse, chats: ChatPool) -> None:
    """Add health and versions."""
    running = radomica_version()

    @app.get("/healthz", tags=["service"], operation_id="health")
    async def healthz() -> Health:
        """Alive; needs no key and tells nothing of any case."""
        waiting, answered = chats.counts()
        return Health(
            status="ok", version=running, llm=workbench.settings.llm, jobs=pulse.jobs, waiting=pulse.waiting,
            chats_waiting=waiting, chats_running=answered,
        )  # fmt: skip

    @app.get("/v1/info", tags=["service"], operation_id="info", responses=documented())
    def info(caller: Reader) -> Info:
        """Versions, weights and the forms a report can be had in."""
        return Info(
            version=running, report_schema=SCHEMA, research_use=RESEARCH_USE, llm=workbench.settings.llm,
            images=workbench.settings.images, models=list(_models()),
            exports=[ExportInfo(**{n: getattr(f, n) for n in ExportInfo.model_fields}) for f in FORMATS.values()],
        )  # fmt: skip


@lru_cache(maxsize=1)
def _models() -> tuple[ModelInfo, ...]:
    import json  # noqa: PLC0415

    found = []
    for entry in REGISTRY.values():
        card = entry.folder / "card.json"
        told: dict[str, Any] = json.loads(card.read_text(encoding="utf-8")) if card.is_file() else {}
        found.append(
            ModelInfo(
                name=entry.name, purpose=entry.purpose, trained_on=entry.trained_on,
                weights_sha256=told.get("weights_sha256") or told.get("sha256"),
            )
        )  # fmt: skip
    return tuple(found)


def radomica_version() -> str:
    """Version of the installed package."""
    return version("radomica")
