"""Reports of held-out synthetic patients: complete, supported, cheap, and possible with anything missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from assistant.claim import Verdict
from assistant.collect import collect_evidence
from assistant.collect_absent import ABSENT
from assistant.llm.chat_model import ChatModel, PromptStyle
from assistant.llm.hostile import HostileModel, Lie
from assistant.pipeline import CaseContext, prepare_case, run
from assistant.prompt import parse_claims
from assistant.report import SECTION_TITLES, Report
from encoders.patient import ModalityName, Patient
from encoders.predict import predict
from encoders.synthetic.cohort import sample_case, write_case
from eval.benchmark import Better, Progress, Row
from eval.intervals import wilson
from eval.modality_subsets import REMOVED, every_subset, present
from retrieval.search import retrieve


def demo_rows(*, seed: int, work: Path, llm_spec: str, progress: Progress = None) -> tuple[Row, ...]:
    """Seconds and peak memory of ``radomica report`` on one written case, in a process of its own."""
    if progress:
        progress("demo: writing one case and reporting on it in its own process")
    write_case(sample_case(0, seed), work / "case")
    command = [
        sys.executable,
        "-m",
        "app.cli",
        "report",
        str(work / "case"),
        "--out",
        str(work / "report"),
        "--llm",
        llm_spec,
    ]
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    stderr = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - start
    code = os.waitstatus_to_exitcode(status)
    written = all((work / "report" / name).is_file() for name in ("report.html", "report.json"))
    note = "" if code == 0 else f"exit code {code}: {stderr.decode(errors='replace')[-300:]}"
    return (
        Row("demo.files_written", float(written and code == 0), 1.0, Better.HIGHER, 1, seconds, note=note),
        Row("demo.report_seconds", seconds if code == 0 else None, 60.0, Better.LOWER, 1, seconds, note=note),
        # ru_maxrss is in KiB on Linux
        Row(
            "demo.report_peak_gib",
            usage.ru_maxrss / 2**20 if code == 0 else None,
            4.0,
            Better.LOWER,
            1,
            seconds,
            note=note,
        ),
    )


def held_out_rows(llm: ChatModel, *, n: int, seed: int, progress: Progress = None) -> tuple[Row, ...]:
    """Sections present, printed claims supported, raw claims supported, variants and therapy rows mentioned."""
    start = time.monotonic()
    reports: list[Report] = []
    for index in range(n):
        reports.append(run(prepare_case(sample_case(index, seed).patient), llm, seed=seed))
        if progress and (index + 1) % 5 == 0:
            progress(f"reports: {index + 1}/{n} held-out patients")
    seconds = (time.monotonic() - start) / 4
    whole = sum(set(SECTION_TITLES) == {s.id for s in r.sections if s.claims} for r in reports)
    printed = [c for r in reports for s in r.sections for c in s.claims]
    supported = sum(c.verdict is Verdict.SUPPORTED for c in printed)
    written = sum(r.raw_claims["written"] for r in reports)
    raw = sum(r.raw_claims["supported"] for r in reports)
    due, met, quoted = _coverage(reports)
    return (
        _proportion("heldout.every_section_present", whole, n, 1.0, seconds),
        _proportion("heldout.printed_claims_supported", supported, len(printed), 1.0, seconds),
        _proportion("heldout.raw_claims_supported", raw, written, 0.95, seconds),
        _proportion(
            "heldout.variants_and_rows_mentioned",
            met,
            due,
            1.0,
            seconds,
            note=f"{quoted} of {len(printed)} printed statements are quoted evidence, the rest the LLM's",
        ),
    )


def _coverage(reports: list[Report]) -> tuple[int, int, int]:
    """(variants and therapy rows in all ledgers, those cited by a printed claim, printed claims that are quotes)."""
    due = met = quoted = 0
    for report in reports:
        claims = [c for s in report.sections for c in s.claims]
        cited = {e for c in claims for e in c.citations}
        items = [e.id for e in report.evidence if e.type in {"variant", "therapy"}]
        due, met = due + len(items), met + sum(i in cited for i in items)
        quoted += sum(c.quoted for c in claims)
    return due, met, quoted


def _proportion(row_id: str, k: int, n: int, bar: float, seconds: float, note: str = "") -> Row:
    return Row(row_id, k / n, bar, Better.HIGHER, n, seconds, interval=wilson(k, n), note=note)


def subset_rows(llm: ChatModel, *, seed: int, progress: Progress = None) -> tuple[Row, ...]:
    """One patient with every subset of its modalities removed: a report each time, each absence with its reason."""
    start = time.monotonic()
    patient = sample_case(1, seed).patient
    total = 2 ** len(present(patient)) - 1
    good, failed = 0, []
    for number, (removed, lacking) in enumerate(every_subset(patient), 1):
        problem = _subset_problem(run(context_without_explanations(lacking), llm, seed=seed), removed)
        good += not problem
        if problem:
            failed.append(f"{'+'.join(removed)}: {problem}")
        if progress and number % 10 == 0:
            progress(f"subsets: {number}/{total}")
    return (
        _proportion("subsets.reported_with_reasons", good, total, 1.0, time.monotonic() - start, "; ".join(failed[:3])),
    )


def context_without_explanations(patient: Patient) -> CaseContext:
    """A case without attributions: much faster, and the ledger's other evidence is the same."""
    prediction = predict(patient, explain=False)
    retrieved = retrieve(patient, prediction)
    return CaseContext(patient, prediction, retrieved, collect_evidence(patient, prediction, retrieved))


