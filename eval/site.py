"""``radomica eval site FOLDER``: a hospital's own cases against its own reference summaries, on its own machine.

FOLDER holds a patient folder a case and beside each its reference summary: ``A17/`` and ``A17.txt`` (or ``A17.md``).
The report is made as ``radomica report`` makes it; its printed sentences and the sentences of the reference are the
facts that are compared (site_facts.py). Errors are weighed by severity (suites/severity.py): what the reference holds
and the report lacks, a therapy turned round, a drug offered that this patient's record excludes.

Unless switched off, each case comes with the model alone and with parts of the case taken away or exchanged
(site_variants.py): recall, precision and weighted errors of each, and how many of the report's sentences changed.

Nothing leaves the machine. Not measured here: whether the reference is right. What the judge misses: site_facts.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from assistant.answer_reliance import compare_answers
from assistant.evidence import EvidenceKind, Ledger
from assistant.llm.chat_model import ChatModel
from assistant.pipeline import CaseContext, prepare_case, run
from assistant.reliance import donors_for
from assistant.report import RESEARCH_USE, Report
from encoders.atomic_write import write_atomically
from encoders.errors import InputError, RadomicaError
from encoders.patient import Patient
from eval.benchmark import Progress, commit, machine
from eval.site_facts import by_names, facts_of, names_of
from eval.site_page import site_markdown
from eval.site_variants import LLM_ALONE, Donor, case_variants, has_omics, llm_alone, prepare_unexplained
from eval.suites.facts import Fact, Found, compare_facts
from eval.suites.score import cluster_bootstrap
from eval.suites.severity import WEIGHTS, Severity
from eval.therapy_direction import drugs_of, facts_for
from retrieval.passage import Direction, Retrieved

REFERENCES = (".txt", ".md")
FIGURES = ("recall", "precision", "weighted_errors")
_DONOR_HAS: Mapping[str, Callable[[Patient], bool]] = {"imaging": lambda p: bool(p.imaging), "omics": has_omics}


@dataclass(frozen=True)
class SiteCase:
    """One case: its folder and its reference summary."""

    name: str
    folder: Path
    reference: str


@dataclass(frozen=True)
class SiteOptions:
    """ablations : also the rows of site_variants.py; weights : of the three severities; seed : handed to the model."""

    ablations: bool = True
    weights: Mapping[Severity, float] = field(default_factory=lambda: WEIGHTS)
    seed: int = 0


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
    options: SiteOptions | None = None,
    progress: Progress = None,
) -> dict[str, Any]:
    """Report every case, compare it with its reference, write ``site.json`` and ``site.md``; a case that cannot be read
    is listed with its error and the others go on.

    Raises
    ------
    InputError: no case with a reference, or none that could be read.
    """
    cases, bare = site_cases(folder)
    options = options or SiteOptions()
    read = lru_cache(maxsize=2)(read)  # a case is also the donor of the one before
    rows, failed = [], [{"case": name, "reason": "no reference summary beside the folder"} for name in bare]
    for number, case in enumerate(cases, 1):
        if progress:
            progress(f"case {number} of {len(cases)}: {case.name}")
        try:
            patient = read(case.folder)
            donor = _donor(patient, [*cases[number:], *cases[: number - 1]], read)
            rows.append(_case_row(case, patient, llm, donor, options))
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
        "figures": _figures(rows, options.seed),
        "weights": {s.value: w for s, w in options.weights.items()},
        "llm": llm.versions(),
        "commit": commit(),
        "machine": machine(),
    }
    write_atomically(out / "site.json", json.dumps(found, indent=1, allow_nan=False) + "\n")
    write_atomically(out / "site.md", site_markdown(found))
    return found


def _donor(patient: Patient, others: Sequence[SiteCase], read: Callable[[Path], Patient]) -> Donor:
    """The next case that can be read and has the modality; else a synthetic patient of the same cancer."""

    def find(group: str) -> tuple[Patient | None, str]:
        has = _DONOR_HAS[group]
        for other in others:
            try:
                found = read(other.folder)
            except RadomicaError:  # it is listed as left out when its own turn comes
                continue
            if has(found):
                return found, f"of case {other.name}"
        made = next((p for p in donors_for(patient) if has(p)), None)
        return made, "of a synthetic patient" if made else "no other case has it, nor a synthetic one of this cancer"

    return find


def _case_row(case: SiteCase, patient: Patient, llm: ChatModel, donor: Donor, options: SiteOptions) -> dict[str, Any]:
    context = prepare_case(patient)
    report = run(context, llm, seed=options.seed)
    row = {
        "case": case.name,
        **_against(_printed(report), case.reference, context, options.weights, checked=True),
        "printed": sum(len(s.claims) for s in report.sections),
        "withheld": len(report.withheld),
        "raw_claims": dict(report.raw_claims),
        "seconds": round(sum(report.timings_s.values()), 1),
    }
    if options.ablations:
        row["ablations"] = _ablation_rows(case, report, context, llm, donor, options)
    return row


def _printed(report: Report, *, explanations: bool = True) -> tuple[str, ...]:
    """Sentences of a report; without those that cite an explanation, where asked."""
    shown = (claim for section in report.sections for claim in section.claims)
    return tuple(
        c.text for c in shown if explanations or not any(i.startswith(EvidenceKind.EXPLANATION) for i in c.citations)
    )


def _ablation_rows(
    case: SiteCase, report: Report, context: CaseContext, llm: ChatModel, donor: Donor, options: SiteOptions
) -> dict[str, dict[str, Any]]:
    """Row -> its figures against the same reference; one that could not be made has a note and no figure."""
    own = _printed(report, explanations=False)
    whole = _against(own, case.reference, context, options.weights, checked=True)
    alone = llm_alone(context, llm, seed=options.seed)
    figures = _against(alone, case.reference, context, options.weights, checked=False)
    found: dict[str, dict[str, Any]] = {LLM_ALONE: _less(figures, whole) | {"note": ""}}
    for variant in case_variants(context.patient, donor):
        if variant.patient is None:
            found[variant.name] = {"note": variant.note}
            continue
        changed = run(prepare_unexplained(variant.patient), llm, seed=options.seed)
        told = _printed(changed, explanations=False)
        same = compare_answers(variant.name, own, told)
        figures = _against(told, case.reference, context, options.weights, checked=True)
        found[variant.name] = {
            **_less(figures, whole),
            "changed_share": len(same.gone) / len(own) if own else None,
            "note": variant.note,
        }
    return found


def _less(figures: Mapping[str, Any], whole: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a row and, under ``change``, each less the whole report's."""
    pairs = {name: (figures[name], whole[name]) for name in FIGURES}
    change = {name: None if None in pair else pair[0] - pair[1] for name, pair in pairs.items()}
    return {**figures, "change": change}


