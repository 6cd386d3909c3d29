"""h5ad files written here field by field, after the AnnData on-disk specification."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy import sparse

from encoders.cohorts.import_cohort import ImportSettings, import_cohort
from encoders.errors import InputError

X = np.array([[0, 2.5, 0], [1, 0, 3]], dtype=np.float32)


def write(path: Path, form: str = "dense") -> Path:
    text = h5py.string_dtype()
    with h5py.File(path, "w") as f:
        obs = f.create_group("obs")
        obs.attrs["_index"] = "barcode"
        obs.create_dataset("barcode", data=["P2", "P1"], dtype=text)
        obs.create_dataset("age", data=np.array([50.0, np.nan]))
        stage = obs.create_group("stage")
        stage.create_dataset("categories", data=["II", "III"], dtype=text)
        stage.create_dataset("codes", data=np.array([1, -1], dtype=np.int8))
        months = obs.create_group("months")
        months.create_dataset("values", data=np.array([12, 24]))
        months.create_dataset("mask", data=np.array([False, False]))
        obs.create_dataset("dead", data=np.array([True, False]))
        var = f.create_group("var")
        var.attrs["_index"] = "_index"
        var.create_dataset("_index", data=["TP53", "HER2", "AKT1"], dtype=text)
        if form == "dense":
            f.create_dataset("X", data=X)
        else:
            matrix = {"csr_matrix": sparse.csr_matrix, "csc_matrix": sparse.csc_matrix}.get(form, sparse.csr_matrix)(X)
            group = f.create_group("X")
            group.attrs["encoding-type"], group.attrs["shape"] = form, X.shape
            for name in ("data", "indices", "indptr"):
                group.create_dataset(name, data=getattr(matrix, name))
    return path


@pytest.mark.parametrize("form", ["dense", "csr_matrix", "csc_matrix"])
def test_x_and_obs_are_read_by_the_observation_name(tmp_path: Path, form: str) -> None:
    cohort = import_cohort(write(tmp_path / "cells.h5ad", form))
    block = cohort.blocks["expression"]
    assert (block.features, block.unit) == (("TP53", "ERBB2", "AKT1"), "not stated")
    np.testing.assert_array_equal(cohort.aligned("expression", ["P2", "P1"]), X)
    assert cohort.clinical.loc["P2", "stage"] == "III"
    assert cohort.clinical.loc["P2", "age"] == 50
    assert cohort.clinical.loc["P1", ["stage", "age"]].isna().all()
    assert not cohort.endpoints


def test_a_mapping_says_unit_and_outcome(tmp_path: Path) -> None:
    write(tmp_path / "cells.h5ad")
    (tmp_path / "m.toml").write_text(
        """name = "m"
[[table]]
file = "cells.h5ad"
id = "obs_names"
[[table.outcome]]
endpoint = "OS"
time = "months"
time_unit = "months"
event = "dead"
event_values = ["True"]
censored_values = ["False"]
[[table.block]]
name = "expression"
kind = "expression"
unit = "TPM"
prefix = "X:"
""",
        encoding="utf-8",
    )
    cohort = import_cohort(tmp_path / "cells.h5ad", ImportSettings(mapping=str(tmp_path / "m.toml")))
    assert cohort.blocks["expression"].unit == "TPM"
    assert cohort.endpoints["OS"].frame().loc["P2"].tolist() == [12, True]


def test_other_forms_of_x_and_damaged_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="X has encoding 'awkward-array'"):
        import_cohort(write(tmp_path / "a.h5ad", "awkward-array"))
    damaged = tmp_path / "b.h5ad"
    damaged.write_bytes(b"not HDF5")
    with pytest.raises(InputError, match="cannot be read as HDF5"):
        import_cohort(damaged)
