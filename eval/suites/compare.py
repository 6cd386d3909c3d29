"""Two runs of the same items: the paired difference with its interval, and the items that flipped.

Not checked: that the two runs differ in one thing alone; the configurations are shown side by side.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest

from encoders.errors import InputError
from eval.suites.folder import CONFIG, ITEMS, scored_items
from eval.suites.score import Scored, cluster_bootstrap

MOST_FLIPS = 500


def compare_runs(first: Path, second: Path, *, seed: int = 0) -> dict[str, Any]:
    """Figures of ``second`` less ``first`` over the items both hold and scored.

    Returns
    -------
    settings that differ, items in one run alone, per set and over all: mean difference of the score, its 95 % interval
    (bootstrap over cases), how many items got better and worse, exact McNemar p-value of the flips; and the flips.

    Raises
    ------
    InputError: a folder is no run, the data files differ, or no item is in both.
    """
    configs = [_config(folder) for folder in (first, second)]
    hashes = [c["data_sha256"] for c in configs]
    if hashes[0] != hashes[1]:
        raise InputError(f"{first} and {second} were run on different data files; compare runs of the same items.")
    left, right = ({s.key: s for s in scored_items(folder)} for folder in (first, second))
    both = [
        (left[k], right[k]) for k in left if k in right and left[k].score is not None and right[k].score is not None
    ]
    if not both:
        raise InputError(f"{first} and {second} share no scored item; run both on the same items.")
    both.sort(key=lambda pair: pair[0].index)
    names = dict.fromkeys(a.set for a, _ in both)
    return {
        "differ": {k: [c.get(k) for c in configs] for k in sorted(configs[0]) if configs[0][k] != configs[1].get(k)},
        "items": len(both),
        "only_in_one": len(left.keys() ^ right.keys()),
        "sets": {name: _difference([p for p in both if p[0].set == name], seed) for name in names},
        "all_items": _difference(both, seed),
        "flips": _flips(both)[:MOST_FLIPS],
    }


def _config(folder: Path) -> dict[str, Any]:
    if not (folder / CONFIG).is_file() or not (folder / ITEMS).is_file():
        raise InputError(f"{folder} is no run folder; give the --out of two `radomica eval run`.")
    return json.loads((folder / CONFIG).read_text(encoding="utf-8"))


def _difference(pairs: Sequence[tuple[Scored, Scored]], seed: int) -> dict[str, Any]:
    change = np.array([b.score - a.score for a, b in pairs], np.float64)
    cases = [a.case if a.case is not None else f"\0{a.key}" for a, _ in pairs]
    other = sum(a.answer != b.answer for a, b in pairs)
    better, worse = int((change > 0).sum()), int((change < 0).sum())
    return {
        "n": len(pairs),
        "first": float(np.mean([a.score for a, _ in pairs])),
        "second": float(np.mean([b.score for _, b in pairs])),
        "difference": float(change.mean()),
        "interval": list(cluster_bootstrap(change, cases, seed=seed)),
        "better": better,
        "worse": worse,
        "answers_changed": other,
        "p_value": float(binomtest(better, better + worse).pvalue) if better + worse else 1.0,
    }


def _flips(pairs: Sequence[tuple[Scored, Scored]]) -> list[dict[str, Any]]:
    return [
        {"key": a.key, "first": list(a.answer), "second": list(b.answer), "scores": [a.score, b.score]}
        for a, b in pairs
        if a.score != b.score
    ]


def comparison_markdown(found: Mapping[str, Any]) -> str:
    """A table of a comparison, the settings that differ and the first flips."""
    lines = [f"Differ in {k}: {a!r} and {b!r}." for k, (a, b) in found["differ"].items()] or ["Same settings."]
    lines += ["", "| set | n | first | second | difference | 95 % interval | better | worse | p |"]
    lines.append("|---|---|---|---|---|---|---|---|---|")
    for name, d in [*found["sets"].items(), ("all items", found["all_items"])]:
        low, high = d["interval"]
        lines.append(
            f"| {name} | {d['n']} | {d['first']:.3f} | {d['second']:.3f} | {d['difference']:+.3f} | {low:+.3f} to "
            f"{high:+.3f} | {d['better']} | {d['worse']} | {d['p_value']:.3g} |"
        )
    lines += ["", f"{len(found['flips'])} items changed; {found['only_in_one']} stand in one run alone.", ""]
    lines += [f"- {f['key']}: {f['first']} to {f['second']}" for f in found["flips"][:20]]
    return "\n".join(lines) + "\n"
