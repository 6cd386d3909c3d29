"""The viewer's operations over HTTP, on a synthetic patient's real DICOM files."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from app.api import make_app
from app.settings import Settings
from encoders.synthetic.cohort import sample_case, write_case


@pytest.fixture(scope="module")
def served(
    install_chain: Callable[..., None], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[TestClient, str]]:
    """(client, id of a case that holds one synthetic LUAD patient)."""
    base = tmp_path_factory.mktemp("viewer")
    write_case(sample_case(7, 41, "LUAD"), base / "patient")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as made:
        for path in sorted(p for p in (base / "patient").rglob("*") if p.is_file()):
            made.write(path, path.relative_to(base / "patient").as_posix())
        made.writestr("holiday.xyz", "not patient data at all")
    with pytest.MonkeyPatch.context() as patch:
        install_chain(patch)
        app = make_app(Settings(home=base / "home"), with_page=False, with_demo=False)
        with TestClient(app) as client:
            sent = {"file": ("p.zip", packed.getvalue())}
            yield client, client.post("/v1/cases", files=sent).json()["case_id"]


@pytest.fixture
def series(served: tuple[TestClient, str]) -> list[dict[str, Any]]:
    client, case_id = served
    return client.get(f"/v1/cases/{case_id}/series").json()["series"]


def test_every_series_is_listed_with_its_planes_windows_and_lesions(series: list[dict[str, Any]]) -> None:
    by_modality = {s["modality"]: s for s in series}
    ct, pet = by_modality["CT"], by_modality["PT"]
    assert ct["first_plane"] == "axial" and set(ct["planes"]) == {"axial", "coronal", "sagittal"}
    assert [p["key"] for p in ct["presets"]] == ["lung", "soft", "bone", "brain", "liver"] and pet["presets"] == []
    assert ct["overlays"] == [pet["uid"]] and pet["overlays"] == []
    low, high = ct["planes"]["axial"]["segments"][0]
    assert low <= ct["planes"]["axial"]["key"] <= high


def test_a_slice_is_a_picture_with_the_shape_of_its_plane(
    served: tuple[TestClient, str], series: list[dict[str, Any]]
) -> None:
    client, case_id = served
    ct = next(s for s in series if s["modality"] == "CT")
    for plane, facts in ct["planes"].items():
        asked = {"plane": plane, "index": facts["key"], "overlay": ct["overlays"][0], "suv_max": 8}
        got = client.get(f"/v1/cases/{case_id}/series/{ct['uid']}/slice", params=asked)
        assert got.headers["content-type"] == "image/png" and got.headers["cache-control"] == "no-store"
        wide, high = Image.open(io.BytesIO(got.content)).size
        assert wide / high == pytest.approx(facts["width_mm"] / facts["height_mm"], rel=0.02)


@pytest.mark.parametrize(
    ("path", "params", "status"),
    [
        ("9.9.9/slice", {}, 400),
        ("{uid}/slice", {"index": 90_000}, 400),
        ("{uid}/slice", {"overlay": "9.9.9"}, 400),
        ("{uid}/slice", {"plane": "oblique"}, 422),
        ("{uid}/slice", {"window": "nan", "level": 0}, 422),
        ("{uid}/slice", {"window": 0, "level": 0}, 400),
    ],
)
def test_what_cannot_be_drawn_has_a_clear_answer(
    served: tuple[TestClient, str], series: list[dict[str, Any]], path: str, params: dict[str, Any], status: int
) -> None:
    client, case_id = served
    got = client.get(f"/v1/cases/{case_id}/series/{path.format(uid=series[0]['uid'])}", params=params)
    assert got.status_code == status and got.json()["error"]["message"]


def test_each_file_has_its_outcome(served: tuple[TestClient, str]) -> None:
    client, case_id = served
    files = {f["name"]: f for f in client.get(f"/v1/cases/{case_id}/files").json()["files"]}
    assert files["imaging/ct_chest/"]["files"] > 10 and files["imaging/ct_chest/"]["outcome"] == "read"
    assert files["genomics/somatic.maf"]["read_as"] == "MAF"
    assert "holiday.xyz" in files


def test_no_source_without_a_report_and_none_of_another_case(served: tuple[TestClient, str]) -> None:
    client, case_id = served
    assert client.get(f"/v1/cases/{case_id}/evidence/M1/source").status_code == 404
    assert client.get("/v1/cases/case-unknown/series").status_code == 404


def test_a_server_without_image_functions_lists_no_series(tmp_path: Path, served: tuple[TestClient, str]) -> None:
    client, case_id = served
    bench = client.app.state.workbench
    settings = bench.settings
    try:
        bench.settings = Settings(home=settings.home, images=False)
        found = client.get(f"/v1/cases/{case_id}/series").json()
        assert found["series"] == [] and "switched off" in found["note"]
        assert client.get(f"/v1/cases/{case_id}/series/1.2/slice").status_code == 400
    finally:
        bench.settings = settings
