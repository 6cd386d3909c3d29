"""Each tab of the page as HTML, from report.json: predictions, molecular, therapy, similar cases, review, files.

Templates escape every value; nothing here is marked safe but the charts, whose labels are escaped where they are drawn.
Not known here: Gradio, the viewer, or how an answer is made. NOT checked: that the report is right.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from app.render.html import build_view
from app.render.tables import KIND_TITLES, display, molecular_rows, of_type, source_text
from encoders.registry import REGISTRY

STAGES = ("I", "IA", "IB", "II", "IIA", "IIB", "III", "IIIA", "IIIB", "IIIC", "IV")
WHAT_IF_BIOMARKERS = ("MSI", "TMB", "PD-L1", "ER", "PR", "HER2 IHC", "MGMT")
DECISION_WORDS = {"accept": "Accepted", "edit": "Edited", "override": "Overridden"}

EMPTY = '<div class="rd-empty">{} when the report is written.</div>'

_GROUPS = (
    (
        "Variants",
        ("variant",),
        "No variant was found or no sequencing was given; the review tab lists what is missing.",
    ),
    ("Copy number", ("copy_number",), "No copy-number change is in the evidence."),
    ("Fusions", ("fusion",), "No fusion is in the evidence."),
    ("TMB, MSI, PD-L1 and other markers", ("biomarker",), "No biomarker result is in the evidence."),
    ("Expression profiles and pathways", ("expression_profile", "pathway"), "No expression profile was read."),
)


def predictions_tab(report: Mapping[str, Any] | None) -> str:
    """Survival curve, percentile, contributions, attribution bars, predictions, and how far to trust them."""
    if report is None:
        return EMPTY.format("Predictions appear here")
    view = build_view(report)
    survival = next((p for p in report["predictions"] if p["task"] == "survival"), {})
    figures = view["figures"]
    return _render(
        "predictions",
        charts=view["charts"],
        rows=view["tables"]["predictions"],
        cohort_n=((figures.get("survival") or {}).get("cohort") or {}).get("n"),
        genes_about=figures.get("genes_about") or {},
        percentile=survival.get("percentile"),
        reference=survival.get("reference_cohort") or "the reference cohort",
        reference_n=survival.get("n_reference") or "the",
        unimodal=[r for r in figures.get("contributions") or () if r.get("unimodal") is not None],
        flagged=[p["task"].replace(":", " ") for p in report["predictions"] if p.get("out_of_distribution")],
        explanations=of_type(view["evidence"], "contribution", "gene_attribution", "heatmap"),
        card=model_card(survival.get("model_card")),
    )


def molecular_tab(report: Mapping[str, Any] | None) -> str:
    """Variants, copy number, fusions, markers and expression profiles, each with where it was read."""
    if report is None:
        return EMPTY.format("Molecular findings appear here")
    evidence = {e["id"]: e for e in report["evidence"]}

    def rows(types: Sequence[str]) -> list[dict[str, Any]]:
        return [{**r, "where": source_text(evidence[r["ids"][0]])} for r in molecular_rows(evidence, types)]

    predicted = [
        {"name": f"{display(e, 'gene')} {display(e, 'label')}", "value": display(e, "probability"),
         "note": display(e, "agreement"), "ids": [e["id"]]}
        for e in of_type(evidence, "molecular_prediction")
    ]  # fmt: skip
    return _render(
        "molecular",
        groups=[(title, rows(types)) for title, types, _ in _GROUPS],
        absent={title: words for title, _, words in _GROUPS},
        predicted=predicted,
    )


def therapy_tab(report: Mapping[str, Any] | None, case_id: str | None) -> str:
    """Options and exclusions with rows and levels, and the what-if form."""
    if report is None:
        return EMPTY.format("Therapy options appear here")
    view = build_view(report)
    evidence = view["evidence"]
    stage = next((display(e, "stage") for e in of_type(evidence, "diagnosis")), "")
    ecog = next((display(e, "ecog") for e in of_type(evidence, "performance")), "")
    return _render(
        "therapy",
        **view["tables"]["therapy"],
        case_id=case_id or "",
        stage=stage,
        ecog=ecog.removeprefix("ECOG").strip(),
        stages=STAGES,
        biomarkers=WHAT_IF_BIOMARKERS,
        unjudged=[str(w).partition(": ")[2] for w in report.get("warnings") or () if "therapy rows" in str(w)],
    )


def similar_tab(report: Mapping[str, Any] | None) -> str:
    """The nearest cases, and their survival beside all."""
    if report is None:
        return EMPTY.format("Similar cases appear here")
    view = build_view(report)
    return _render(
        "similar",
        **view["outcomes"],
        outcomes=view["tables"]["outcomes"],
        rows=view["tables"]["similar"],
        follow_up=view["follow_up"],
    )


def evidence_tab(report: Mapping[str, Any] | None) -> str:
    """The whole ledger as a table that can be filtered."""
    if report is None:
        return EMPTY.format("The evidence appears here")
    groups = build_view(report)["evidence_groups"]
    entries = [{**e, "title": KIND_TITLES[e["kind"]]} for g in groups for e in g["entries"]]
    return _render("evidence", entries=entries, kinds=[(g["kind"], g["title"]) for g in groups])


def review_tab(
    report: Mapping[str, Any] | None, job_id: str, reviews: Sequence[Mapping[str, Any]], *, may_review: bool = True
) -> str:
    """Every printed sentence with its verdict and the newest decision on it; what was withheld, and why.

    reviews : {claim_id, decision, reason, text, by, at}, oldest first
    """
    if report is None:
        return EMPTY.format("The review opens")
    newest = {str(r["claim_id"]): r for r in reviews}
    view = build_view(report)
    sections = [
        {**s, "claims": [{**c, "id": i, "review": _told(newest.get(i))} for i, c in claim_ids(s)]}
        for s in report["sections"]
    ]
    return _render(
        "review",
        job_id=job_id,
        sections=sections,
        counts=report["verdict_counts"],
        printed=view["printed"],
        raw=report.get("raw_claims") or {},
        withheld=report["withheld"],
        contradictions=view["tables"]["contradictions"],
        missing=view["tables"]["missing"],
        words=DECISION_WORDS,
        may_review=may_review,
    )


def claim_ids(section: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """(id, claim) of a section's printed claims: the section's id and the place, from 1 ("therapy-1")."""
    return [(f"{section['id']}-{n}", claim) for n, claim in enumerate(section["claims"], start=1)]


def files_tab(
    job: Mapping[str, Any] | None,
    case_id: str | None,
    title: str = "",
    *,
    may_delete: bool = True,
    identity: Mapping[str, Any] | None = None,
) -> str:
    """Downloads in every form, what became of each file, whom the files name, and the case's export and deletion.

    identity : what Workbench.identity_check found at import, in counts
    """
    done = job is not None and job["state"] == "done"
    return _render(
        "files",
        job_id=job["id"] if job is not None and done else "",
        forms=download_forms(),
        case_id=case_id or "",
        title=title,
        may_delete=may_delete,
        identity=dict(identity or {}),
    )


def download_forms() -> list[dict[str, Any]]:
    """{name, file, title, needs_images} of every form a report can be downloaded in."""
    from app.exports import FORMATS  # noqa: PLC0415  the writers' libraries load with it

    return [
        {"name": f.name, "file": f"report.{f.suffix.lstrip('.')}", "title": f.title, "needs_images": f.needs_images}
        for f in FORMATS.values()
    ]


def model_card(card_id: str | None) -> dict[str, Any] | None:
    """{id, synthetic, limits, c_index, n} of a shipped model's card; None for a model that is not shipped."""
    for entry in REGISTRY.values():
        path = entry.folder / "card.json"
        if not path.is_file():
            continue
        card = json.loads(path.read_text(encoding="utf-8"))
        if card.get("id") == card_id:
            metrics = card.get("metrics") or {}
            limits = card.get("limits") or ""
            return {
                "id": card_id,
                "synthetic": bool(card.get("synthetic")),
                "limits": limits if isinstance(limits, str) else " ".join(str(x) for x in limits),
                "c_index": (metrics.get("c_index_within_cancer") or {}).get("fused"),
                "n": metrics.get("n"),
            }
    return None


def _told(review: Mapping[str, Any] | None) -> dict[str, str] | None:
    if review is None:
        return None
    when = review.get("at") or review.get("created") or ""
    told = {k: str(review.get(k) or "") for k in ("decision", "reason", "text", "by")}
    return {**told, "at": str(when)[:16].replace("T", " ")}


def _render(name: str, **values: Any) -> str:
    return _environment().get_template(f"{name}.html.jinja").render(**values)


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("app", "page"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
