"""How far a judge agrees with physicians, and two judges with each other: Cohen's kappa and macro F1.

The file is HealthBench's meta-evaluation form: JSON lines {prompt: [{role, content}], completion, rubric (one
criterion), category, binary_labels: [true, false, ...], completion_id or prompt_id}. Every physician's label is a pair
with the judge's, as in the published figure ("macro F1"); kappa is over the same pairs. Between two judges the pairs
are the criteria both were read on. A judgement that cannot be read is counted and is in no pair.

Not measured here: whether the physicians were right; they agree with one another only in part.

References
----------
Arora et al., 2025, arXiv 2505.08775 (meta-evaluation); Cohen, Educ Psychol Meas 1960, 10.1177/001316446002000104.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from encoders.atomic_write import write_atomically
from encoders.errors import InputError, RadomicaError, SettingsError
from eval.benchmark import Progress
from eval.intervals import bootstrap
from eval.suites.folder import whole_lines
from eval.suites.judge import PROMPT_SHA256, Judge, judge_request, read_judgement
from eval.suites.pool import Speaker, in_parallel

LABELS_FILE, FIGURES_FILE, SETTINGS_FILE = "labels-{}.jsonl", "agreement.json", "agreement_config.json"


@dataclass(frozen=True)
class LabelledAnswer:
    """One answer, one criterion, and whether each physician found it met. turns end with the answer."""

    key: str
    turns: tuple[Mapping[str, str], ...]
    criterion: str
    category: str
    labels: tuple[bool, ...]


def read_labelled(path: Path) -> tuple[tuple[LabelledAnswer, ...], tuple[str, ...]]:
    """The labelled answers of a meta-evaluation file, and what is wrong with the rest, line by line.

    Raises
    ------
    InputError: the file cannot be read or holds no usable line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give a meta-evaluation file.") from error
    found, problems = [], []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            found.append(_labelled(json.loads(line), number))
        except (ValueError, KeyError, TypeError) as error:
            problems.append(f"{path.name}:{number}: not of the form ({type(error).__name__}: {error})")
    if not found:
        why = f" ({problems[0]})" if problems else ""
        raise InputError(f"{path}: no line with prompt, completion, rubric and binary_labels{why}.")
    return tuple(found), tuple(problems)


def _labelled(row: Mapping[str, Any], number: int) -> LabelledAnswer:
    labels = row["binary_labels"]
    if not isinstance(labels, list) or not labels or not all(isinstance(x, bool) for x in labels):
        raise ValueError(f"binary_labels {labels!r} must be a list of true and false")
    turns = [{"role": str(t["role"]), "content": str(t["content"])} for t in row["prompt"]]
    name = row.get("completion_id") or row.get("prompt_id") or ""
    return LabelledAnswer(
        f"{number}:{name}", (*turns, {"role": "assistant", "content": str(row["completion"])}), str(row["rubric"]),
        str(row.get("category", "")), tuple(labels),
    )  # fmt: skip


def run_agreement(
    path: Path, judges: Sequence[Judge], out: Path, *, seed: int = 0, parallel: int = 1, progress: Progress = None
) -> dict[str, Any]:
    """Ask one or two judges every criterion of a file, and write the agreement; what is asked already is not again.

    Raises
    ------
    SettingsError: no judge, more than two, or ``out`` holds another file's or judge's labels.
    """
    if not 1 <= len(judges) <= 2:
        raise SettingsError(f"{len(judges)} judges were given; give --judge once, or twice to compare two.")
    answers, problems = read_labelled(path)
    settings = {
        "data": path.name, "data_sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "seed": seed,
        "judges": [j.spec for j in judges], "judge_prompt_sha256": PROMPT_SHA256,
    }  # fmt: skip
    _claim(out, settings)
    said = [_labels(out / LABELS_FILE.format(i), answers, j, seed, parallel, progress) for i, j in enumerate(judges, 1)]
    found = {
        **settings,
        "answers": len(answers),
        "left_out": list(problems),
        "with_physicians": [with_physicians(one, answers, seed=seed) for one in said],
        "between_judges": between_judges(*said, seed=seed) if len(said) == 2 else None,
    }
    write_atomically(out / FIGURES_FILE, json.dumps(found, indent=1, allow_nan=False) + "\n")
    return found


