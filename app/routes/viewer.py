"""What the page's viewer fetches: the series of a case, one slice as PNG, its files' outcomes, an evidence's lines.

Not known here: how a slice is drawn (app/viewer.py), or who may see it (app/access.py).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import FastAPI, Path, Query, Response
from pydantic import BaseModel, Field

from app.file_outcomes import file_outcomes
from app.routes.errors import documented, not_found
from app.routes.guards import ReadCase
from app.source_lines import source_excerpt
from app.viewer import (
    CT_PRESETS,
    OFF,
    PLANES,
    SliceRequest,
    Viewer,
    array_axis,
    default_window,
    edge_letters,
    lesion_measures,
    overlays_for,
    plane_facts,
    title_of,
)
from app.workbench import Workbench
from encoders.errors import InputError
from encoders.patient import ImagingModality, ImagingSeries, IntensityUnit

PNG = {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}
Bound = Annotated[float | None, Query(ge=-1e6, le=1e6, allow_inf_nan=False)]


class Preset(BaseModel):
    """A grey window: ``level`` its middle, ``window`` its width, in the series' unit."""

    key: str
    label: str
    level: float
    window: float


class PlaneAnswer(BaseModel):
    """Slices of one plane. first_mm + index x step_mm is a slice's place on the patient's axis (LPS)."""

    count: int
    key: int = Field(description="Slice with the most lesion, else the middle one.")
    anchor: bool
    spacing_mm: float
    first_mm: float
    step_mm: float
    tilt_degrees: float
    left: str
    right: str
    top: str
    bottom: str
    width_mm: float
    height_mm: float
    segments: list[list[int] | None]


class SegmentAnswer(BaseModel):
    """An outlined region and what the report measured of it."""

    label: str
    kind: str | None
    proposed: bool
    measures: list[tuple[str, str]]


class SeriesAnswer(BaseModel):
    """One image volume as the viewer shows it."""

    uid: str
    title: str
    modality: str
    date: str | None
    unit: str
    verdict: str
    reasons: list[str]
    default: Preset
    presets: list[Preset]
    planes: dict[str, PlaneAnswer]
    first_plane: str
    segments: list[SegmentAnswer]
    heatmap: str = Field(description='What the heat map explains, or "".')
    overlays: list[str] = Field(description="UIDs of PET series that may be laid over this one.")
    frame: str | None = Field(description="Frame of reference; series that share it share positions.")


class SeriesList(BaseModel):
    """Every series of a case; ``note`` says why there is none."""

    case_id: str
    series: list[SeriesAnswer]
    note: str = ""


class FileAnswer(BaseModel):
    """What became of a file, or of ``files`` slices of one folder."""

    name: str
    files: int
    read_as: str
    outcome: Literal["read", "read in part", "skipped", "note"]
    reason: str = ""


class FileList(BaseModel):
    """Every file of a case; ``note`` says why the folder as a whole could not be read."""

    case_id: str
    files: list[FileAnswer]
    note: str = ""


class LineAnswer(BaseModel):
    """One line of a file; ``hit``: the evidence names it."""

    number: int
    text: str
    hit: bool


class SourceAnswer(BaseModel):
    """The lines an evidence rests on."""

    file: str
    place: str
    about: str
    lines: list[LineAnswer]


