"""The measurement table: one row a lesion, its change beside its size, a proposed one marked."""

from __future__ import annotations

from typing import Any

from app.render.tables import imaging_tables


def item(number: int, kind: str, label: str, **fields: str) -> dict[str, Any]:
    return {
        "id": f"I{number}", "type": kind, "text": f"{kind} of {label}",
        "fields": {name: {"display": shown} for name, shown in {"series": "CT chest", **fields}.items()},
        "source": {"series_uid": "1.2.3", "row_id": label, "date": "2024-06-01"},
    }  # fmt: skip


def rows(*items: dict[str, Any]) -> list[dict[str, Any]]:
    return imaging_tables({e["id"]: e for e in items})["lesions"]


SIZE = {"longest_diameter": "38 mm", "short_axis": "21 mm", "volume": "12.4 mL", "mean_intensity": "34 HU"}
CHANGE = {"trend": "grown", "measure": "longest diameter", "before": "28 mm", "now": "38 mm", "change": "36 % larger",
          "date_before": "2024-01-10", "date_now": "2024-06-01"}  # fmt: skip


def test_size_intensity_and_change_of_one_lesion_stand_in_one_row() -> None:
    bright = {"mean": "34 HU", "p10": "-21 HU", "p90": "71 HU"}
    change, intensity = item(2, "lesion_change", "A", **CHANGE), item(3, "lesion_intensity", "A", **bright)
    (row,) = rows(item(1, "lesion", "A", **SIZE), change, intensity)
    assert row == {
        "name": "A", "note": "", "series": "CT chest", "date": "2024-06-01", "size": "38 x 21 mm", "volume": "12.4 mL",
        "intensity": "mean 34 HU, -21 to 71 HU", "before": "28 mm, 2024-01-10", "change": "36 % larger, grown",
        "ids": ["I1", "I3", "I2"],
    }  # fmt: skip


def test_a_change_is_not_shown_beside_another_lesion() -> None:
    first, second = rows(item(1, "lesion", "A", **SIZE), item(2, "lesion_change", "B", lesion="B", **CHANGE))
    assert (first["before"], first["change"]) == ("", "")
    assert (second["name"], second["size"], second["change"]) == ("B", "", "36 % larger, grown")


def test_a_vanished_lesion_has_a_row_without_a_size() -> None:
    gone = {"lesion": "B", "trend": "vanished", "date_before": "2024-01-10", "date_now": "2024-06-01"}
    (row,) = rows(item(1, "lesion_change", "B", **gone))
    assert (row["name"], row["size"], row["before"], row["change"]) == ("B", "", "2024-01-10", "vanished")


def test_a_proposed_lesion_is_marked_and_columns_nobody_fills_are_left_out() -> None:
    tables = imaging_tables({"I1": item(1, "proposed_lesion", "Proposed lesion 1", **SIZE)})
    assert tables["lesions"][0]["note"] == "proposed, not confirmed by a person"
    assert [key for key, _ in tables["columns"]] == ["series", "date", "size", "volume", "intensity"]
