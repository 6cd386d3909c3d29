"""What is written is what is read, and a damaged folder is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from app.cli import run_command
from encoders.cohorts.cbioportal import import_study
from encoders.cohorts.cohort import Cohort
from encoders.cohorts.import_cohort import ImportSettings, import_cohort
from encoders.cohorts.store import read_cohort_folder, write_cohort_folder
from encoders.errors import InputError


def assert_same(a: Cohort, b: Cohort) -> None:
    assert (a.name, a.source, a.genome_build, a.licence, a.notes) == (
        b.name,
        b.source,
        b.genome_build,
        b.licence,
        b.notes,
    )
    assert dict(a.columns) == dict(b.columns)
    assert dict(a.oncotree_codes) == dict(b.oncotree_codes)
    pd.testing.assert_frame_equal(a.clinical, b.clinical, check_dtype=False, check_column_type=False)
    assert a.counts() == b.counts()
    for name, block in a.blocks.items():
        other = b.blocks[name]
        assert (block.kind, block.unit, block.patient_ids, block.features) == (
            other.kind, other.unit, other.patient_ids, other.features,
        )  # fmt: skip
        np.testing.assert_array_equal(block.values, other.values)
    for name, endpoint in a.endpoints.items():
        pd.testing.assert_frame_equal(endpoint.frame().sort_index(), b.endpoints[name].frame().sort_index())
    assert {n: [(s.fold, dict(s.parts)) for s in f] for n, f in a.splits.items()} == {
        n: [(s.fold, dict(s.parts)) for s in f] for n, f in b.splits.items()
    }


def made(tables: Path) -> Cohort:
    return import_cohort(tables, ImportSettings(mapping=str(tables / "made.toml")))


def test_a_mapped_cohort_reads_back_as_it_was_written(tables: Path, tmp_path: Path) -> None:
    cohort = made(tables)
    write_cohort_folder(cohort, tmp_path / "out")
    assert_same(cohort, read_cohort_folder(tmp_path / "out"))


def test_a_study_reads_back_as_it_was_written(study: Path, tmp_path: Path) -> None:
    cohort = import_study(study, megabases=30)
    write_cohort_folder(cohort, tmp_path / "out")
    again = read_cohort_folder(tmp_path / "out")
    assert_same(cohort, again)
    assert list(again.long_tables["mutations"].columns[:2]) == ["patient_id", "Hugo_Symbol"]


def test_nothing_is_overwritten_and_no_partial_folder_stays(tables: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_cohort_folder(made(tables), out)
    with pytest.raises(InputError, match="not an empty folder"):
        write_cohort_folder(made(tables), out)
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_a_leak_written_into_a_split_file_by_hand_is_refused(tables: Path, tmp_path: Path) -> None:
    write_cohort_folder(made(tables), tmp_path / "out")
    with (tmp_path / "out/splits/given.csv").open("a", encoding="utf-8") as stream:
        stream.write("TCGA-AA-0001,0,validation\n")
    with pytest.raises(InputError, match="in two parts"):
        read_cohort_folder(tmp_path / "out")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "cohort.json").unlink(), "no cohort.json"),
        (lambda f: (f / "cohort.json").write_text("{"), "damaged"),
        (lambda f: (f / "cohort.json").write_text('{"schema": "other/9"}'), "schema 'other/9'"),
        (lambda f: (f / "blocks/protein.parquet").write_bytes(b"no"), "block protein of out cannot be read"),
    ],
)
def test_a_damaged_folder_is_refused(tables: Path, tmp_path: Path, damage, message: str) -> None:
    write_cohort_folder(made(tables), tmp_path / "out")
    damage(tmp_path / "out")
    with pytest.raises(InputError, match=message):
        read_cohort_folder(tmp_path / "out")


def test_the_command_imports_and_shows(tables: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    mapping = str(tables / "made.toml")
    assert run_command(["cohort", "import", str(tables), "--out", str(out), "--mapping", mapping, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["patients"] == 5
    assert said["blocks"]["expression"]["features"] == 2
    assert run_command(["cohort", "show", str(out)]) == 0
    assert "HER2 -> ERBB2" in " ".join(capsys.readouterr().out.split())
    assert run_command(["cohort", "import", str(tables), "--out", str(out), "--mapping", mapping]) == 2
    assert run_command(["cohort", "import", str(tables), "--out", str(tmp_path / "new")]) == 2
    assert "--mapping FILE.toml or one of" in capsys.readouterr().err
