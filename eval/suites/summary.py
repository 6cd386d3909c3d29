"""The figures of a run in Markdown, with published figures of the same sets beside ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from assistant.report import RESEARCH_USE
from eval.suites.item import Problem
from eval.suites.tables import interval, markdown_rows, more_tables, number

PUBLISHED: Mapping[str, tuple[tuple[str, float, str], ...]] = {
    "mmlu": (("GPT-4, chain of thought", 0.894, "MIRAGE"), ("GPT-4, MedRAG", 0.872, "MIRAGE"),
             ("GPT-3.5, chain of thought", 0.729, "MIRAGE"), ("GPT-3.5, MedRAG", 0.755, "MIRAGE")),
    "medqa": (("GPT-4, chain of thought", 0.840, "MIRAGE"), ("GPT-4, MedRAG", 0.828, "MIRAGE"),
              ("GPT-3.5, chain of thought", 0.650, "MIRAGE"), ("GPT-3.5, MedRAG", 0.666, "MIRAGE")),
    "medmcqa": (("GPT-4, chain of thought", 0.699, "MIRAGE"), ("GPT-4, MedRAG", 0.667, "MIRAGE"),
                ("GPT-3.5, chain of thought", 0.553, "MIRAGE"), ("GPT-3.5, MedRAG", 0.580, "MIRAGE")),
    "pubmedqa": (("GPT-4, chain of thought, no abstract", 0.396, "MIRAGE"), ("GPT-4, MedRAG", 0.706, "MIRAGE"),
                 ("GPT-3.5, chain of thought, no abstract", 0.360, "MIRAGE"), ("GPT-3.5, MedRAG", 0.674, "MIRAGE")),
    "bioasq": (("GPT-4, chain of thought", 0.843, "MIRAGE"), ("GPT-4, MedRAG", 0.926, "MIRAGE"),
               ("GPT-3.5, chain of thought", 0.743, "MIRAGE"), ("GPT-3.5, MedRAG", 0.903, "MIRAGE")),
    "bioasq_yesno": (("GPT-4, chain of thought, on MIRAGE's yes/no questions", 0.843, "MIRAGE"),
                     ("GPT-4, MedRAG, on MIRAGE's yes/no questions", 0.926, "MIRAGE")),
    "pubmedqa_with_abstract": (("one human, 500 test questions", 0.780, "PubMedQA"),
                               ("BioBERT, 500 test questions", 0.681, "PubMedQA"),
                               ("always yes, 500 test questions", 0.552, "PubMedQA")),
    "mtbbench_hancock": (("best published", 0.672, "MTBBench logs"), ("Gemma 3 12B", 0.608, "MTBBench logs"),
                         ("Gemma 3 12B with tools", 0.669, "MTBBench logs")),
}  # fmt: skip
"""Set -> (system, accuracy, source). MIRAGE: Xiong et al. 2024, 10.18653/v1/2024.findings-acl.372, all 7,663 items;
PubMedQA: Jin et al. 2019, 10.18653/v1/D19-1259; MTBBench: recomputed from the logs of its repository. Another sample
of items than a run's may be under them."""

MOST_PROBLEMS = 20


def summary_markdown(metrics: Mapping[str, Any], problems: Sequence[Problem]) -> str:
    """One page: a row a set, published figures, what was left out."""
    config = metrics["config"]
    lines = [
        f"# {metrics['suite']}: {config['system']}, {config['llm']}", "", RESEARCH_USE, "",
        "| set | n | right | partly | wrong | no answer | not scored | accuracy | 95 % interval | published |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for name, f in [*metrics["sets"].items(), ("all items", metrics["all_items"])]:
        published = "; ".join(f"{who} {value:.3f}" for who, value, _ in PUBLISHED.get(name, ()))
        counts = " | ".join(str(f[k]) for k in ("right", "partly", "wrong", "no_answer", "not_scored"))
        lines.append(f"| {name} | {f['n']} | {counts} | {number(f['accuracy'])} | {interval(f)} | {published} |")
    lines += [
        "",
        f"Mean over sets: {number(metrics['mean_over_sets'])}. Published figures: MIRAGE is Xiong et al. 2024 (all "
        "7,663 items), PubMedQA is Jin et al. 2019, MTBBench its published logs; read them as anchors, the items may "
        "differ.",
    ]
    whole = metrics["all_items"]
    if whole["claims"]:
        lines.append(
            f"Claims written beside the answers: {whole['claims']}, of which the checker held "
            f"{whole['claims_supported']} ({whole['claims_supported'] / whole['claims']:.1%})."
        )
    told = whole["calibration"]
    if told["n"]:
        lines.append(
            f"Expected calibration error {told['expected_calibration_error']:.3f} over {told['n']} items with a "
            f"confidence ({told['without_confidence']} without)."
        )
    if whole["not_scored"]:
        lines.append(f"{whole['not_scored']} answers are not scored; free text needs a judge (--judge SPEC).")
    if metrics["items_refused_by_the_backend"]:
        lines.append(
            f"{metrics['items_refused_by_the_backend']} items could not be given to this backend (the reason stands in "
            "items.jsonl under refused); they count as no answer."
        )
    for table in more_tables(metrics):
        lines += ["", f"## {table.title}", "", *([table.note, ""] if table.note else []), *markdown_rows(table)]
    if problems:
        lines += ["", f"Left out, {len(problems)} items of the file:", ""]
        lines += [f"- {p.key}: {p.reason}" for p in problems[:MOST_PROBLEMS]]
        lines += [f"- ... {len(problems) - MOST_PROBLEMS} more in problems.json"] * (len(problems) > MOST_PROBLEMS)
    lines += ["", f"Commit {metrics['commit']}, {metrics['machine']}."]
    return "\n".join(lines) + "\n"
