"""The viewer's slices: planes by the patient's axes, windows in the series' unit, a PET by position, files on disk."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from app import viewer as module
from app.viewer import (
    LONGEST_PX,
    PLANES,
    SliceRequest,
    Viewer,
    along,
    array_axis,
    draw_png,
    edge_letters,
    overlays_for,
    plane_facts,
)
from encoders.errors import InputError
from encoders.patient import ImagingModality, ImagingSeries, IntensityUnit, Patient, Segment, SourceLocator

HERE = SourceLocator("made/by/hand")


def block(*, affine: np.ndarray | None = None, frame: str | None = "1.2.3", **other: object) -> ImagingSeries:
    """A CT of 4 x 6 x 8 voxels of 5 x 2 x 1 mm; the brightest voxel, alone in its segment, is z 3, y 1, x 6."""
    volume = np.zeros((4, 6, 8), dtype=np.float32)
    volume[3, 1, 6] = 1000.0
    mask = volume > 0
    made = ImagingSeries(
        modality=ImagingModality.CT,
        series_uid="1.2.3.4",
        date="2026-01-02",
        volume=volume,
        unit=IntensityUnit.HU,
        spacing_mm=(5.0, 2.0, 1.0),
        affine_lps=np.diag([1.0, 2.0, 5.0, 1.0]) if affine is None else affine,
        source=HERE,
        role="CT chest",
        segments=(Segment("lesion", mask, HERE),),
        frame_of_reference_uid=frame,
    )
    return replace(made, **other)  # type: ignore[arg-type]


def picture(png: bytes) -> np.ndarray:
    """(Y, X, 3) uint8."""
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def centre_of(bright: np.ndarray) -> tuple[float, float]:
    """(from the top, from the left) of what is bright, as shares of the picture."""
    rows, columns = np.nonzero(bright)
    return (rows.mean() + 0.5) / bright.shape[0], (columns.mean() + 0.5) / bright.shape[1]


@pytest.mark.parametrize(
    ("plane", "index", "top", "left", "ratio"),
    [
        ("axial", 3, 1.5 / 6, 6.5 / 8, 8 / 12),  # anterior on top, the patient's left on the right
        ("coronal", 1, 0.5 / 4, 6.5 / 8, 8 / 20),  # z 3 is the most superior slice: at the top
        ("sagittal", 6, 0.5 / 4, 1.5 / 6, 12 / 20),  # anterior on the left
    ],
)
def test_a_voxel_lands_where_a_radiologist_expects_it(
    plane: str, index: int, top: float, left: float, ratio: float
) -> None:
    shown = picture(draw_png(block(), SliceRequest(plane, index, window=1000, level=500, outline=False), None))
    assert shown.shape[1] / shown.shape[0] == pytest.approx(ratio, rel=0.01)
    assert centre_of(shown[:, :, 0] > 127) == pytest.approx((top, left), abs=0.02)
    assert picture(draw_png(block(), SliceRequest(plane, index - 1, window=1000, level=500), None)).max() == 0


def test_a_sagittal_stack_is_cut_along_its_own_first_axis() -> None:
    # Columns of the affine: x runs to posterior, y to inferior, slices to the patient's left.
    affine = np.array([[0, 0, 4.0, 0], [1.0, 0, 0, 0], [0, -1.0, 0, 0], [0, 0, 0, 1.0]])
    series = block(affine=affine, spacing_mm=(4.0, 1.0, 1.0))
    assert [array_axis(series, p) for p in PLANES] == [1, 2, 0]
    assert edge_letters(series, "sagittal")["left"] == "A"
    assert plane_facts(series, "axial")["step_mm"] == -1.0  # slice 0 of this stack is the most superior


def test_plane_facts_name_the_lesion_slice_and_its_place() -> None:
    facts = plane_facts(block(), "axial")
    assert (facts["count"], facts["key"], facts["segments"]) == (4, 3, [[3, 3]])
    assert facts["first_mm"] + facts["key"] * facts["step_mm"] == 15.0
    assert plane_facts(block(segments=()), "coronal")["key"] == 3  # the middle of 6


def test_a_tilted_plane_says_its_tilt() -> None:
    angle = np.radians(20)
    affine = np.eye(4)
    affine[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    assert plane_facts(block(affine=affine), "axial")["tilt_degrees"] == 20.0
    assert plane_facts(block(affine=affine), "sagittal")["tilt_degrees"] == 0.0


def test_the_window_is_in_the_series_unit() -> None:
    series = block(volume=np.full((4, 6, 8), 40.0, dtype=np.float32), segments=())
    for level, grey in ((40, 127), (240, 0), (-160, 255)):
        shown = picture(draw_png(series, SliceRequest("axial", 0, window=400, level=level), None))
        assert int(np.median(shown)) == pytest.approx(grey, abs=1)


def test_a_pet_is_laid_over_by_position_not_by_slice_number() -> None:
    ct = block(volume=np.zeros((4, 6, 8), dtype=np.float32), segments=())
    hot = np.zeros((3, 6, 8), dtype=np.float32)
    hot[1, 1, 6] = 10.0
    shifted = np.diag([1.0, 2.0, 5.0, 1.0])
    shifted[2, 3] = 10.0  # slice 1 of the PET lies at slice 3 of the CT
    pet = block(affine=shifted, volume=hot, segments=(), modality=ImagingModality.PT, unit=IntensityUnit.SUVBW,
                series_uid="1.2.3.5")  # fmt: skip

    def coloured(index: int) -> np.ndarray:
        asked = SliceRequest("axial", index, window=100, level=50, overlay=pet.series_uid, suv_max=10.0)
        shown = picture(draw_png(ct, asked, pet)).astype(int)
        return shown[:, :, 0] > 60

    assert centre_of(coloured(3)) == pytest.approx((1.5 / 6, 6.5 / 8), abs=0.03)
    assert not coloured(1).any()


def test_a_pet_of_another_frame_is_refused_and_not_offered() -> None:
    pet = block(modality=ImagingModality.PT, unit=IntensityUnit.SUVBW, frame="9.9", series_uid="1.2.3.5")
    assert overlays_for(block(), (block(), pet)) == []
    assert overlays_for(block(frame=None), (replace(pet, frame_of_reference_uid=None),)) == []
    with pytest.raises(InputError, match="same frame of reference"):
        draw_png(block(), SliceRequest("axial", 0, overlay=pet.series_uid), pet)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (SliceRequest("axial", 4), "0 to 3"),
        (SliceRequest("oblique", 0), "allowed: axial, coronal, sagittal"),
        (SliceRequest("axial", 0, window=0, level=0), "above 0"),
    ],
)
def test_what_cannot_be_drawn_is_refused(asked: SliceRequest, words: str) -> None:
    with pytest.raises(InputError, match=words):
        draw_png(block(), asked, None)


def test_the_outline_leaves_the_lesion_itself_uncovered() -> None:
    series = block(volume=np.zeros((4, 6, 8), dtype=np.float32))
    with_line = picture(draw_png(series, SliceRequest("axial", 3, window=100, level=50), None))
    without = picture(draw_png(series, SliceRequest("axial", 3, window=100, level=50, outline=False), None))
    assert (with_line != without).any() and without.max() == 0
    height, width = with_line.shape[:2]
    assert with_line[round(height * 1.5 / 6), round(width * 6.5 / 8)].tolist() == [0, 0, 0]


def test_a_turned_series_shares_the_volume() -> None:
    series = block()
    assert np.shares_memory(along(series, 2).volume, series.volume)


class Bench:
    """A workbench with one case whose images are ``block``; ``known`` says whether the case is still there."""

    def __init__(self) -> None:
        self.settings = SimpleNamespace(images=True)
        self.known = True
        self.files = SimpleNamespace(case=lambda _: self if self.known else None, patient_folder=Path)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    patient = Patient("P1", imaging=(block(),), skipped=("a.bin: unknown",))
    monkeypatch.setattr("encoders.read.folder.read_patient", lambda folder: patient)
    return Bench()


def test_no_volume_stays_in_memory(bench: Bench) -> None:
    opened = Viewer(bench).images("case-one")
    assert isinstance(opened.series[0].volume, np.memmap)
    assert isinstance(opened.series[0].segments[0].mask, np.memmap)
    assert (opened.series[0].volume == block().volume).all()
    assert opened.skipped == ("a.bin: unknown",)


def test_a_deleted_case_is_forgotten(bench: Bench) -> None:
    viewer = Viewer(bench)
    viewer.images("case-one")
    bench.known = False
    viewer.forget_deleted()
    assert viewer.opened() == ()


def test_few_cases_stay_open(bench: Bench) -> None:
    viewer = Viewer(bench)
    for n in range(module.OPEN_CASES + 2):
        viewer.images(f"case-{n}")
    assert viewer.opened() == tuple(f"case-{n}" for n in range(2, module.OPEN_CASES + 2))


def test_no_image_mode_shows_no_image(bench: Bench) -> None:
    bench.settings.images = False
    with pytest.raises(InputError, match="switched off"):
        Viewer(bench).slice_png("case-one", "1.2.3.4", SliceRequest("axial", 0))


def test_a_large_slice_is_sent_no_larger_than_needed() -> None:
    wide = np.zeros((2, 1000, 1000), dtype=np.float32)
    series = block(volume=wide, segments=(), spacing_mm=(5.0, 1.0, 1.0), affine=np.diag([1.0, 1.0, 5.0, 1.0]))
    assert picture(draw_png(series, SliceRequest("axial", 0), None)).shape[0] == LONGEST_PX