def _subset_problem(report: Report, removed: tuple[str, ...]) -> str:
    """ "" when the report is whole: all sections, content or a note in each, every removed modality with a reason."""
    if {s.id for s in report.sections} != set(SECTION_TITLES):
        return "a section is missing"
    silent = [s.id for s in report.sections if not s.claims and not s.note]
    if silent:
        return f"sections {silent} are empty without a word"
    reasons = {m["modality"]: m["reason"] for m in report.missing}
    unstated = [m for m in removed if reasons.get(ABSENT[ModalityName(m)].name) != REMOVED]
    if unstated:
        return f"absence of {unstated} is not stated"
    if any(c.verdict is not Verdict.SUPPORTED for s in report.sections for c in s.claims):
        return "a claim that is not supported was printed"
    return ""


def hostile_rows(*, seed: int, patients: int = 6, progress: Progress = None) -> tuple[Row, ...]:
    """A backend that lies in every way it knows: how many lies were printed, and how many withheld have no reason."""
    start = time.monotonic()
    told = printed = unaccounted = 0
    for index in range(patients):
        context = prepare_case(sample_case(100 + index, seed).patient)
        model = HostileModel(context.ledger, seed=seed + index)
        report = run(context, model, seed=seed)
        # everything this backend writes is a lie, so any printed claim that is no quote is one too many
        printed += sum(not c.quoted for s in report.sections for c in s.claims)
        told += len(model.told)
        explained = {c.raw for c in report.withheld if c.reason.strip()}
        unaccounted += sum(_as_read(lie, model.style) not in explained for lie in model.told)
        if progress:
            progress(f"hostile: {index + 1}/{patients} patients, {told} lies")
    seconds = (time.monotonic() - start) / 2
    return (
        Row("hostile.lies_printed", float(printed), 0.0, Better.LOWER, told, seconds),
        Row("hostile.lies_not_withheld_with_a_reason", float(unaccounted), 0.0, Better.LOWER, told, seconds),
    )


def _as_read(lie: Lie, style: PromptStyle) -> str:
    """The lie as the parser reads it out of an answer (blanks at its ends go), which is what ``raw`` keeps."""
    answer = json.dumps({"claims": [{"text": lie.text, "citations": list(lie.citations)}]}, ensure_ascii=False)
    if style is PromptStyle.COMPACT:
        answer = f"{lie.text} {' '.join(f'[{c}]' for c in lie.citations)}"
    (claim,) = parse_claims(answer, style)
    return claim.text
