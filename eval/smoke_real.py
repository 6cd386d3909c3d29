"""One real DICOM series, one real omics table and one real mCODE bundle in one folder make a Patient and a report.

The files are of different people, so the folder is read with mixed ids allowed, which the Patient says in its
warnings. They are copied into a temporary folder, never into the project.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from assistant.llm.chat_model import ChatModel
from assistant.pipeline import prepare_case, run
from assistant.report import SECTION_TITLES
from encoders.patient import Patient
from encoders.read.folder import read_patient
from eval.benchmark import Better, Progress, Row

REAL_FILES: tuple[str, ...] = (
    "radiology/lung_ct_rtstruct_4DLung_113_HM10395/CT",
    "clinical/moalmanac_example_patient/example_patient.capture.somatic.snvs.maf",
    "clinical/fhir_mcode_patients/Maureen.json",
)
"""Under the shared data folder: a lung CT of 32 slices, a somatic MAF (GRCh37), an mCODE bundle."""


def assemble(shared: Path, folder: Path) -> Path:
    """Copy the real files into ``folder`` and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in REAL_FILES:
        source = shared / name
        if source.is_dir():
            shutil.copytree(source, folder / source.name)
        else:
            shutil.copy2(source, folder / source.name)
    return folder


def problems(patient: Patient) -> list[str]:
    """What the Patient should hold and does not; empty when all three kinds of file were read."""
    found = []
    if len(patient.imaging) != 1 or patient.imaging[0].volume.shape[0] != 32:
        found.append(f"imaging: {[s.volume.shape for s in patient.imaging]}, expected one CT of 32 slices")
    if not patient.variants:
        found.append("variants: none read from the MAF")
    if patient.diagnosis.histology is None:
        found.append("diagnosis: none read from the bundle")
    return found


def real_rows(
    llm: ChatModel, *, shared: Path | None, work: Path, seed: int, progress: Progress = None
) -> tuple[Row, ...]:
    """One row: 1 when the Patient and every section of the report are there; unmeasured where the data are not."""
    if shared is None or not shared.is_dir():
        note = "the shared real data (shared/data/open beside the checkout) are not here"
        return (Row("real.patient_and_report", None, 1.0, Better.HIGHER, 0, 0.0, note=note),)
    start = time.monotonic()
    if progress:
        progress("real files: reading a CT series, a MAF and an mCODE bundle")
    patient = read_patient(assemble(shared, work / "real"), allow_mixed_ids=True)
    found = problems(patient)
    report = run(prepare_case(patient), llm, seed=seed)
    silent = [s.id for s in report.sections if not s.claims and not s.note]
    if silent or {s.id for s in report.sections} != set(SECTION_TITLES):
        found.append(f"report: sections {silent} are silent")
    value = float(not found)
    note = "; ".join(found)
    return (Row("real.patient_and_report", value, 1.0, Better.HIGHER, 1, time.monotonic() - start, note=note),)
