"""``radomica eval site FOLDER``: a hospital's own cases against its own reference summaries, on its own machine.

FOLDER holds a patient folder a case and beside each its reference summary: ``A17/`` and ``A17.txt`` (or ``A17.md``).
The report is made as ``radomica report`` makes it; its printed sentences and the sentences of the reference are the
facts that are compared (site_facts.py). Unless switched off, each case is also reported without its images and without
its molecular data, and the model's own sentences before the checker are counted: what the parts are worth is seen.

Nothing leaves the machine. Not measured here: whether the reference is right. What the judge misses: site_facts.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from assistant.llm.chat_model import ChatModel
from assistant.pipeline import prepare_case, run
from assistant.report import RESEARCH_USE, Report
from encoders.atomic_write import write_atomically
from encoders.errors import InputError, RadomicaError
from encoders.patient import ModalityName, Patient
from eval.benchmark import Progress, commit, machine
from eval.modality_subsets import without
from eval.site_facts import by_names, facts_of
from eval.suites.facts import Severity, compare_facts
from eval.suites.score import cluster_bootstrap

REFERENCES = (".txt", ".md")
MOLECULAR = (
    ModalityName.EXPRESSION, ModalityName.VARIANTS, ModalityName.COPY_NUMBER, ModalityName.FUSIONS,
    ModalityName.METHYLATION, ModalityName.PROTEINS,
)  # fmt: skip
ABLATIONS: Mapping[str, tuple[str, ...]] = {
    "without images": (ModalityName.IMAGING,),
    "without molecular data": MOLECULAR,
    "without notes": (ModalityName.NOTES,),
}
"""What is taken away -> modalities."""


@dataclass(frozen=True)
class SiteCase:
    """One case: its folder and its reference summary."""

    name: str
    folder: Path
    reference: str


def site_cases(folder: Path) -> tuple[tuple[SiteCase, ...], tuple[str, ...]]:
    """The cases with a reference, and the names of folders without one.

    Raises
    ------
    InputError: the folder is none, or no case in it has a reference.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; give one with a folder a case and NAME.txt beside each.")
    cases, bare = [], []
    for one in sorted(p for p in folder.iterdir() if p.is_dir()):
        found = next((p for s in REFERENCES if (p := folder / f"{one.name}{s}").is_file()), None)
        if found is None:
            bare.append(one.name)
        else:
            cases.append(SiteCase(one.name, one, found.read_text(encoding="utf-8", errors="replace")))
    if not cases:
        raise InputError(
            f"{folder}: {len(bare)} case folders, none with a reference summary beside it; "
            "the rule is NAME/ and NAME.txt (or NAME.md)."
        )
    return tuple(cases), tuple(bare)


def run_site(
    folder: Path,
    llm: ChatModel,
    out: Path,
    *,
    read: Callable[[Path], Patient],
    ablations: bool = True,
    seed: int = 0,
    progress: Progress = None,
) -> dict[str, Any]:
    """Report every case, compare it with its reference, write ``site.json`` and ``site.md``; a case that cannot be read
    is listed with its error and the others go on.

    Raises
    ------
    InputError: no case with a reference, or none that could be read.
    """
    cases, bare = site_cases(folder)
    rows, failed = [], [{"case": name, "reason": "no reference summary beside the folder"} for name in bare]
    for number, case in enumerate(cases, 1):
        if progress:
            progress(f"case {number} of {len(cases)}: {case.name}")
        try:
            patient = read(case.folder)
            rows.append(_case_row(case, patient, llm, ablations=ablations, seed=seed))
        except RadomicaError as error:
            failed.append({"case": case.name, "reason": str(error)})
    if not rows:
        raise InputError(
            f"none of the {len(cases)} cases could be reported: {failed[0]['case']}: {failed[0]['reason']}"
        )
    found = {
        "research_use": RESEARCH_USE,
        "cases": rows,
        "left_out": failed,
        "figures": _figures(rows, seed),
        "llm": llm.versions(),
        "commit": commit(),
        "machine": machine(),
    }
    write_atomically(out / "site.json", json.dumps(found, indent=1, allow_nan=False) + "\n")
    write_atomically(out / "site.md", site_markdown(found))
    return found