def _against(
    sentences: Iterable[str], reference: str, context: CaseContext, weights: Mapping[Severity, float], *, checked: bool
) -> dict[str, Any]:
    """Facts compared. checked : every sentence was held by the checker, so what it adds is supported; else an added
    fact is supported where all it names stands in the case's own evidence."""
    wanted, told = facts_of(reference), facts_of("\n".join(sentences))
    held = frozenset() if checked else _names_in(context.ledger)
    found = compare_facts(
        told,
        wanted,
        by_names,
        holds=lambda fact: checked or bool(names_of(fact.text) <= held),
        must_not=facts_for(told, must_not_be_offered(context.retrieved)),
        weights=weights,
    )
    absent = [f for f in wanted if by_names(f, told) is Found.ABSENT]
    return {**found, "absent": [_said(f) for f in absent[:20]], "against": [_said(f) for f in _wrong(told, wanted)]}


def _said(fact: Fact) -> dict[str, str]:
    return {"text": fact.text[:200], "severity": fact.severity.value}


def _wrong(told: Sequence[Fact], wanted: Sequence[Fact]) -> list[Fact]:
    return [f for f in told if by_names(f, wanted) is Found.REVERSED][:20]


def _names_in(ledger: Ledger) -> frozenset[str]:
    return names_of("\n".join(e.text for e in ledger))


def must_not_be_offered(retrieved: Retrieved) -> frozenset[str]:
    """Keys of drugs whose rows for this patient are all excluded by the record, or say resistance."""
    offered, barred = set(), set()
    for match in retrieved.therapies:
        keys = {key for drug in match.row.drugs for key in drugs_of(drug)}
        good = not match.excluded and match.row.direction is Direction.SENSITIVITY
        (offered if good else barred).update(keys)
    return frozenset(barred - offered)


def _figures(rows: Sequence[Mapping[str, Any]], seed: int) -> dict[str, Any]:
    """Means over cases with bootstrap intervals; a case without the figure is counted, not dropped in silence."""
    found: dict[str, Any] = {}
    for name in FIGURES:
        values = np.array([row[name] for row in rows if row[name] is not None], np.float64)
        found[name] = _mean(values, seed) | {"without": len(rows) - len(values)}
    raw = {k: sum(row["raw_claims"].get(k, 0) for row in rows) for k in ("written", "supported")}
    found["raw_claims_supported"] = raw["supported"] / raw["written"] if raw["written"] else None
    found["errors"] = {s.value: sum(row["errors"][s.value] for row in rows) for s in Severity}
    found["errors_by_kind"] = {
        kind: {s.value: sum(row["errors_by_kind"][kind][s.value] for row in rows) for s in Severity}
        for kind in rows[0]["errors_by_kind"]
    }
    names = dict.fromkeys(name for row in rows for name in row.get("ablations", {}))
    found["ablations"] = {name: _ablation_figures(name, rows, seed) for name in names}
    return found


def _ablation_figures(name: str, rows: Sequence[Mapping[str, Any]], seed: int) -> dict[str, Any]:
    """Paired over the cases that have the row: each figure less the whole report's, and the sentences that changed."""
    having = [row["ablations"][name] for row in rows if name in row.get("ablations", {})]
    made = [one for one in having if "change" in one]
    found: dict[str, Any] = {"cases": len(made), "could_not_be_made": len(having) - len(made)}
    for figure in FIGURES:
        change = [one["change"][figure] for one in made if one["change"][figure] is not None]
        found[figure] = _mean(np.array(change, np.float64), seed)
    shares = [one["changed_share"] for one in made if one.get("changed_share") is not None]
    found["changed_share"] = _mean(np.array(shares, np.float64), seed)
    return found


def _mean(values: np.ndarray, seed: int) -> dict[str, Any]:
    if not len(values):
        return {"mean": None, "interval": None, "n": 0}
    low, high = cluster_bootstrap(values, [str(i) for i in range(len(values))], seed=seed)
    return {"mean": float(values.mean()), "interval": [low, high], "n": len(values)}
