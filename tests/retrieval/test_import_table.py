"""A user's own table of therapy rows, and indications that were withdrawn."""

from __future__ import annotations

from pathlib import Path

import pytest

from encoders.errors import ContractError, InputError
from retrieval.corpus.builtin import load_therapy_rows
from retrieval.importers.disease_words import disease_names
from retrieval.importers.read_source import read_source
from retrieval.importers.table import NEEDED, read_table
from retrieval.importers.withdrawn import withdrawn, withdrawn_indications
from retrieval.passage import Direction
from retrieval.therapy_rows import level_rank

GOOD = "r1,osimertinib,LUAD,sensitivity,ESCAT,I-A,our board,EGFR,exon 19 deletion,1,2026-01-01"
HEADER = ",".join((*NEEDED, "gene", "alteration", "lines_allowed", "reviewed"))


def csv_file(folder: Path, *lines: str, header: str = HEADER) -> Path:
    path = folder / "ours.csv"
    path.write_text("\n".join((header, *lines)) + "\n", encoding="utf-8")
    return path


def test_a_row_of_a_user_s_table(tmp_path: Path) -> None:
    (only,) = read_table(csv_file(tmp_path, GOOD)).statements
    assert (only.row.row_id, only.row.lines_allowed, only.row.rule.exons) == ("r1", (1,), (19,))
    assert level_rank(only.row) == 0


def test_all_faults_of_a_table_are_told_at_once_and_no_row_is_taken(tmp_path: Path) -> None:
    bad = (
        GOOD,
        GOOD,
        GOOD.replace("r1", "r2").replace("osimertinib", "osimertinab"),
        GOOD.replace("r1", "r3").replace("LUAD", "LUADX"),
        GOOD.replace("r1", "r4").replace("EGFR", "EGFRX"),
        GOOD.replace("r1", "r5").replace("sensitivity", "works"),
        GOOD.replace("r1", "r6").replace("ESCAT", "Ours"),
        GOOD.replace("r1", "r7").replace("exon 19 deletion", "odd"),
        GOOD.replace("r1", "r8").replace("our board", ""),
    )
    with pytest.raises(InputError) as error:
        read_table(csv_file(tmp_path, *bad))
    said = str(error.value)
    assert "8 of 9 rows" in said
    told = ("line 3: row_id 'r1' is used twice", "'osimertinab'", "'LUADX'", "'EGFRX'", "'works'", "'Ours'", "'odd'")
    assert all(words in said for words in (*told, "line 10: source is empty"))


def test_a_table_with_other_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"missing columns \['source'\], unknown columns \['sorce'\]"):
        read_table(csv_file(tmp_path, GOOD, header=HEADER.replace("source", "sorce")))


def test_biomarker_columns_need_a_comparison(tmp_path: Path) -> None:
    header = ",".join((*NEEDED, "biomarker", "comparison", "threshold"))
    good = "r1,pembrolizumab,ANY,sensitivity,Regulatory,FDA-approved,label,TMB,>=,10"
    (only,) = read_table(csv_file(tmp_path, good, header=header)).statements
    assert (only.row.rule.biomarker, only.row.rule.threshold) == ("TMB", 10.0)
    with pytest.raises(InputError, match="needs a comparison"):
        read_table(csv_file(tmp_path, good.replace(">=", ""), header=header))


def test_no_built_in_row_offers_a_withdrawn_indication() -> None:
    for row in load_therapy_rows():
        if row.direction is Direction.SENSITIVITY and row.disease != "ANY":
            assert withdrawn(row.drugs, row.disease) is None, row.row_id


def test_a_withdrawn_indication_reaches_the_subtypes_and_not_the_organ() -> None:
    assert "EXCLAIM-2" in (withdrawn(("mobocertinib",), "LUAD") or "")
    assert withdrawn(("mobocertinib",), "LUNG") is None
    assert withdrawn(("osimertinib",), "LUAD") is None
    assert len(withdrawn_indications()) >= 5


def test_a_faulty_table_of_disease_names_stops_the_load(monkeypatch: pytest.MonkeyPatch) -> None:
    disease_names.cache_clear()
    monkeypatch.setattr("retrieval.importers.disease_words.oncotree.is_code", lambda code: code != "NSCLC")
    with pytest.raises(ContractError, match="'NSCLC'"):
        disease_names()
    monkeypatch.undo()
    disease_names.cache_clear()


# ---- any source ---------------------------------------------------------------------------------------------------


def test_a_source_is_recognised_by_its_content(tmp_path: Path) -> None:
    assert read_source(csv_file(tmp_path, GOOD)).statements[0].row.row_id == "r1"
    answer = tmp_path / "answer.txt"
    answer.write_text('{"query": {"hugoSymbol": "BRAF"}, "treatments": [], "dataVersion": "v5"}', encoding="utf-8")
    assert read_source(answer).source == "OncoKB"
    evidence = tmp_path / "evidence.txt"
    evidence.write_text("gene\tvariant\n", encoding="utf-8")
    with pytest.raises(InputError, match="CIViC evidence file lacks"):
        read_source(evidence)
    with pytest.raises(InputError, match="MOAlmanac"):
        read_source(tmp_path)


@pytest.mark.parametrize(
    ("content", "words"), [(b"hello", "no header"), (b"\xff\xfe\x00", "UTF-8"), (b"{broken", "is not JSON")]
)
def test_a_file_of_no_known_kind_is_refused_with_what_is_read(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "odd"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words):
        read_source(path)
    with pytest.raises(InputError, match="no such file"):
        read_source(tmp_path / "absent")


def test_groups_of_earlier_drugs_are_read_from_one_column(tmp_path: Path) -> None:
    header = ",".join((*NEEDED, "after_all"))
    line = "r1,datopotamab deruxtecan,LUAD,sensitivity,Regulatory,FDA-approved,label,EGFR TKI; amivantamab + cisplatin"
    (only,) = read_table(csv_file(tmp_path, line, header=header)).statements
    assert only.row.after_all == (("EGFR TKI", "amivantamab"), ("cisplatin",))
