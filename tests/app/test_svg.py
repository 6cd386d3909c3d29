"""Charts: the drawn geometry follows the numbers."""

from __future__ import annotations

import re

from app.render.svg import bar_chart, follow_up_bar, survival_chart


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
