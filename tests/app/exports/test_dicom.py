"""DICOM SR, SEG and secondary captures: read back by highdicom and pydicom with the report's values."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom import Dataset

from app.exports import export_report
from app.exports.dicom_capture import burn_in
from app.exports.dicom_seg import write_segs
from app.exports.dicom_source import read_sources
from app.exports.dicom_sr import write_sr
from encoders.errors import InputError
from encoders.patient import Patient
from encoders.read.folder import read_patient

Made = dict[str, Any]


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {n: archive.read(n) for n in archive.namelist()}


def datasets(path: Path) -> list[Dataset]:
    return [pydicom.dcmread(io.BytesIO(d)) for n, d in members(path).items() if n.endswith(".dcm")]


def lesions(report: Made) -> dict[str, Made]:
    return {e["id"]: e for e in report["evidence"] if e["type"] == "lesion"}


def values(group: Any) -> dict[tuple[str, str], tuple[float, str]]:
    """(name, derivation) -> (value, unit) of a measurement group."""
    return {
        (m.name.meaning, m.derivation.meaning if m.derivation else ""): (m.value, m.unit.value)
        for m in group.get_measurements()
    }


@pytest.fixture(scope="module")
def written(real: Made, case_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("dicom")
    return {f: export_report(real, f, folder, patient_folder=case_folder) for f in ("sr", "seg", "sc")}


@pytest.fixture(scope="module")
def source_files(case_folder: Path) -> dict[str, Dataset]:
    """SOP instance UID -> header of every DICOM file of the patient."""
    read = [pydicom.dcmread(p, stop_before_pixels=True) for p in case_folder.rglob("*.dcm")]
    return {str(d.SOPInstanceUID): d for d in read}


class TestStructuredReport:
    def test_each_lesion_has_the_report_s_values_in_ucum(self, written: dict[str, Path], real: Made) -> None:
        groups = hd.sr.srread(written["sr"]).content.get_volumetric_roi_measurement_groups()
        assert len(groups) == len(lesions(real)) == 2
        for group in groups:
            item = lesions(real)[group.tracking_identifier.split()[0]]
            found, fields = values(group), item["fields"]
            assert found["Long axis", ""] == (fields["longest_diameter"]["value"], "mm")
            assert found["Short axis", ""] == (fields["short_axis"]["value"], "mm")
            assert found["Volume", ""] == (fields["volume"]["value"], "mL")
            if fields["mean_intensity"]["unit"] == "HU":
                assert found["Attenuation Coefficient", "Mean"] == (fields["mean_intensity"]["value"], "[hnsf'U]")
            else:
                maximum, unit = found["Standardized Uptake Value", "Maximum"]
                assert (maximum, "SUVbw" in unit) == (fields["max_intensity"]["value"], True)
                assert ("Standardized Uptake Value", "Peak Value Within ROI") in found

    def test_it_refers_to_the_segment_and_the_source_series(
        self, written: dict[str, Path], real: Made, source_files: dict[str, Dataset]
    ) -> None:
        made = hd.sr.srread(written["sr"])
        for group in made.content.get_volumetric_roi_measurement_groups():
            (segment,) = (i for i in group[0].ContentSequence if i.ValueType == "IMAGE")
            uid = segment.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
            assert source_files[uid].Modality == "SEG"
        told = {
            i.ReferencedSOPInstanceUID
            for study in made.CurrentRequestedProcedureEvidenceSequence
            for series in study.ReferencedSeriesSequence
            for i in series.ReferencedSOPSequence
        }
        assert told <= set(source_files)
        assert {e["source"]["series_uid"] for e in lesions(real).values()} <= {
            str(source_files[u].SeriesInstanceUID) for u in told
        }

    def test_it_stays_in_the_patient_s_study_and_says_what_it_is(
        self, written: dict[str, Path], source_files: dict[str, Dataset]
    ) -> None:
        made = hd.sr.srread(written["sr"])
        any_source = next(iter(source_files.values()))
        assert (made.PatientID, made.StudyInstanceUID) == (any_source.PatientID, any_source.StudyInstanceUID)
        assert made.VerificationFlag == "UNVERIFIED"
        texts = [i.TextValue for i in made.ContentSequence if i.ValueType == "TEXT"]
        assert any("Research use only" in t for t in texts)
        assert any("SYNTHETIC" in t for t in texts)

    def test_a_repeated_export_is_the_same_object(self, real: Made, case_folder: Path, tmp_path: Path) -> None:
        first, second = (
            pydicom.dcmread(export_report(real, "sr", tmp_path / n, patient_folder=case_folder)) for n in "ab"
        )
        assert first.SOPInstanceUID == second.SOPInstanceUID
        assert first.ContentDate == real["created"][:10].replace("-", "")

    def test_a_proposed_outline_is_named_so_and_refers_to_its_slice(
        self, real: Made, case_folder: Path, tmp_path: Path
    ) -> None:
        evidence = [{**e, "type": "proposed_lesion"} if e["type"] == "lesion" else e for e in real["evidence"]]
        path = export_report({**real, "evidence": evidence}, "sr", tmp_path, patient_folder=case_folder)
        groups = hd.sr.srread(path).content.get_image_measurement_groups()
        assert len(groups) == 2
        for group in groups:
            assert "proposed by software, not confirmed" in group.tracking_identifier


class TestSegmentation:
    def test_the_masks_of_the_folder_come_back_equal(
        self, written: dict[str, Path], case_folder: Path, source_files: dict[str, Dataset]
    ) -> None:
        by_uid = {s.series_uid: s for s in read_patient(case_folder).imaging}
        found = datasets(written["seg"])
        assert len(found) == 2
        for data in found:
            seg = hd.seg.Segmentation.from_dataset(data)
            series = by_uid[str(data.ReferencedSeriesSequence[0].SeriesInstanceUID)]
            masks = seg.get_pixels_by_source_instance(list(series.sop_instance_uids), ignore_spatial_locations=True,
                                                      assert_missing_frames_are_empty=True)  # fmt: skip
            assert np.array_equal(masks[..., 0].astype(bool), series.segments[0].mask)
            described = seg.get_segment_description(1)
            assert described.segment_label == series.segments[0].label
            assert described.algorithm_type.value == "SEMIAUTOMATIC"  # as the SEG in the folder says
            assert "research use only" in data.SeriesDescription

    def test_our_reader_takes_the_file_back(self, written: dict[str, Path], case_folder: Path, tmp_path: Path) -> None:
        for name, data in members(written["seg"]).items():
            (tmp_path / name).write_bytes(data)
        for path in case_folder.rglob("slice_*.dcm"):
            (tmp_path / f"{path.parent.name}-{path.name}").symlink_to(path)
        before = {s.series.series_uid: s.series.segments[0].mask.sum() for s in read_sources(case_folder)}
        after = {s.series.series_uid: s.series.segments[0].mask.sum() for s in read_sources(tmp_path)}
        assert before == after

    def test_segments_and_measurements_share_tracking_uids(self, written: dict[str, Path]) -> None:
        groups = hd.sr.srread(written["sr"]).content.get_volumetric_roi_measurement_groups()
        tracked = {s.TrackingUID for d in datasets(written["seg"]) for s in d.SegmentSequence}
        assert {g.tracking_uid for g in groups} == tracked

    def test_the_zip_says_what_is_in_it(self, written: dict[str, Path]) -> None:
        text = members(written["seg"])["README.txt"].decode()
        assert "Radomica drew none of them" in text
        assert "2 file(s):" in text
        assert "0 left out:" in text


class TestSecondaryCapture:
    def test_each_picture_refers_to_its_slice_and_carries_the_notice(
        self, written: dict[str, Path], real: Made, source_files: dict[str, Dataset]
    ) -> None:
        found = datasets(written["sc"])
        shown = real["figures"]["slices"]
        assert len(found) == sum(bool(s[k]) for s in shown for k in ("plain", "heatmap")) > 0
        assert {d.SourceImageSequence[0].ReferencedSOPInstanceUID for d in found} == {s["sop_uid"] for s in shown}
        for data in found:
            assert data.BurnedInAnnotation == "YES"
            assert "PixelSpacing" not in data
            assert data.DerivationDescription.startswith("RESEARCH USE ONLY.")
            source = source_files[data.SourceImageSequence[0].ReferencedSOPInstanceUID]
            assert data.ReferencedSeriesSequence[0].SeriesInstanceUID == source.SeriesInstanceUID

    def test_words_are_in_the_pixels_and_the_picture_above_is_unchanged(self, real: Made) -> None:
        png = base64.b64decode(real["figures"]["slices"][0]["plain"].partition(",")[2])
        with Image.open(io.BytesIO(png)) as opened:
            before = np.asarray(opened.convert("RGB"))
        after = burn_in(png, ["RESEARCH USE ONLY."])
        assert np.array_equal(after[: len(before)], before)
        assert after[len(before) :].std() > 10
        assert (burn_in(png, [""])[len(before) :] == 0).all()


class TestRefusals:
    @pytest.mark.parametrize("form", ["sr", "seg", "sc"])
    def test_without_a_folder_or_images_the_message_says_what_is_missing(
        self, real: Made, form: str, tmp_path: Path
    ) -> None:
        with pytest.raises(InputError, match="refers to the patient's DICOM images, which are not at hand"):
            export_report(real, form, tmp_path)
        empty = tmp_path / "empty"
        empty.mkdir()
        with pytest.raises(InputError, match="no DICOM images"):
            export_report(real, form, tmp_path, patient_folder=empty)

    def test_another_patient_s_folder_is_refused(self, hand: Made, case_folder: Path, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="none of the 2 image series of the report is among"):
            export_report(hand, "sr", tmp_path, patient_folder=case_folder)

    def test_a_report_made_without_images_is_refused(self, real: Made, case_folder: Path, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="image functions switched off by a setting"):
            export_report({**real, "image_functions": False}, "seg", tmp_path, patient_folder=case_folder)

    def test_a_report_without_lesions_is_refused(self, real: Made, case_folder: Path, tmp_path: Path) -> None:
        none = {**real, "evidence": [e for e in real["evidence"] if e["type"] != "lesion"]}
        with pytest.raises(InputError, match="no lesion measurement on a DICOM series"):
            export_report(none, "sr", tmp_path, patient_folder=case_folder)

    def test_a_damaged_slice_is_named(self, real: Made, case_folder: Path, tmp_path: Path) -> None:
        for path in case_folder.rglob("*.dcm"):
            target = tmp_path / path.relative_to(case_folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
        broken = next(tmp_path.rglob("slice_003.dcm"))
        broken.write_bytes(broken.read_bytes()[:900])
        with pytest.raises(InputError, match=r"slice_003\.dcm"):
            export_report(real, "sr", tmp_path / "out", patient_folder=tmp_path)
        assert not (tmp_path / "out").exists()


@pytest.mark.filterwarnings("ignore:The string:UserWarning")
def test_a_real_ct_with_an_rtstruct_gives_sr_and_seg(
    radiology: Path, make_report: Callable[[Patient], Made], tmp_path: Path
) -> None:
    """4D-Lung patient 113: Tumor_c40 is 67.63 cm3 in 23,611 voxels (radiology/SOURCE.md of the shared data)."""
    folder = radiology / "lung_ct_rtstruct_4DLung_113_HM10395"
    report, (source,) = make_report(read_patient(folder)), read_sources(folder)
    made = hd.sr.srread(io.BytesIO(write_sr(report, [source])))
    volumes = {g.tracking_identifier: values(g)["Volume", ""] for g in made.content.get_image_measurement_groups()}
    tumour = next(v for name, v in volumes.items() if "Tumor_c40" in name)
    assert tumour == (pytest.approx(67.6, abs=0.05), "mL")
    (tmp_path / "seg.zip").write_bytes(write_segs(report, [source]))
    (data,) = datasets(tmp_path / "seg.zip")
    number = next(s.SegmentNumber for s in data.SegmentSequence if s.SegmentLabel == "Tumor_c40")
    masks = hd.seg.Segmentation.from_dataset(data).get_pixels_by_source_instance(
        list(source.series.sop_instance_uids),
        segment_numbers=[number],
        ignore_spatial_locations=True,
        assert_missing_frames_are_empty=True,
    )
    assert masks.sum() == 23_611


def test_no_warning_quotes_the_patient_s_name(
    real: Made, case_folder: Path, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    for path in case_folder.rglob("*.dcm"):
        data = pydicom.dcmread(path)
        data.PatientName = "Unusualname"  # one component, which highdicom remarks on
        data.save_as(tmp_path / f"{path.parent.name}-{path.name}")
    export_report(real, "seg", tmp_path / "out", patient_folder=tmp_path)
    assert not [w for w in recwarn if "Unusualname" in str(w.message)]
