"""The forms of a report and the one way to write one: whole or not at all.

    export_report(report, "pdf", Path("out"))
    export_report(report, "sr", Path("out"), patient_folder=Path("patient-1"))

Imports that take seconds stand inside the writers. Not known here: how any form looks (one module a form), who may
have it (app/access.py). Not checked: that the report is right.
"""

from __future__ import annotations

import json
import re
import threading
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from assistant.report import SCHEMA
from encoders.atomic_write import write_atomically
from encoders.errors import InputError

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_KEYS = ("case_id", "created", "sections", "evidence", "versions", "therapies", "withheld")
_LONGEST_NAME = 80


@dataclass(frozen=True)
class ExportFormat:
    """One form: suffix without its dot; needs_images : the source DICOM files must be at hand."""

    name: str
    suffix: str
    media_type: str
    needs_images: bool
    title: str


_ALL = (
    ExportFormat("html", "html", "text/html; charset=utf-8", False, "Web page, self-contained"),
    ExportFormat("json", "json", "application/json", False, "Report data (report.json)"),
    ExportFormat("md", "md", "text/markdown; charset=utf-8", False, "Markdown"),
    ExportFormat("pdf", "pdf", "application/pdf", False, "PDF"),
    ExportFormat(
        "docx",
        "docx",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        False,
        "Word document",
    ),
    ExportFormat("fhir", "fhir.json", "application/fhir+json", False, "FHIR R4 bundle"),
    ExportFormat("sr", "sr.dcm", "application/dicom", True, "DICOM structured report (TID 1500)"),
    ExportFormat("seg", "seg.zip", "application/zip", True, "DICOM segmentations of the lesions"),
    ExportFormat("sc", "sc.zip", "application/zip", True, "DICOM secondary captures of the key slices"),
)
FORMATS: Mapping[str, ExportFormat] = MappingProxyType({f.name: f for f in _ALL})
"""Name of a form -> what it is; the order is the one to offer them in."""


def export_name(report: Mapping[str, Any], form: str) -> str:
    """The file name of a report in one form; characters that file systems dislike become "_".

    Raises
    ------
    InputError: no such form.
    """
    case = _UNSAFE.sub("_", str(report["case_id"])).strip("._")[:_LONGEST_NAME] or "case"
    return f"{case}-report.{_format(form).suffix}"


def export_report(report: Mapping[str, Any], form: str, folder: Path, *, patient_folder: Path | None = None) -> Path:
    """Write one report in one form and return the path ``<case_id>-report.<suffix>``.

    Parameters
    ----------
    report : what report.json holds
    form : a name of ``FORMATS``
    folder : made when it is not there
    patient_folder : the files the report was made from; the DICOM forms refer to them

    Raises
    ------
    InputError: no such form; not a report; a DICOM form without the DICOM images it has to refer to.
    """
    chosen = _format(form)
    _check_report(report)
    if chosen.needs_images:
        _check_images(report, chosen, patient_folder)
    path = folder / export_name(report, form)
    write_atomically(path, _quietly(form, report, patient_folder))
    return path


_ONE_DICOM = threading.Lock()
"""One DICOM export at a time: each holds whole volumes, and the warning filter it sets is the process's."""


def _quietly(form: str, report: Mapping[str, Any], patient_folder: Path | None) -> str | bytes:
    """Run the writer; of a DICOM form without warnings, since highdicom's remark on a patient's name quotes it."""
    if not FORMATS[form].needs_images:
        return _WRITERS[form](report, patient_folder)
    with _ONE_DICOM, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return _WRITERS[form](report, patient_folder)


def _format(form: str) -> ExportFormat:
    if form not in FORMATS:
        raise InputError(f"{form!r} is no form of a report; allowed: {', '.join(FORMATS)}.")
    return FORMATS[form]


def _check_report(report: Mapping[str, Any]) -> None:
    if report.get("schema") != SCHEMA:
        raise InputError(f"the report's schema is {report.get('schema')!r}; the rule is {SCHEMA!r}. Make it again.")
    absent = [k for k in _KEYS if k not in report]
    if absent:
        raise InputError(f"the report has no {', '.join(absent)}; give the report.json that `radomica report` wrote.")


def _check_images(report: Mapping[str, Any], chosen: ExportFormat, patient_folder: Path | None) -> None:
    if not report.get("image_functions", True):
        raise InputError(
            f"{chosen.title}: this report was made with the image functions switched off by a setting, so that it "
            "holds no image measurement. Make it again without --no-images."
        )
    if patient_folder is None or not patient_folder.is_dir():
        raise InputError(
            f"{chosen.title} refers to the patient's DICOM images, which are not at hand; name the folder with "
            "--patient FOLDER."
        )


def _html(report: Mapping[str, Any], _: Path | None) -> str:
    from app.render import render_html  # noqa: PLC0415

    return render_html(report)


def _json(report: Mapping[str, Any], _: Path | None) -> str:
    return json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _markdown(report: Mapping[str, Any], _: Path | None) -> str:
    from app.exports.document import build_document  # noqa: PLC0415
    from app.exports.markdown import write_markdown  # noqa: PLC0415

    return write_markdown(build_document(report))


def _pdf(report: Mapping[str, Any], _: Path | None) -> bytes:
    from app.exports.document import build_document  # noqa: PLC0415
    from app.exports.pdf import write_pdf  # noqa: PLC0415

    return write_pdf(build_document(report))


def _docx(report: Mapping[str, Any], _: Path | None) -> bytes:
    from app.exports.document import build_document  # noqa: PLC0415
    from app.exports.word import write_docx  # noqa: PLC0415

    return write_docx(build_document(report))


def _fhir(report: Mapping[str, Any], _: Path | None) -> str:
    from app.exports.fhir_bundle import build_bundle  # noqa: PLC0415

    return json.dumps(build_bundle(report), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _sr(report: Mapping[str, Any], patient_folder: Path | None) -> bytes:
    from app.exports.dicom_source import read_sources  # noqa: PLC0415
    from app.exports.dicom_sr import write_sr  # noqa: PLC0415

    return write_sr(report, read_sources(_folder(patient_folder)))


def _seg(report: Mapping[str, Any], patient_folder: Path | None) -> bytes:
    from app.exports.dicom_seg import write_segs  # noqa: PLC0415
    from app.exports.dicom_source import read_sources  # noqa: PLC0415

    return write_segs(report, read_sources(_folder(patient_folder)))


def _sc(report: Mapping[str, Any], patient_folder: Path | None) -> bytes:
    from app.exports.dicom_capture import write_captures  # noqa: PLC0415
    from app.exports.dicom_source import read_sources  # noqa: PLC0415

    return write_captures(report, read_sources(_folder(patient_folder)))


def _folder(patient_folder: Path | None) -> Path:
    if patient_folder is None:  # _check_images came first
        raise InputError("no patient folder was given; name it with --patient FOLDER.")
    return patient_folder


_WRITERS: Mapping[str, Callable[[Mapping[str, Any], Path | None], str | bytes]] = MappingProxyType(
    {
        "html": _html,
        "json": _json,
        "md": _markdown,
        "pdf": _pdf,
        "docx": _docx,
        "fhir": _fhir,
        "sr": _sr,
        "seg": _seg,
        "sc": _sc,
    }
)
