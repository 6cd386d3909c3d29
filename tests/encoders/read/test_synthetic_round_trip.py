"""What the synthetic writer wrote, the readers read back: the same patient, under any file names."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from encoders.patient import Patient
from encoders.read.folder import read_patient
from encoders.synthetic.cohort import sample_case, write_case
from encoders.vocabulary import CANCERS


def _without_source(items: Iterable[object] | None) -> list[tuple] | None:
    """Values of frozen records but where they were read, in an order of their own; numbers to 5 digits."""
    if items is None:
        return None

    def plain(value: object) -> object:
        return f"{value:.5g}" if isinstance(value, float) else repr(value)

    return sorted(tuple(plain(getattr(i, f.name)) for f in fields(i) if f.name != "source") for i in items)


def _assert_same(read: Patient, made: Patient) -> None:
    for name in ("patient_id", "oncotree_code", "sex", "age_years", "diagnosis", "ecog", "synthetic"):
        assert getattr(read, name) == getattr(made, name), name
    for name in ("treatments", "medications", "labs", "biomarkers", "variants", "copy_number", "fusions"):
        assert _without_source(getattr(read, name)) == _without_source(getattr(made, name)), name
    assert sorted((n.date, n.text.strip()) for n in read.notes) == sorted((n.date, n.text.strip()) for n in made.notes)
    assert read.expression.genes == made.expression.genes
    np.testing.assert_allclose(read.expression.values, made.expression.values, rtol=1e-4)
    series = {s.series_uid: s for s in made.imaging}
    assert {s.series_uid for s in read.imaging} == set(series)
    for got in read.imaging:
        want = series[got.series_uid]
        assert (got.role, got.modality, got.unit, got.date) == (want.role, want.modality, want.unit, want.date)
        assert got.sop_instance_uids == want.sop_instance_uids
        np.testing.assert_allclose(got.volume, want.volume, atol=1e-3)
        np.testing.assert_allclose(got.affine_lps, want.affine_lps, atol=1e-4)
        assert [s.label for s in got.segments] == [s.label for s in want.segments]
        for a, b in zip(got.segments, want.segments, strict=True):
            np.testing.assert_array_equal(a.mask, b.mask)
        assert got.warnings == ()


@pytest.mark.parametrize("code", list(CANCERS))
def test_a_written_case_is_read_back_the_same(tmp_path: Path, code: str):
    case = sample_case(7, seed=11, oncotree=code)
    write_case(case, tmp_path / "case")
    patient = read_patient(tmp_path / "case")
    _assert_same(patient, case.patient)
    assert set(patient.missing) == set(case.patient.missing)
    assert patient.warnings == ()
    assert patient.outcome is None  # the outcome is for cohorts; no patient file holds it


def test_scrambled_names_give_the_same_patient(tmp_path: Path):
    case = sample_case(3, seed=5, oncotree="LUAD")
    write_case(case, tmp_path / "case")
    (tmp_path / "flat").mkdir()
    paths = sorted(p for p in (tmp_path / "case").rglob("*") if p.is_file())
    random.Random(0).shuffle(paths)
    for number, path in enumerate(paths):
        shutil.copy(path, tmp_path / "flat" / f"f{number:03d}.dat")
    _assert_same(read_patient(tmp_path / "flat"), case.patient)


def test_two_synthetic_patients_in_one_folder_are_refused(tmp_path: Path):
    for index in (1, 2):
        write_case(sample_case(index, seed=5, oncotree="DIFG", imaging=False), tmp_path / f"case{index}")
    with pytest.raises(ValueError, match="the folder holds files of 2 patients"):
        read_patient(tmp_path)
    shutil.rmtree(tmp_path / "case2/clinical")
    shutil.rmtree(tmp_path / "case2/notes")
    with pytest.raises(ValueError, match="has sample 'SYN-DIFG-500002-T1', other files have id 'SYN-DIFG-500001'"):
        read_patient(tmp_path)
