"""The whole arrow, nothing faked: a written case becomes a checked report; bad input is one clear line and code 2."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from app.cli import run_command
from assistant.llm.locations import SHIPPED_LM
from assistant.llm.soft_tokens import CARD_FILE
from assistant.report import SECTION_TITLES
from encoders.synthetic.cohort import sample_case, write_case

SEED = 41_000
"""No training or calibration cohort uses it."""


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("case") / "patient"
    write_case(sample_case(0, SEED, "LUAD"), folder)
    return folder


@pytest.fixture(scope="module")
def report(case: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    out = tmp_path_factory.mktemp("out")
    assert run_command(["report", str(case), "--out", str(out)]) == 0
    assert (out / "report.html").is_file() and not list(out.glob(".*part"))
    return json.loads((out / "report.json").read_text(encoding="utf-8"))


def test_every_section_is_there_and_every_printed_claim_is_supported(report: dict) -> None:
    assert [s["id"] for s in report["sections"]] == list(SECTION_TITLES)
    claims = [c for s in report["sections"] for c in s["claims"]]
    assert claims and {c["verdict"] for c in claims} == {"SUPPORTED"}
    ids = {e["id"] for e in report["evidence"]}
    assert all(c["citations"] and set(c["citations"]) <= ids for c in claims)


def test_the_language_model_wrote_it_and_not_the_pipeline(report: dict) -> None:
    """How often it is right is for `radomica eval smoke`; here only that its words are what is printed.

    Evidence of types it was not trained to word is stated by its own sentence, and nothing else is.
    """
    claims = [c for s in report["sections"] for c in s["claims"]]
    worded = set(json.loads((SHIPPED_LM / CARD_FILE).read_text())["evidence_types"])
    types = {e["id"]: e["type"] for e in report["evidence"]}
    own = [c for c in claims if {types[i] for i in c["citations"]} <= worded]
    assert sum(not c["quoted"] for c in own) >= 0.9 * len(own)
    assert all(c["quoted"] for c in claims if c not in own)
    assert report["raw_claims"]["written"] >= len(claims) / 2


def test_every_variant_and_therapy_row_is_named(report: dict) -> None:
    cited = {i for s in report["sections"] for c in s["claims"] for i in c["citations"]}
    due = {e["id"] for e in report["evidence"] if e["type"] in {"variant", "therapy"}}
    assert due and due <= cited


def test_it_says_synthetic_and_research_use(report: dict) -> None:
    assert report["synthetic"] is True and "Research use only" in report["research_use"]


def empty(folder: Path) -> str:
    for path in list(folder.rglob("*")):
        if path.is_file():
            path.unlink()
    return "nothing readable"


def truncated_dicom(folder: Path) -> str:
    path = next(p for p in sorted(folder.rglob("*")) if p.is_file() and p.read_bytes()[128:132] == b"DICM")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path.name


def table_of_text(folder: Path) -> str:
    (folder / "expression.tsv").write_text("gene\tTPM\nEGFR\thigh\nTP53\tlow\nKRAS\thigh\n", encoding="utf-8")
    return "expression.tsv"


def nan_expression(folder: Path) -> str:
    (folder / "values.tsv").write_text("gene\tTPM\nEGFR\tNaN\nTP53\t2.0\nKRAS\t1.0\n", encoding="utf-8")
    return "values.tsv"


def two_patients(folder: Path) -> str:
    other = folder / "other"
    write_case(sample_case(1, SEED, "DIFG", imaging=False), other)
    return "SYN-DIFG"


def unknown_code(folder: Path) -> str:
    (folder / "record.json").write_text(json.dumps({"oncotree_code": "NOTACODE"}), encoding="utf-8")
    return "NOTACODE"


def wrong_build(folder: Path) -> str:
    maf = next(p for p in folder.rglob("*") if p.is_file() and b"Hugo_Symbol" in p.read_bytes()[:4000])
    maf.write_text(maf.read_text(encoding="utf-8").replace("GRCh38", "NCBI36"), encoding="utf-8")
    return maf.name


def empty_pdf(folder: Path) -> str:
    (folder / "letter.pdf").write_bytes(b"")
    return "letter.pdf"


@pytest.mark.parametrize(
    "spoil",
    [empty, truncated_dicom, table_of_text, nan_expression, two_patients, unknown_code, wrong_build, empty_pdf],
)
def test_bad_input_is_one_line_naming_it_and_nothing_is_written(
    spoil: Callable[[Path], str], case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "patient"
    shutil.copytree(case, folder)
    named = spoil(folder)
    assert run_command(["report", str(folder), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    errors = [line for line in said.splitlines() if line.startswith("radomica:")]
    assert len(errors) == 1 and named in said, said
    assert "Traceback" not in said
    assert not list((tmp_path / "out").glob("**/*"))


def test_an_unreachable_server_is_one_line_and_code_2(case: Path, tmp_path: Path, capsys) -> None:
    spec = "openai:http://127.0.0.1:9/v1#none"
    assert run_command(["report", str(case), "--out", str(tmp_path / "out"), "--llm", spec]) == 2
    said = capsys.readouterr().err
    assert "127.0.0.1:9" in said and "Traceback" not in said
    assert not (tmp_path / "out" / "report.json").exists()
