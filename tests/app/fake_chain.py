"""A stand-in for the chain below app: hand-made report, scripted answers. Used where only app itself is tested."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app import workbench
from app.make_report import WrittenReport
from app.render import write_report_html
from assistant.report import Report, write_report_json


@dataclass(frozen=True)
class Said:
    kind: str
    text: str


def install(monkeypatch: pytest.MonkeyPatch, report: Report, *, wait: Callable[[], None] = lambda: None) -> None:
    """Replace reading, the model and the pipeline; files, jobs, HTTP and the page stay real."""

    def write_case(folder: Path, *, seed: int) -> str:
        (folder / "record.json").write_text("{}", encoding="utf-8")
        return report.case_id

    def write(context: Any, llm: Any, out: Path, *, seed: int, progress: Callable[[str], None]) -> WrittenReport:
        progress("writing")
        wait()
        return WrittenReport(report, write_report_html(report, out), write_report_json(report, out))

    def ask(self: Any, case_id: str, question: str, history: Any = ()) -> Any:
        self.check_question(case_id, question)
        yield Said("status", "looking through the evidence")
        for piece in (
            "EGFR p.L858R is present ",
            "[M1]. ",
            f"You asked: {question} ",
            "<img src=x onerror=alert(1)> [G1]",
        ):
            yield Said("text", piece)

    monkeypatch.setattr(workbench, "write_demo_case", write_case)
    monkeypatch.setattr(workbench, "open_llm", lambda settings: SimpleNamespace(spec=settings.llm))
    monkeypatch.setattr(workbench, "open_case", lambda folder, progress: SimpleNamespace(folder=folder))
    monkeypatch.setattr(workbench, "write_report", write)
    monkeypatch.setattr(workbench.Workbench, "ask", ask)
