"""What a header says of a series in words, and files that are no image of tissue."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from encoders.patient import SeriesVerdict
from encoders.read.folder import read_patient
from encoders.read.series_header import read_series_header, why_apart


@pytest.mark.parametrize(
    ("tags", "what"),
    [
        ({"SeriesDescription": "Dose Report"}, "page of a dose report"),
        ({"SeriesDescription": "Patient_Protocol"}, "page of a dose report"),
        ({"SOPClassUID": SecondaryCaptureImageStorage}, "screenshot (secondary capture)"),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, "screenshot (secondary capture)"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "SCOUT"]}, "localizer image"),
        ({"SeriesDescription": "3_plane_loc_localizer"}, "localizer image"),
        ({"SeriesDescription": "CT chest low dose"}, ""),
        ({"SeriesDescription": "colocalizers"}, ""),
        ({}, ""),
    ],
)
def test_what_is_no_image_of_tissue(tags, what):
    made = Dataset()
    for tag, value in tags.items():
        setattr(made, tag, value)
    assert why_apart(made) == what


def test_a_dose_report_and_a_screenshot_in_a_series_are_set_apart_and_counted(tmp_path, write_series, read_folder):
    def change(made: Dataset, number: int) -> None:
        if number in (1, 2):
            made.SeriesDescription = "DOSE REPORT"
        if number == 3:
            made.ImageType = ["DERIVED", "SECONDARY", "SCREEN SAVE"]

    write_series(tmp_path, (0.0, 2.0, 4.0, 6.0, 8.0), change=change)
    reading = read_folder(tmp_path)
    assert reading.series[0].volume.shape[0] == 2
    assert [s.split(": ")[1] for s in reading.skipped] == [
        "2 page of a dose report(s) set apart",
        "1 screenshot (secondary capture)(s) set apart",
    ]


def test_the_words_of_a_header():
    made, region, agent = Dataset(), Dataset(), Dataset()
    region.CodeMeaning, agent.CodeMeaning = "Lung structure", "Iohexol"
    made.StudyInstanceUID, made.SeriesDescription, made.ConvolutionKernel = "1.5", "Thorax 1mm", ["Br40d", "3"]
    made.ImageType, made.AnatomicRegionSequence = ["ORIGINAL", "PRIMARY"], [region]
    made.ContrastBolusAgentSequence = [agent]
    found = read_series_header(made)
    assert (found.study_uid, found.description, found.kernel) == ("1.5", "Thorax 1mm", "Br40d\\3")
    assert found.image_type == ("ORIGINAL", "PRIMARY")
    assert found.anatomic_regions == ("Lung structure",)
    assert found.contrast_agent == "Iohexol"
    assert not found.phantom
    assert read_series_header(Dataset()).contrast_agent == ""


@pytest.mark.parametrize(
    ("tag", "value"),
    [("PatientName", "NEMA^PHANTOM"), ("ProtocolName", "10.2 Daily CT QA"), ("PatientID", "acr_phantom")],
)
def test_a_phantom_is_refused_by_what_its_files_call_it(tmp_path, write_series, tag, value):
    write_series(
        tmp_path, change=lambda made, _: setattr(made, tag, value), patient=value if tag == "PatientID" else "P"
    )
    (series,) = read_patient(tmp_path).imaging
    assert series.validity.verdict is SeriesVerdict.REFUSED
    assert "its header calls what was scanned a phantom" in series.validity.reasons
