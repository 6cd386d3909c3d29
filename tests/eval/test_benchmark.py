"""Rows of a benchmark: what passes, and that the result is JSON whatever number type was measured."""

from __future__ import annotations

import json

import numpy as np
import pytest

from eval.benchmark import Better, Row


@pytest.mark.parametrize(
    ("value", "better", "ok"),
    [(0.9, Better.HIGHER, True), (0.7, Better.HIGHER, False), (0.7, Better.LOWER, True), (None, Better.LOWER, False)],
)
def test_a_row_passes_when_it_reaches_its_bar(value: float | None, better: Better, ok: bool) -> None:
    assert Row("a", value, 0.8, better, 3, 0.1).ok is ok


def test_a_row_of_numpy_numbers_is_json() -> None:
    row = Row("a", np.float64(0.9), 0.8, Better.HIGHER, 3, 0.1, interval=(np.float32(0.5), np.float64(1)))
    read = json.loads(json.dumps(row.to_dict()))
    assert read["ok"] is True and read["interval"] == [0.5, 1.0]
