"""What metrics.json holds, as sections of words and tables for run.md and run.html.

What this module does not know: how a figure was measured, how a page looks. A figure that is absent has no row; a
section without figures says why or is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

DEFAULT_MODEL = "multi-kernel"
Json = Mapping[str, Any]


@dataclass(frozen=True)
class Section:
    """One heading with a table. picture : name of the picture that belongs to it, "" = none."""

    title: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    before: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    picture: str = ""


def sections_of(config: Json, figures: Json, card: Json | None) -> tuple[Section, ...]:
    """Every section that has something to say, in reading order."""
    found = [
        _what(config, figures),
        _models(figures),
        _calibration(figures),
        _conformal(figures),
        _subgroups(figures),
        _genes(figures),
        _others(figures),
        _pathways(figures),
        _shapley(figures),
        _effects(figures),
        _imported(figures),
        _model(card),
    ]
    return tuple(section for section in found if section is not None)


def number(value: float | None, digits: int = 3) -> str:
    """A figure, or a dash."""
    return "-" if value is None else f"{value:.{digits}f}"


def interval(pair: Sequence[float] | None, digits: int = 3) -> str:
    """ "0.612 to 0.701", or a dash."""
    return "-" if pair is None else f"{pair[0]:.{digits}f} to {pair[1]:.{digits}f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def _what(config: Json, figures: Json) -> Section:
    rows = [
        ("cohort", f"{config['cohort']}, {config['patients']} patients"),
        ("predicted", config["task"] + (f": {' or '.join(config['positive'])}" if config["positive"] else "")),
        ("blocks read", "all" if config["blocks"] is None else ", ".join(config["blocks"])),
        ("folds", f"{figures['folds']}; every figure is of held-out patients"),
        ("seed", str(config["seed"])),
    ]
    return Section("What was run", ("", ""), tuple(rows))


def _models(figures: Json) -> Section:
    rows = []
    for name, found in sorted(figures["models"].items(), key=lambda pair: "default_minus_this" in pair[1]):
        gap = found.get("default_minus_this")
        between = interval(found.get("default_minus_this_interval"))
        rows.append(
            (name, number(found["mean"]), interval(found["interval"]), "-" if gap is None else f"{gap:+.3f}", between)
        )
    head = ("model", figures["figure"], "95 % interval", f"{DEFAULT_MODEL} less this", "95 % interval of that")
    note = "Mean over folds; intervals draw patients anew within folds and leave the choice of folds as it is."
    return Section("Held-out figures", head, tuple(rows), notes=(note,), picture="models")


def _calibration(figures: Json) -> Section | None:
    trust, found = figures.get("trust", {}), figures.get("calibration")
    if found is None:
        return Section("Calibration", before=(figures["not_made"],)) if "not_made" in figures else None
    rows = []
    for key, text in (
        ("slope", "calibration slope (1 = right, below 1 = too sure)"),
        ("intercept", "calibration intercept (0 = right, above 0 = commoner than predicted)"),
        ("observed_over_expected", "events observed / expected (1 = right)"),
    ):
        if key in found:
            value = found[key]
            pair = None if value is None else (value["lower"], value["upper"])
            rows.append((text, number(None if value is None else value["value"]), interval(pair)))
    for label, diagram in figures["reliability"].items():
        rows.append((f"expected calibration error, {label}", number(diagram["expected_calibration_error"]), "-"))
    for key, text in (
        ("integrated_brier", "integrated Brier score"),
        ("integrated_brier_kaplan_meier", "the same of Kaplan-Meier (everybody alike)"),
        ("brier", "Brier score"),
        ("brier_of_the_prevalence", "the same of the prevalence (everybody alike)"),
    ):
        if key in trust or key in found:
            rows.append((text, number(trust.get(key, found.get(key)), 4), "-"))
    if "coverage_of_90" in trust:
        rows.append(("events inside their 90 % interval", _share(trust["coverage_of_90"]), "-"))
    ood = trust.get("out_of_distribution_share", found.get("out_of_distribution_share"))
    rows.append(("held-out patients flagged out of distribution", _share(ood), "-"))
    notes = [
        f"{_bins(d)} patients in bins that cannot be told, {n}" for n, d in figures["reliability"].items() if _bins(d)
    ]
    if figures.get("horizons_beyond_the_follow_up"):
        late = ", ".join(f"{m} months" for m in figures["horizons_beyond_the_follow_up"])
        notes.append(f"No diagram at {late}: under a tenth of the patients are followed that long.")
    return Section(
        "Calibration", ("", "figure", "95 % interval"), tuple(rows), notes=tuple(notes), picture="reliability"
    )


def _bins(diagram: Json) -> int:
    return int(diagram["n_not_estimated"])


def _conformal(figures: Json) -> Section | None:
    found = figures.get("conformal")
    if found is None:
        return None
    rows = []
    for key, text in (
        ("coverage", "all"),
        ("coverage_of_yes", "patients with the label"),
        ("coverage_of_no", "without"),
    ):
        share = found[key]
        if share is not None:
            rows.append((text, str(share["n"]), _share(share["value"]), _both(share)))
    sizes = (
        f"Sets that hold one label {_share(found['one_label'])}, both {_share(found['both_labels'])}, "
        f"none {_share(found['no_label'])}."
    )
    head = ("held-out patients", "n", "label inside the set", "95 % interval")
    asked = f"{found['method']}; asked for {_share(found['coverage_asked'])}."
    return Section("Conformal prediction sets", head, tuple(rows), before=(asked,), notes=(sizes,))


def _both(share: Json) -> str:
    return f"{_share(share['lower'])} to {_share(share['upper'])}"


def _subgroups(figures: Json) -> Section | None:
    if "subgroups" not in figures:
        return None
    rows = []
    for row in figures["subgroups"]:
        gap = "-" if row["gap"] is None else f"{row['gap']:+.3f} ({interval(row['gap_interval'])})"
        ratio = row["observed_over_expected"]
        over = "-" if ratio is None else f"{ratio:.2f} ({interval(row['observed_over_expected_interval'], 2)})"
        own = "-" if row["figure"] is None else f"{row['figure']:.3f} ({interval(row['interval'])})"
        rows.append((row["column"], row["word"], str(row["n"]), str(row["events"]), own, gap, over, row["why"]))
    head = ("column", "group", "n", "events", figures["figure"], "less the rest", "observed / expected", "")
    notes = [f"Passed over: {text}." for text in figures["subgroup_columns_passed_over"]]
    notes.append("Pairs of patients within folds. One gap in twenty lies outside its interval by chance alone.")
    if not rows:
        notes.insert(0, "No column tells sex, age in years, ancestry or stage; name one with --subgroup COLUMN.")
    return Section("Subgroups", head, tuple(rows), notes=tuple(notes))


def _top(found: Json, count: int | None = None) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (row["name"], f"{row['mean_importance']:.4f}", f"{100 * row['share_of_folds_in_top']:.0f} %")
        for row in found["top"][:count]
    )


def _stability(found: Json) -> str:
    return (
        f"{found['features']} in all. How far the folds agree (1 = wholly): mean pairwise Spearman "
        f"{number(found['spearman'], 2)}, Jaccard of the top {found['top_counts']} {number(found['jaccard'], 2)}."
    )


def _genes(figures: Json) -> Section | None:
    told = figures.get("default_explanations")
    if told is None:
        return None
    found = told["genes"] if told["genes"]["top"] else told["other_features"]
    if not found["top"]:
        return Section("What the risk rests on", before=("No feature has any weight.",))
    error = told["completeness_error"]
    notes = (
        f"Integrated gradients from {told['baseline']}; completeness error {100 * (error or 0):.3f} % of the explained "
        f"score, largest {told['largest_completeness_error']:.1e}. An attribution is not a cause.",
    )
    what = "Top genes" if told["genes"]["top"] else "Top features"
    head = ("block: feature", "mean |attribution|", f"folds with it in the top {found['top_counts']}")
    return Section(what, head, _top(found), before=(_stability(found),), notes=notes)


def _others(figures: Json) -> Section | None:
    told = figures.get("default_explanations")
    if told is None or not told["genes"]["top"] or not told["other_features"]["top"]:
        return None
    found = told["other_features"]
    head = ("block: feature", "mean |attribution|", f"folds with it in the top {found['top_counts']}")
    return Section("Top features that are no genes", head, _top(found, 10), before=(_stability(found),))


def _pathways(figures: Json) -> Section | None:
    told = figures.get("default_explanations")
    if told is None or not told["pathways"]["top"]:
        return None
    found = told["pathways"]
    head = ("pathway", "mean |attribution|", f"folds with it in the top {found['top_counts']}")
    note = (
        f"Sums over a pathway's genes. {found['genes_in_pathways']:.0f} of the cohort's {found['genes']:.0f} genes are "
        "in one of the built-in pathways; the others are in none of these rows."
    )
    return Section("Pathways", head, _top(found, 15), before=(_stability(found),), notes=(note,))


def _shapley(figures: Json) -> Section | None:
    told = figures.get("default_explanations")
    if told is None:
        return None
    found = told["shapley"]
    rows = sorted(found["mean_absolute"].items(), key=lambda pair: -pair[1])
    note = (
        f"{found['method'].capitalize()}; {found['patients']} held-out predictions. A patient's values add up to the "
        f"score; no block at all is worth {found['empty_set']:g}, the mean before anything is known of a patient."
    )
    table = tuple((name, f"{value:.4f}") for name, value in rows)
    return Section("What each block gives", ("block", "mean |Shapley value|"), table, notes=(note,), picture="shapley")


def _effects(figures: Json) -> Section | None:
    if not figures.get("effects"):
        return None
    rows = tuple((name, f"{value:.4f}") for name, value in figures["effects"].items())
    note = (
        "Mean over folds. linear, gaussian: variance of that effect in the block's own fit; share: what the block "
        "counts in the sum, 0 = it says nothing that the others do not. all blocks: the ridge on components of all of "
        "them, in the folds where it raised the concordance of left-out patients."
    )
    return Section("Weights of the effects", ("effect", "weight"), rows, notes=(note,))


def _imported(figures: Json) -> Section | None:
    if "import" not in figures:
        return None
    rows = tuple((note["kind"], str(note["count"]), note["text"]) for note in figures["import"])
    before = () if rows else ("Nothing was skipped, renamed, reduced or defaulted.",)
    return Section("Counted when the cohort was read", ("", "count", "where and what"), rows, before=before)


def _model(card: Json | None) -> Section | None:
    if card is None:
        return None
    rows = (
        ("model", f"{card['id']}, {card['architecture']}"),
        ("weights SHA-256", card["sha256"]),
        ("patient data", card.get("patient_data", "-")),
        ("limits", card["limits"]),
        ("citation of the cohort", card["training"].get("citation") or "-"),
        ("licence of the cohort", card["training"].get("licence") or "-"),
    )
    return Section("The model of all patients", ("", ""), rows)