def add_viewer(app: FastAPI, workbench: Workbench) -> None:
    """Add the viewer's operations."""
    viewer = Viewer(workbench)
    app.state.viewer = viewer

    @app.get("/v1/cases/{case_id}/series", tags=["viewer"], operation_id="list_series", responses=documented(400, 404))
    def list_series(case_id: ReadCase) -> SeriesList:
        """The image series of a case with their planes, windows, outlines and overlays."""
        if not getattr(workbench.settings, "images", True):
            return SeriesList(case_id=case_id, series=[], note=f"{OFF}.")
        images = viewer.images(case_id).series
        report = _report(workbench, case_id)
        return SeriesList(
            case_id=case_id,
            series=[_series(s, images, report) for s in images],
            note="" if images else "This case has no CT, MR or PET that could be read.",
        )

    @app.get(
        "/v1/cases/{case_id}/series/{uid}/slice", tags=["viewer"], operation_id="get_slice", response_class=Response,
        responses={200: PNG, **documented(400, 404, 503)},
    )  # fmt: skip
    def get_slice(  # noqa: PLR0913, PLR0917  each is one switch of a picture
        case_id: ReadCase,
        uid: Annotated[str, Path(max_length=80)],
        plane: Literal["axial", "coronal", "sagittal"] = "axial",
        index: Annotated[int, Query(ge=0, le=100_000)] = 0,
        window: Bound = None,
        level: Bound = None,
        outline: bool = True,
        overlay: Annotated[str, Query(max_length=80, description='"", "heat" or the UID of a PET.')] = "",
        suv_max: Annotated[float, Query(gt=0, le=1000)] = 10.0,
        opacity: Annotated[float, Query(ge=0, le=1)] = 0.6,
    ) -> Response:
        """One slice as PNG, for reading beside a report, not for diagnosis."""
        asked = SliceRequest(plane, index, window, level, outline, overlay, suv_max, opacity)
        return Response(viewer.slice_png(case_id, uid, asked), media_type="image/png")

    @app.get("/v1/cases/{case_id}/files", tags=["viewer"], operation_id="list_files", responses=documented(400, 404))
    def list_files(case_id: ReadCase) -> FileList:
        """What became of each file of a case: read as what, or skipped and why."""
        note, skipped = "", ()
        try:
            if getattr(workbench.settings, "images", True):
                skipped = viewer.images(case_id).skipped
        except InputError as error:
            note = str(error)
        rows = file_outcomes(workbench.files.patient_folder(case_id), skipped)
        return FileList(case_id=case_id, files=[FileAnswer(**vars(r)) for r in rows], note=note)

    @app.get(
        "/v1/cases/{case_id}/evidence/{evidence_id}/source", tags=["viewer"], operation_id="get_source_lines",
        responses=documented(400, 404),
    )  # fmt: skip
    def get_source_lines(case_id: ReadCase, evidence_id: Annotated[str, Path(max_length=20)]) -> SourceAnswer:
        """The lines of the patient's own file that an evidence of the newest report rests on."""
        report = _report(workbench, case_id) or {"evidence": []}
        found = next((e for e in report["evidence"] if e["id"] == evidence_id), None)
        if found is None:
            raise not_found("evidence", evidence_id, f"GET /v1/cases/{case_id}/evidence")
        excerpt = source_excerpt(found, workbench.files.patient_folder(case_id))
        lines = [LineAnswer(**vars(line)) for line in excerpt.lines]
        return SourceAnswer(file=excerpt.file, place=excerpt.place, about=excerpt.about, lines=lines)


def _report(workbench: Workbench, case_id: str) -> dict[str, Any] | None:
    job = workbench.latest_report(case_id)
    return workbench.report_json(job) if job else None


def _series(series: ImagingSeries, images: tuple[ImagingSeries, ...], report: dict[str, Any] | None) -> SeriesAnswer:
    planes = {p: PlaneAnswer(**plane_facts(series, p), **edge_letters(series, p)) for p in PLANES}
    usual = default_window(series)
    measured = lesion_measures(report)
    drawn = (report or {}).get("figures", {}).get("slices", ())
    heat = next((s for s in drawn if s["series_uid"] == series.series_uid and s.get("heatmap")), None)
    is_ct = series.modality is ImagingModality.CT and series.unit is IntensityUnit.HU
    return SeriesAnswer(
        uid=series.series_uid,
        title=title_of(series),
        modality=str(series.modality),
        date=series.date,
        unit=str(series.unit),
        verdict=str(series.validity.verdict),
        reasons=list(series.validity.reasons),
        default=Preset(
            key="auto", label=usual.label,
            level=round((usual.low + usual.high) / 2, 3), window=round(usual.high - usual.low, 3),
        ),
        presets=[Preset(key=p.key, label=p.label, level=p.level, window=p.width) for p in CT_PRESETS] if is_ct else [],
        planes=planes,
        first_plane=next(p for p in PLANES if array_axis(series, p) == 0),
        segments=[
            SegmentAnswer(
                label=s.label, kind=s.kind, proposed=s.proposed,
                measures=measured.get((series.series_uid, s.label), []),
            )
            for s in series.segments
        ],
        heatmap=f"{heat['heatmap_task']}, {heat['heatmap_method']}".replace("molecular:", "") if heat else "",
        overlays=[p.series_uid for p in overlays_for(series, images)],
        frame=series.frame_of_reference_uid,
    )  # fmt: skip
