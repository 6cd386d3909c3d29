"""A run folder on disk: its configuration, files of one line an item that a kill cannot spoil, and what they hold.

A last line without its end, as a kill leaves it, is cut off before the file is used.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from encoders.atomic_write import write_atomically
from encoders.errors import SettingsError
from eval.suites.ask import System
from eval.suites.rubric import Judged, read_judged
from eval.suites.score import NO_ANSWER, Scored

CONFIG, ITEMS, METRICS, TIMING, PROBLEMS = "config.json", "items.jsonl", "metrics.json", "timing.json", "problems.json"
JUDGEMENTS, RAGAS, ABLATIONS = "judgements.jsonl", "ragas.json", "ablations.json"
_KEPT = ("index", "set", "id", "case", "outcome", "score", "confidence", "claims", "supported", "cited")


@dataclass(frozen=True)
class RunConfig:
    """One run. data : file name; limit : first N items of each set, None = all; k : passages a search gives.

    judge, judge_prompt_sha256 : who judges rubric answers, and the hash of the words it is asked with
    severity_weights : weights other than severity.WEIGHTS
    ablation : what was taken away from another run's items, or "llm alone", "rag"; None = a run of its own
    """

    suite: str
    data: str
    data_sha256: str
    system: System
    llm: str
    seed: int = 0
    limit: int | None = None
    k: int = 5
    judge: str | None = None
    judge_prompt_sha256: str | None = None
    severity_weights: Mapping[str, float] | None = None
    ablation: str | None = None


def claim_folder(out: Path, config: RunConfig) -> None:
    """Write the configuration, or see that the folder's is the same; a folder without a judge may be given one.

    Raises
    ------
    SettingsError: ``out`` holds a run of another configuration.
    """
    out.mkdir(parents=True, exist_ok=True)
    path, mine = out / CONFIG, _form(config)
    if path.exists():
        held = json.loads(path.read_text(encoding="utf-8"))
        unjudged = _form(replace(config, judge=None, judge_prompt_sha256=None))
        if _differ(unjudged, held):
            differ = _differ(mine, held)
            if differ:
                said = "; ".join(f"{k} {held.get(k)!r} there, {mine.get(k)!r} now" for k in differ)
                raise SettingsError(
                    f"{out} holds another run ({said}); give another --out, or the same settings to go on."
                )
    write_atomically(path, json.dumps(mine, indent=1) + "\n")


def _form(config: RunConfig) -> dict[str, Any]:
    return json.loads(json.dumps(asdict(config)))


def _differ(mine: Mapping[str, Any], held: Mapping[str, Any]) -> list[str]:
    return sorted(k for k in mine.keys() | held.keys() if mine.get(k) != held.get(k))


def whole_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Every line of a file; a last one without its end is cut off first. A file that is not there has none."""
    if not path.exists():
        return
    with path.open("rb+") as stream:
        size = stream.seek(0, os.SEEK_END)
        end = _end_of_last_line(stream, size)
        if end < size:
            stream.truncate(end)
    yield from lines(path)


def _end_of_last_line(stream: Any, size: int) -> int:
    block, place = 65536, size
    while place > 0:
        start = max(0, place - block)
        stream.seek(start)
        found = stream.read(place - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        place = start
    return 0


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """Every line of a file as an object, one at a time."""
    with path.open(encoding="utf-8") as stream:
        for line in stream:
            yield json.loads(line)


def scored_items(out: Path) -> list[Scored]:
    """The scored records of a run folder, rubric answers as judged."""
    judged = judged_items(out)
    return [scored(line, judged.get(line["key"])) for line in lines(out / ITEMS)]


def judged_items(out: Path) -> dict[str, Judged]:
    """Key -> judgement of each rubric answer that was judged."""
    path = out / JUDGEMENTS
    return {line["key"]: read_judged(line) for line in lines(path)} if path.exists() else {}


def scored(line: Mapping[str, Any], judged: Judged | None) -> Scored:
    """One record; a rubric answer takes its judgement's score."""
    kept = {k: line[k] for k in _KEPT}
    if judged is not None and line["outcome"] != NO_ANSWER:
        kept["outcome"], kept["score"] = judged.outcome()
    return Scored(
        answer=tuple(line["answer"]), groups=line.get("groups") or {}, retrieval=line.get("retrieval"), **kept
    )
