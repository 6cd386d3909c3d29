"""The one-page result of a site self-test, in Markdown.

Not known here: how a figure was made (site.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

FIGURES = ("recall", "precision", "weighted_errors")


def site_markdown(found: Mapping[str, Any]) -> str:
    """The one-page result."""
    figures = found["figures"]
    head = "| figure | mean over cases | 95 % interval | cases |"
    lines = ["# Site self-test", "", found["research_use"], "", head, "|---|---|---|---|"]
    for name in FIGURES:
        value = figures[name]
        lines.append(f"| {name.replace('_', ' ')} | {_mean(value)} | {_interval(value)} | {value['n']} |")
    lines += ["", *_errors(found), *_ablations(figures["ablations"]), "", *_cases(found["cases"])]
    if found["left_out"]:
        lines += ["", "Left out:", "", *(f"- {f['case']}: {f['reason']}" for f in found["left_out"])]
    lines += [
        "",
        "The judge goes by names (drugs, genes, stages, numbers) and by which way a therapy is spoken of; it sees no "
        "other negation: read what it missed.",
    ]
    lines += ["", f"Commit {found['commit']}, {found['machine']}."]
    return "\n".join(lines) + "\n"


def _errors(found: Mapping[str, Any]) -> list[str]:
    figures = found["figures"]
    weights = ", ".join(f"{name} {weight:g}" for name, weight in found["weights"].items())
    support = figures["raw_claims_supported"]
    raw = "" if support is None else f" Of what the model wrote before the checker, {support:.1%} was supported."
    names = list(figures["errors"])
    lines = [f"Errors of the reports by what they could do (weights {weights}).{raw}", "",
             f"| error | {' | '.join(names)} |", "|" + "---|" * (len(names) + 1)]  # fmt: skip
    rows = [*figures["errors_by_kind"].items(), ("all", figures["errors"])]
    return lines + [f"| {kind} | {' | '.join(str(counts[n]) for n in names)} |" for kind, counts in rows]


def _ablations(found: Mapping[str, Any]) -> list[str]:
    if not found:
        return ["", "Ablations were switched off."]
    lines = [
        "",
        "What the parts are worth: each row less the whole report, paired over cases (95 % interval).",
        "",
        "| row | cases | recall | precision | weighted errors | sentences changed |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in found.items():
        cells = [_signed(row[f]) for f in FIGURES]
        changed = row["changed_share"]["mean"]
        told = "" if changed is None else f"{changed:.0%}"
        cases = f"{row['cases']}" + (f" ({row['could_not_be_made']} not made)" if row["could_not_be_made"] else "")
        lines.append(f"| {name} | {cases} | {' | '.join(cells)} | {told} |")
    return [*lines, "", "A part without which hardly a sentence changes was hardly read."]


def _cases(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [
        "| case | recall | precision | weighted errors | unsafe | printed | withheld | seconds | not in the report |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        missing = "; ".join(f"{a['text'][:70]} ({a['severity']})" for a in row["absent"][:3])
        turned = "; ".join(f"turned round: {a['text'][:70]}" for a in row["against"][:3])
        shares = " | ".join("-" if row[k] is None else f"{row[k]:.2f}" for k in ("recall", "precision"))
        lines.append(
            f"| {row['case']} | {shares} | {row['weighted_errors']:g} | {row['errors']['unsafe']} | {row['printed']} | "
            f"{row['withheld']} | {row['seconds']} | {'; '.join(t for t in (turned, missing) if t)} |"
        )
    return lines


def _mean(value: Mapping[str, Any]) -> str:
    return "not measured" if value["mean"] is None else f"{value['mean']:.3f}"


def _interval(value: Mapping[str, Any]) -> str:
    return "" if value["interval"] is None else f"{value['interval'][0]:.3f} to {value['interval'][1]:.3f}"


def _signed(value: Mapping[str, Any]) -> str:
    if value["mean"] is None:
        return "not measured"
    low, high = value["interval"]
    return f"{value['mean']:+.3f} ({low:+.3f} to {high:+.3f})"
