"""From a patient folder to report.html and report.json on disk: the steps `radomica report`, demo and API share.

Imports that take seconds stay inside the functions. Not known here: what is printed or served.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.settings import Settings
from encoders.errors import SettingsError

if TYPE_CHECKING:
    from assistant.pipeline import CaseContext
    from assistant.report import Report

Progress = Callable[[str], None]

DEMO_SEED = 20_260
"""Seed of the demo patients; no training cohort uses it, so the models have never seen them."""


@dataclass(frozen=True)
class WrittenReport:
    """A report and the two files it became."""

    report: Report
    html: Path
    json: Path

    def to_dict(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        report = self.report
        return {
            "case_id": report.case_id,
            "report_id": report.report_id,
            "synthetic": report.synthetic,
            "image_functions": report.image_functions,
            "html": str(self.html),
            "json": str(self.json),
            "verdict_counts": report.verdict_counts(),
            "printed": sum(len(s.claims) for s in report.sections),
            "withheld": len(report.withheld),
            **{k: v for k, v in report.raw_claims.items() if k == "withheld_by_the_judge"},
            **({"reliance": report.reliance["score"]} if report.reliance else {}),
            "timings_s": {k: round(v, 2) for k, v in report.timings_s.items()},
        }

    def claims_line(self) -> str:
        """How many claims are printed and withheld, in words."""
        found = self.to_dict()
        judged = found.get("withheld_by_the_judge")
        withheld = f"{found['withheld']} withheld" + ("" if judged is None else f" ({judged} by the NLI judge)")
        return f"{found['printed']} printed, {found['verdict_counts']['SUPPORTED']} supported by evidence, {withheld}"


def open_llm(settings: Settings) -> Any:
    """The configured ChatModel; raises what assistant.llm.resolve.load_llm raises."""
    from assistant.llm.resolve import load_llm  # noqa: PLC0415

    return load_llm(settings.llm, allow_remote=settings.allow_remote)


def open_judge(settings: Settings) -> Any:
    """The NLI judge of --nli, or None where none is asked for; raises what CrossEncoderJudge raises."""
    if settings.nli is None:
        return None
    from assistant.grounding_judge import CrossEncoderJudge  # noqa: PLC0415

    return CrossEncoderJudge(settings.nli)


def open_case(
    folder: Path,
    *,
    progress: Progress,
    allow_mixed_ids: bool = False,
    use_proposed: bool = False,
    images: bool = True,
) -> CaseContext:
    """Read, encode and collect one patient folder, ready for a report or a chat.

    Raises
    ------
    SettingsError: ``use_proposed`` without ``images``; what ``read_patient`` and ``prepare_case`` raise.
    """
    from assistant.pipeline import prepare_case  # noqa: PLC0415
    from encoders.read.folder import read_patient  # noqa: PLC0415

    if use_proposed and not images:
        raise SettingsError("--use-proposed reads images, and image functions are switched off; drop one of them.")
    progress("reading the patient folder")
    started = time.perf_counter()
    options = {"allow_mixed_ids": True} if allow_mixed_ids else {}
    options |= {} if images else {"images": False}
    patient = read_patient(folder, progress=progress, **options)
    read_seconds = time.perf_counter() - started
    context = prepare_case(patient, use_proposed=use_proposed, progress=progress)
    if hasattr(context, "timings_s"):
        return replace(context, timings_s={"read": read_seconds, **context.timings_s})
    return context


def write_report(
    context: CaseContext,
    llm: Any,
    out: Path,
    *,
    seed: int,
    progress: Progress,
    reliance: bool = False,
    judge: Any = None,
) -> WrittenReport:
    """Run the pipeline on a prepared case and write both files into ``out``, each whole or not at all."""
    from app.render import write_report_html  # noqa: PLC0415
    from assistant.pipeline import run  # noqa: PLC0415
    from assistant.report import write_report_json  # noqa: PLC0415

    report = run(context, llm, seed=seed, reliance=reliance, judge=judge, progress=progress)
    progress("writing report.json and report.html")
    return WrittenReport(report, html=write_report_html(report, out), json=write_report_json(report, out))


def write_demo_case(folder: Path, *, seed: int) -> str:
    """Write one synthetic patient's files into ``folder``; returns the patient id."""
    from encoders.synthetic.cohort import sample_case, write_case  # noqa: PLC0415

    case = sample_case(seed, DEMO_SEED)
    folder.mkdir(parents=True, exist_ok=True)
    write_case(case, folder)
    return case.patient.patient_id


def clear_demo_case(case: Path) -> None:
    """Remove an earlier demo case, and nothing that a demo did not write.

    Raises
    ------
    SettingsError: the folder holds files that no demo wrote.
    """
    mark = case.parent / ".radomica-demo"
    if case.exists() and any(case.iterdir()):
        if not mark.is_file():
            raise SettingsError(f"{case} holds files that no demo wrote; choose another --out.")
        shutil.rmtree(case)
    case.mkdir(parents=True, exist_ok=True)
    mark.touch()