def _case_row(case: SiteCase, patient: Patient, llm: ChatModel, *, ablations: bool, seed: int) -> dict[str, Any]:
    report = run(prepare_case(patient), llm, seed=seed)
    row = {"case": case.name, **_against(report, case.reference), "seconds": round(sum(report.timings_s.values()), 1)}
    if ablations:
        row["ablations"] = {
            name: _against(run(prepare_case(without(patient, gone)), llm, seed=seed), case.reference)["recall"]
            for name, gone in ABLATIONS.items()
            if any(m not in patient.missing for m in gone)
        }
    return row


def _against(report: Report, reference: str) -> dict[str, Any]:
    printed = " ".join(claim.text for section in report.sections for claim in section.claims)
    wanted = facts_of(reference)
    told = facts_of(printed)
    found = compare_facts(told, wanted, by_names)
    absent = [f for f in wanted if by_names(f, told).value == "absent"]
    return {
        **found,
        "printed": sum(len(s.claims) for s in report.sections),
        "withheld": len(report.withheld),
        "raw_claims": dict(report.raw_claims),
        "absent": [{"text": f.text[:200], "severity": f.severity.value} for f in absent[:20]],
    }


def _figures(rows: Sequence[Mapping[str, Any]], seed: int) -> dict[str, Any]:
    """Means over cases with bootstrap intervals; a case without the figure is counted, not dropped in silence."""
    found: dict[str, Any] = {}
    for name in ("recall", "precision", "weighted_errors"):
        values = np.array([row[name] for row in rows if row[name] is not None], np.float64)
        found[name] = _mean(values, seed) | {"without": len(rows) - len(values)}
    raw = {k: sum(row["raw_claims"].get(k, 0) for row in rows) for k in ("written", "supported")}
    found["raw_claims_supported"] = raw["supported"] / raw["written"] if raw["written"] else None
    found["errors"] = {s.value: sum(row["errors"][s.value] for row in rows) for s in Severity}
    for name in ABLATIONS:
        change = [
            row["ablations"][name] - row["recall"]
            for row in rows
            if row["recall"] is not None and row.get("ablations", {}).get(name) is not None
        ]
        if change:
            found[f"recall {name}, less the whole"] = _mean(np.array(change), seed)
    return found


def _mean(values: np.ndarray, seed: int) -> dict[str, Any]:
    if not len(values):
        return {"mean": None, "interval": None, "n": 0}
    low, high = cluster_bootstrap(values, [str(i) for i in range(len(values))], seed=seed)
    return {"mean": float(values.mean()), "interval": [low, high], "n": len(values)}


def site_markdown(found: Mapping[str, Any]) -> str:
    """The one-page result."""
    figures = found["figures"]
    head = "| figure | mean over cases | 95 % interval | cases |"
    lines = ["# Site self-test", "", found["research_use"], "", head, "|---|---|---|---|"]
    for name, value in figures.items():
        if isinstance(value, dict) and "mean" in value:
            low, high = value["interval"] or (float("nan"),) * 2
            shown = "not measured" if value["mean"] is None else f"{value['mean']:.3f} | {low:.3f} to {high:.3f}"
            lines.append(f"| {name} | {shown} | {value['n']} |")
    errors = ", ".join(f"{n} {name}" for name, n in figures["errors"].items())
    support = figures["raw_claims_supported"]
    raw = "" if support is None else f" Of what the model wrote before the checker, {support:.1%} was supported."
    lines += ["", f"Reference facts not found, and contradicted ones: {errors}.{raw}", "",
              "| case | recall | precision | printed | withheld | seconds | not found in the report |",
              "|---|---|---|---|---|---|---|"]  # fmt: skip
    for row in found["cases"]:
        missing = "; ".join(f"{a['text'][:70]} ({a['severity']})" for a in row["absent"][:3])
        shares = " | ".join("-" if row[k] is None else f"{row[k]:.2f}" for k in ("recall", "precision"))
        lines.append(
            f"| {row['case']} | {shares} | {row['printed']} | {row['withheld']} | {row['seconds']} | {missing} |"
        )
    if found["left_out"]:
        lines += ["", "Left out:", "", *(f"- {f['case']}: {f['reason']}" for f in found["left_out"])]
    lines += [
        "",
        "The judge goes by names (drugs, genes, stages, numbers) and does not see negation: read what it missed.",
    ]
    lines += ["", f"Commit {found['commit']}, {found['machine']}."]
    return "\n".join(lines) + "\n"
