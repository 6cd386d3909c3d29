"""500 damaged DICOM files: each is read or refused in the project's words, quickly and in little memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

COUNT = 500


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> dict:
    open_data = Path(__file__).parents[3].parent / "shared/data/open"
    if not open_data.is_dir():
        pytest.skip("the shared real data are not beside this repository")
    here = Path(__file__)
    done = subprocess.run(
        [
            *(sys.executable, str(here.with_name("mutated_dicom.py")), str(open_data)),
            *(str(tmp_path_factory.mktemp("mutated")), "20240301", str(COUNT)),
        ],
        env={**os.environ, "PYTHONPATH": str(here.parents[3]), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"the process ended with {done.returncode}: {done.stderr[-3000:]}"
    return json.loads(done.stdout)


def test_no_damaged_file_gives_a_traceback(outcome):
    assert outcome["tracebacks"] == []
    assert outcome["read"] + outcome["refused"] == COUNT


def test_damage_is_seen_and_harmless_damage_is_not_refused(outcome):
    assert outcome["refused"] >= COUNT // 4
    assert outcome["read"] >= COUNT // 10


def test_no_damaged_file_holds_the_reader_up(outcome):
    assert outcome["slowest_s"] < 10, outcome["slowest"]  # processor time of one file


def test_no_damaged_header_makes_the_reader_reserve_much_memory(outcome):
    assert outcome["peak_mib"] < 1024
