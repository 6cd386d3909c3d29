"""The setting that switches every image function off: nothing of an image is read, and everything says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app import make_report
from app.cli import run_command
from app.exports.fhir_bundle import build_bundle
from app.make_report import open_case
from app.render import render_html
from app.settings import read_settings
from assistant.answer_reliance import answer_reliance
from assistant.llm.scripted import ScriptedModel
from assistant.pipeline import CaseContext, run
from assistant.reliance import measure_reliance
from assistant.report import Report
from encoders.errors import InputError, SettingsError
from encoders.patient import IMAGES_OFF, Patient, images_off
from encoders.read import folder as folder_module
from encoders.read.folder import read_patient
from encoders.synthetic.cohort import sample_case, write_case
from retrieval.passage import Retrieved

BANNER = "Image functions are switched off by a setting"


@pytest.fixture(scope="module")
def case_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("case")
    write_case(sample_case(2, 99, "CCRCC"), made)
    return made


@pytest.fixture(scope="module")
def without(case_folder: Path) -> Patient:
    return read_patient(case_folder, images=False)


@pytest.fixture(scope="module")
def context(case_folder: Path, module_patch: pytest.MonkeyPatch) -> CaseContext:
    """The case as `report --no-images` prepares it, nothing searched."""
    module_patch.setattr("retrieval.search.retrieve", lambda patient, prediction: Retrieved((), (), ()))
    return open_case(case_folder, progress=lambda text: None, images=False)


@pytest.fixture(scope="module")
def module_patch() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def report(context: CaseContext) -> Report:
    silent = ScriptedModel([json.dumps({"claims": []})], repeat_last=True)
    return run(context, silent, reliance=True)


class TestReading:
    def test_no_image_file_is_opened(self, case_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object) -> None:
            raise AssertionError("an image file was read")

        for name in ("read_header", "read_imaging_header", "read_nifti"):
            monkeypatch.setattr(folder_module, name, refuse, raising=False)
        with pytest.raises(AssertionError, match="an image file was read"):
            read_patient(case_folder)
        assert read_patient(case_folder, images=False).imaging == ()

    def test_the_files_are_counted_and_the_reason_is_the_setting(self, case_folder: Path, without: Patient) -> None:
        count = sum(1 for p in case_folder.rglob("*.dcm"))
        assert f"{count} file(s): {IMAGES_OFF}" in without.skipped
        assert without.missing["imaging"] == IMAGES_OFF
        assert images_off(without)

    def test_everything_else_is_read_as_before(self, case_folder: Path, without: Patient) -> None:
        whole = read_patient(case_folder)
        assert not images_off(whole)
        assert whole.imaging
        for name in ("patient_id", "oncotree_code", "diagnosis", "variants", "copy_number", "notes", "biomarkers"):
            assert getattr(without, name) == getattr(whole, name), name

    def test_a_folder_of_images_alone_has_nothing_to_read(self, case_folder: Path, tmp_path: Path) -> None:
        one = next(case_folder.rglob("slice_001.dcm"))
        (tmp_path / "a.dcm").write_bytes(one.read_bytes())
        with pytest.raises(InputError, match=f"nothing readable in the folder .* Not read: 1 file.s.: {IMAGES_OFF}"):
            read_patient(tmp_path, images=False)


class TestReport:
    def test_no_image_evidence_prediction_or_picture(self, context: CaseContext, report: Report) -> None:
        made = report.to_dict()
        assert made["image_functions"] is False
        assert [e for e in made["evidence"] if e["kind"] == "I" or e["type"] == "heatmap"] == []
        assert made["figures"]["slices"] == []
        assert context.prediction.embeddings is not None
        assert "imaging" not in context.prediction.embeddings.modality
        for predicted in made["predictions"]:
            assert "imaging" not in predicted["inputs"]
        reasons = {why for task, why in context.prediction.not_predicted.items() if task.startswith("appearance")}
        assert reasons == {IMAGES_OFF}

    def test_missing_gives_the_setting_and_not_absent_images(self, report: Report) -> None:
        row = next(m for m in report.missing if m["modality"] == "imaging")
        assert row["reason"] == IMAGES_OFF
        assert row["test"] == "the patient's images, read with the image functions switched on"
        section = next(s for s in report.sections if s.id == "imaging")
        assert section.note == f"No image was read: {IMAGES_OFF}."

    def test_page_and_bundle_say_so(self, report: Report) -> None:
        assert BANNER in render_html(report)
        conclusions = [e["resource"].get("conclusion", "") for e in build_bundle(report.to_dict())["entry"]]
        assert any(BANNER in c for c in conclusions)

    def test_a_report_with_images_does_not(self, report: Report) -> None:
        assert BANNER not in render_html({**report.to_dict(), "image_functions": True})
        older = {k: v for k, v in report.to_dict().items() if k != "image_functions"}
        assert BANNER not in render_html(older)

    def test_reliance_on_the_image_refuses_with_the_reason(self, report: Report, context: CaseContext) -> None:
        assert report.reliance["reason"] == IMAGES_OFF
        assert measure_reliance(context, ScriptedModel([])).reason == IMAGES_OFF
        variants = answer_reliance([], context.patient, lambda case: [], prepare=lambda patient: context)
        assert next(v for v in variants if v.change == "image blanked").reason == IMAGES_OFF


class TestSetting:
    def test_flag_and_environment_switch_it_off(self) -> None:
        assert read_settings(environ={}).images is True
        assert read_settings(environ={"RADOMICA_NO_IMAGES": "1"}).images is False
        assert read_settings(no_images=True, environ={}).images is False
        with pytest.raises(SettingsError, match="RADOMICA_NO_IMAGES is 'yes'; allowed: 0 or 1"):
            read_settings(environ={"RADOMICA_NO_IMAGES": "yes"})

    def test_proposed_outlines_need_images(self, case_folder: Path) -> None:
        with pytest.raises(SettingsError, match="--use-proposed reads images"):
            open_case(case_folder, progress=lambda text: None, use_proposed=True, images=False)

    @pytest.mark.parametrize("command", ["report", "chat", "ask"])
    def test_commands_hand_the_flag_to_the_reader(
        self, command: str, case_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[object] = []

        def stop(*_: object, **options: object) -> None:
            seen.append(options.get("images"))
            raise InputError("stopped here")

        monkeypatch.setattr(make_report, "open_case", stop)
        monkeypatch.setattr(make_report, "open_llm", lambda settings: None)
        extra = {"report": ["--out", str(tmp_path)], "chat": [], "ask": ["What is the stage?"]}[command]
        assert run_command([command, str(case_folder), *extra, "--no-images"]) == 2
        assert run_command([command, str(case_folder), *extra]) == 2
        assert seen == [False, True]

    @pytest.mark.parametrize(
        "line",
        [
            ["explain", "CASE"],
            ["encode", "CASE", "--encoder", "radiomics", "--out", "table.csv"],
            ["export", "report.json", "--form", "md,sr", "--patient", "CASE"],
        ],
    )
    def test_commands_about_images_refuse(
        self, line: list[str], case_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("RADOMICA_NO_IMAGES", "1")
        assert run_command([str(case_folder) if word == "CASE" else word for word in line]) == 2
        assert "image functions are switched off by a setting" in capsys.readouterr().err


class TestExportCommand:
    def test_it_writes_the_forms_asked_for(
        self, report: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "report.json").write_text(json.dumps(report.to_dict()), encoding="utf-8")
        out = tmp_path / "out"
        assert run_command(["export", str(tmp_path), "--form", "md,fhir", "--out", str(out), "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert sorted(p.name for p in out.iterdir()) == sorted(Path(p).name for p in told["files"].values())
        assert set(told["files"]) == {"md", "fhir"}

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (["nowhere.json"], "is not there"),
            (["REPORT", "--form", "pdf,rtf"], "allowed are html, json, md, pdf"),
            (["REPORT", "--form", ""], "allowed are html, json, md, pdf"),
            (["REPORT", "--form", "sr"], "switched off by a setting"),
            (["BROKEN"], "is not JSON"),
        ],
    )
    def test_what_it_cannot_do_is_one_clear_line(
        self, arguments: list[str], says: str, report: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "report.json").write_text(json.dumps(report.to_dict()), encoding="utf-8")
        (tmp_path / "broken.json").write_text("{", encoding="utf-8")
        named = {"REPORT": str(tmp_path), "BROKEN": str(tmp_path / "broken.json")}
        line = [named.get(word, word) for word in arguments]
        assert run_command(["export", *line, "--out", str(tmp_path / "out")]) == 2
        assert says in capsys.readouterr().err
        assert not (tmp_path / "out").exists()
