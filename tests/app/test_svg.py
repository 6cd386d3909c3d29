"""Charts: the drawn geometry follows the numbers."""

from __future__ import annotations

import itertools
import re

import numpy as np

from app.render.similar_tables import neighbour_table
from app.render.svg import bar_chart, follow_up_bar, kaplan_meier_chart, survival_chart
from encoders.kaplan_meier import fit_kaplan_meier


def test_survival_falls_down_the_page_and_the_band_holds_the_curve() -> None:
    data = {"months": [0, 12, 24], "probability": [1.0, 0.6, 0.2], "lower": [1.0, 0.5, 0.1], "upper": [1.0, 0.7, 0.4]}
    drawn = survival_chart({**data, "cohort": None})
    curve = re.search(r'class="curve" points="([^"]+)"', drawn)
    assert curve is not None
    heights = [float(p.split(",")[1]) for p in curve[1].split()]
    assert heights == sorted(heights) and heights[0] < heights[-1]
    assert ">0.60<" in drawn and ">0.20<" in drawn


def test_bars_leave_zero_on_the_side_of_their_sign() -> None:
    drawn = bar_chart([{"m": "up", "value": 0.5}, {"m": "down", "value": -0.25}], "m", "t")
    zero = float(re.search(r'class="zero" x1="([\d.]+)"', drawn)[1])
    raises = re.search(r'class="raises" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', drawn)
    lowers = re.search(r'class="lowers" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', drawn)
    assert float(raises[1]) == zero
    assert abs(float(lowers[1]) + float(lowers[2]) - zero) < 0.11
    assert abs(float(raises[2]) - 2 * float(lowers[2])) < 0.11


def test_labels_are_escaped() -> None:
    drawn = bar_chart([{"m": "<script>", "value": 1.0}], "m", "<t>")
    assert "<script>" not in drawn and "&lt;script&gt;" in drawn


def test_outcomes_are_told_apart_by_mark_and_word() -> None:
    died, alive = follow_up_bar(10.0, True, 20.0), follow_up_bar(20.0, False, 20.0)
    assert 'class="died"' in died and "10 months, died" in died
    assert 'class="alive"' in alive and "20 months, alive" in alive
    ends = [float(re.search(r'x2="([\d.]+)"', d)[1]) - 2 for d in (died, alive)]
    assert ends[1] == 2 * ends[0]


def test_all_zero_bars_are_drawn_without_dividing_by_zero() -> None:
    assert "<svg" in bar_chart([{"m": "a", "value": 0.0}], "m", "t")


def survival_data(synthetic: bool = True) -> dict:
    near = fit_kaplan_meier(np.arange(1.0, 11.0) * 3, np.arange(10) < 6)  # deaths at 3, 6 ... 18, last visits to 30
    everyone = fit_kaplan_meier(np.arange(1.0, 41.0) * 3, np.arange(40) % 2 == 0)
    months = (0.0, 12.0, 24.0, 36.0, 48.0, 60.0)
    curves = {k: c.to_dict(60.0, (12.0, 36.0), months) for k, c in (("neighbours", near), ("reference", everyone))}
    return {**curves, "synthetic": synthetic, "oncotree_code": "LUAD", "evidence_id": "S7", "reason": ""}


def drawn_points(drawn: str, style: str) -> list[tuple[float, float]]:
    found = re.search(rf'class="{style}" points="([^"]+)"', drawn)
    assert found is not None
    return [tuple(float(v) for v in p.split(",")) for p in found[1].split()]


def test_both_survival_curves_are_drawn_as_steps_with_axes_and_numbers_at_risk() -> None:
    drawn = kaplan_meier_chart(survival_data())
    for style in ("curve", "cohort"):
        points = drawn_points(drawn, style)
        assert all(a[0] == b[0] or a[1] == b[1] for a, b in itertools.pairwise(points))  # steps, no slopes
        assert [p[1] for p in points] == sorted(p[1] for p in points)
    assert ">months<" in drawn and ">survival probability<" in drawn
    assert [">10<" in drawn, ">7<" in drawn] == [True, True]  # at risk at 0 and, with month 12 itself, at 12 months


def test_a_curve_ends_at_its_last_visit_and_the_band_holds_it() -> None:
    drawn = kaplan_meier_chart(survival_data())
    near, everyone, band = (drawn_points(drawn, style) for style in ("curve", "cohort", "band"))
    start, end = everyone[0][0], everyone[-1][0]
    assert abs(near[-1][0] - (start + (end - start) * 30 / 60)) < 0.11
    assert min(p[1] for p in band) <= min(p[1] for p in near) and max(p[1] for p in band) >= max(p[1] for p in near)


def test_curves_without_a_reference_are_still_drawn() -> None:
    drawn = kaplan_meier_chart({**survival_data(), "reference": None})
    assert 'class="curve"' in drawn and 'class="cohort"' not in drawn


def test_the_table_beside_the_curves_names_synthetic_patients() -> None:
    table = neighbour_table(survival_data())
    assert table["about"] == "synthetic reference patients of the same cancer"
    assert table["groups"] == ["10 most similar", "all 40"] and table["ids"] == ["S7"]
    assert dict(table["rows"])["Deaths"] == ["6", "20"]
    assert dict(table["rows"])["Median, months"][0] == "15 (3 to not reached)"
    assert dict(table["rows"])["Alive at 3 years"][0] == "too few followed"
    assert neighbour_table(survival_data(synthetic=False))["about"].startswith("reference patients")
    assert neighbour_table({"neighbours": None, "reason": "4 cases"}) == {}
