"""A made cBioPortal study, hand-counted, and the real study_es_0."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from encoders.cohorts.cbioportal import import_study
from encoders.cohorts.import_cohort import ImportSettings, import_cohort
from encoders.cohorts.mutations import TMB
from encoders.errors import InputError


def texts(cohort) -> str:
    return "\n".join(n.text() for n in cohort.notes)


def test_blocks_take_the_primary_sample_of_each_patient(study: Path) -> None:
    cohort = import_study(study)
    block = cohort.blocks["expression"]
    assert block.unit == "RSEM"
    assert block.patient_ids == ("P1", "P2", "P3")
    assert block.features == ("TP53", "KMT2D", "EGFR")
    np.testing.assert_array_equal(block.values, [[1, 4, 3], [2, 5, 4], [3, np.nan, 5]])
    said = texts(cohort)
    for words in (
        "1 samples belong to no patient of the clinical tables (X-T)",
        "1 rows repeat a gene and were added (EGFR)",
        "1 rows name no gene",
        "MLL2 -> KMT2D",
        "GENERIC_ASSAY LIMIT-VALUE is not read",
        "OncoTree code that is not known (NOCODE)",
    ):
        assert words in said


def test_flags_are_zero_when_sequenced_nan_off_the_panel_and_absent_when_not_sequenced(study: Path) -> None:
    flags = import_study(study).blocks["mutations"].frame()
    assert list(flags.index) == ["P1", "P2", "P3"]
    assert list(flags.columns) == ["EGFR", "KMT2D", "TP53"]
    np.testing.assert_array_equal(flags.to_numpy(), [[0, 0, 1], [0, np.nan, 0], [0, 1, 1]])


def test_left_out_variants_are_counted_by_reason(study: Path) -> None:
    said = texts(import_study(study))
    for words in ("1 variants do not change a protein", "1 variants are germline", "1 variants did not pass"):
        assert words in said


def test_burden_is_mutations_over_the_stated_megabases_and_only_for_exomes(study: Path) -> None:
    assert TMB not in import_study(study).clinical
    found = import_study(study, megabases=2).clinical[TMB]
    assert found["P1"] == 0.5
    assert found["P3"] == 1.0
    assert np.isnan(found["P2"])  # a panel whose size nobody states


def test_endpoints_read_both_spellings_and_count_what_they_leave_out(study: Path) -> None:
    cohort = import_study(study)
    os = cohort.endpoints["OS"]
    assert (os.patient_ids, os.event.tolist(), os.followup_months.tolist()) == (
        ("P1", "P2", "P3"), [True, False, True], [10, 20, 30],
    )  # fmt: skip
    assert cohort.endpoints["PFS"].patient_ids == ("P1", "P2", "P4")
    assert "endpoint OS: 1 patients have a negative follow-up time and were left out (P4)" in texts(cohort)
    assert cohort.clinical["AGE"].tolist()[:2] == [61, 45]
    assert cohort.genome_build == "GRCh37"


def test_msi_comes_from_the_named_column_and_tool_alone(study: Path) -> None:
    assert "msi_status" not in import_study(study).clinical
    settings = ImportSettings(msi_column="MSI_SENSOR_SCORE", msi_tool="MSIsensor")
    assert import_cohort(study, settings).clinical["msi_status"].tolist()[:3] == ["MSS", "MSI-H", "MSI-H"]
    with pytest.raises(InputError, match="MSI tool 'mSINGS' is not known"):
        import_study(study, msi=("MSI_SENSOR_SCORE", "mSINGS"))
    with pytest.raises(InputError, match=r"'0\.2' is no MSI status"):
        import_study(study, msi=("MSI_SENSOR_SCORE", "words"))


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("data_m.txt", "MLL2\t37", "MLL2\tGRCh38", "mixes genome builds GRCh37 and GRCh38"),
        ("meta_study.txt", "hg19", "hg38", "mixes genome builds GRCh37 and GRCh38"),
        ("data_e.txt", "\t4\t5\tNA", "\t4\tfive\tNA", "gene MLL2, sample P2-T holds 'five'"),
        ("data_e.txt", "TP53\t7157\t100\t1", "TP53\t7157\t100\t-1", "RSEM cannot be negative"),
        ("data_p.txt", "P2\t0:LIVING", "P1\t0:LIVING", "patient P1 has several rows"),
        ("data_p.txt", "0:LIVING", "perhaps", "OS_STATUS holds 'perhaps'"),
        ("data_p.txt", "\t61\t", "\tsixty\t", "AGE holds 'sixty'"),
        ("meta_e.txt", "data_e.txt", "gone.txt", "gone.txt is not in study"),
        ("data_gene_panel_matrix.txt", "SMALL", "OTHER", "names gene panel 'OTHER'"),
    ],
)
def test_bad_input_is_refused_with_its_place(study: Path, file: str, old: str, new: str, message: str) -> None:
    path = study / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        import_study(study)


def test_a_real_study_is_read_whole(open_data: Path) -> None:
    cohort = import_study(open_data / "clinical/cbioportal/study_es_0")
    counts = cohort.counts()
    assert counts["patients"] == 841
    assert counts["endpoints"]["OS"] == {"patients": 808, "events": 87}
    assert {n: (b["patients"], b["features"]) for n, b in counts["blocks"].items()} == {
        "mutations": (28, 19),
        "copy_number": (788, 8),
        "copy_number_log2": (778, 7),
        "expression": (526, 6),
        "expression_zscore": (526, 5),
        "methylation": (311, 8),
    }
    assert cohort.genome_build == "GRCh37"
    assert counts["long_tables"]["structural_variants"] == 48