def _claim(out: Path, settings: Mapping[str, Any]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    path = out / SETTINGS_FILE
    if path.exists() and json.loads(path.read_text(encoding="utf-8")) != settings:
        raise SettingsError(f"{out} holds labels of another file or other judges; give another --out.")
    write_atomically(path, json.dumps(settings, indent=1) + "\n")


def _labels(
    path: Path, answers: Sequence[LabelledAnswer], judge: Judge, seed: int, parallel: int, progress: Progress
) -> dict[str, bool | None]:
    held = {line["key"]: line["met"] for line in whole_lines(path)}
    waiting = [a for a in answers if a.key not in held]
    say = Speaker(progress, "criteria", len(answers), len(held))

    def one(answer: LabelledAnswer) -> bool | None:
        request = judge_request(answer.turns, answer.criterion, None, seed=seed)
        return read_judgement(judge.ask(request)).met

    with path.open("a", encoding="utf-8") as stream:
        try:
            for answer, met in in_parallel(one, waiting, parallel):
                stream.write(json.dumps({"key": answer.key, "met": met}) + "\n")
                stream.flush()
                held[answer.key] = met
                say.one_more()
        except RadomicaError as error:
            error.add_note(f"{len(held)} of {len(answers)} criteria are judged and kept; the same command goes on.")
            raise
    return held


def with_physicians(said: Mapping[str, bool | None], answers: Sequence[LabelledAnswer], *, seed: int) -> dict[str, Any]:
    """Agreement of one judge with every physician's label."""
    pairs = [(said[a.key], a.labels) for a in answers]
    read = [(met, labels) for met, labels in pairs if met is not None]
    first = [[met] * len(labels) for met, labels in read]
    return {"unread": len(pairs) - len(read), **_figures(first, [list(labels) for _, labels in read], seed)}


def between_judges(first: Mapping[str, bool | None], second: Mapping[str, bool | None], *, seed: int) -> dict[str, Any]:
    """Agreement of two judges on the criteria both were read on."""
    keys = [k for k in first if first[k] is not None and second.get(k) is not None]
    return {
        "unread": len(first) - len(keys),
        **_figures([[bool(first[k])] for k in keys], [[bool(second[k])] for k in keys], seed),
    }


def _figures(first: Sequence[Sequence[bool]], second: Sequence[Sequence[bool]], seed: int) -> dict[str, Any]:
    """Figures over the pairs of all items, with intervals by a bootstrap over items."""
    if not first:
        return {"pairs": 0, "kappa": None, "macro_f1": None, "agreement": None}
    own, other = [np.array(x, bool) for x in first], [np.array(x, bool) for x in second]
    flat = np.concatenate(own), np.concatenate(other)
    found: dict[str, Any] = {"pairs": len(flat[0]), "agreement": float((flat[0] == flat[1]).mean())}
    for name, statistic in (("kappa", cohens_kappa), ("macro_f1", macro_f1)):
        value = statistic(*flat)
        found[name] = value
        found[f"{name}_interval"] = None if value is None else _interval(own, other, statistic, seed)
    return found


def _interval(own: Sequence[np.ndarray], other: Sequence[np.ndarray], statistic: Any, seed: int) -> list[float] | None:
    def of(index: np.ndarray) -> float:
        value = statistic(np.concatenate([own[i] for i in index]), np.concatenate([other[i] for i in index]))
        return float("nan") if value is None else value

    try:
        return list(bootstrap(of, len(own), seed=seed, repeats=300))
    except InputError:  # too few items, or hardly a resample with both classes: the figure stands without an interval
        return None


def cohens_kappa(first: np.ndarray, second: np.ndarray) -> float | None:
    """Agreement beyond chance of two label arrays (N,) bool; None where chance alone gives full agreement."""
    agreed = float((first == second).mean())
    p, q = float(first.mean()), float(second.mean())
    chance = p * q + (1 - p) * (1 - q)
    return None if chance == 1 else (agreed - chance) / (1 - chance)


def macro_f1(predicted: np.ndarray, labels: np.ndarray) -> float | None:
    """Mean F1 of both classes; None where a class stands in neither array (its F1 does not exist)."""
    values = []
    for one in (True, False):
        hits = float(((predicted == one) & (labels == one)).sum())
        total = float((predicted == one).sum() + (labels == one).sum())
        if total == 0:
            return None
        values.append(2 * hits / total)
    return sum(values) / 2


def iter_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """The figures in Markdown, a row a comparison."""
    yield "| compared | pairs | unread | agreement | kappa | macro F1 |"
    yield "|---|---|---|---|---|---|"
    rows = list(zip([f"{spec} with physicians" for spec in found["judges"]], found["with_physicians"], strict=True))
    rows += [("both judges", found["between_judges"])] * (found["between_judges"] is not None)
    for name, f in rows:
        yield (
            f"| {name} | {f['pairs']} | {f['unread']} | {_shown(f, 'agreement')} | {_shown(f, 'kappa')} | "
            f"{_shown(f, 'macro_f1')} |"
        )


def _shown(found: Mapping[str, Any], name: str) -> str:
    value, interval = found[name], found.get(f"{name}_interval")
    if value is None:
        return "not measured"
    return f"{value:.3f}" + (f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else "")
