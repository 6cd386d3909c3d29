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
        ("data_e.txt", "\t4\t5\tNA", "\t4,1\t5\tNA", "holds '4,1'.*it looks like a decimal comma"),
        ("data_e.txt", "P3-T\tX-T", "P3-T\tP1-T", "column 'P1-T' stands twice"),
        ("meta_e.txt", "data_filename: data_e.txt", "", "has no data_filename"),
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
        "fusions": (36, 31),
        "copy_number": (788, 8),
        "copy_number_log2": (778, 7),
        "expression": (526, 6),
        "expression_zscore": (526, 5),
        "methylation": (311, 8),
    }
    assert cohort.genome_build == "GRCh37"
    assert counts["long_tables"]["structural_variants"] == 48


def add(folder: Path, name: str, meta: str, *lines: str) -> None:
    """A data file of rows with | between cells, and its meta file."""
    (folder / f"meta_{name}.txt").write_text(f"{meta}\ndata_filename: data_{name}.txt\n", encoding="utf-8")
    (folder / f"data_{name}.txt").write_text("\n".join(lines).replace("|", "\t") + "\n", encoding="utf-8")


SV = "genetic_alteration_type: STRUCTURAL_VARIANT\ndatatype: SV"
SEG = "genetic_alteration_type: COPY_NUMBER_ALTERATION\ndatatype: SEG\nreference_genome_id: hg19"
SEG_HEAD = "ID|chrom|loc.start|loc.end|num.mark|seg.mean"


def test_fused_genes_are_flags_of_the_profiled_and_germline_is_not_flagged(study: Path) -> None:
    head = "Sample_Id|SV_Status|Site1_Hugo_Symbol|Site2_Hugo_Symbol|NCBI_Build"
    rows = ("P1-T|SOMATIC|EML4|ALK|GRCh37", "P3-T|GERMLINE|BCR|ABL1|GRCh37", "P3-T|SOMATIC|TP53||GRCh37")
    add(study, "sv", SV, head, *rows)
    (study / "case_lists/cases_sv.txt").write_text("stable_id: sv\ncase_list_ids: P1-T\tP2-T\n", encoding="utf-8")
    cohort = import_study(study)
    flags = cohort.blocks["fusions"].frame()
    assert flags.loc["P1"].to_dict() == {"ALK": 1, "EML4": 1}
    assert flags.loc["P2"].to_dict() == flags.loc["P3"].to_dict() == {"ALK": 0, "EML4": 0}
    assert "1 structural variants are germline" in texts(cohort)
    assert "1 structural variants do not join two genes" in texts(cohort)
    assert len(cohort.long_tables["structural_variants"]) == 3


def test_files_of_one_kind_are_read_as_one_table(study: Path) -> None:
    add(study, "m2", (study / "meta_m.txt").read_text().splitlines()[0] + "\ndatatype: MAF",
        "Hugo_Symbol|Variant_Classification|Tumor_Sample_Barcode", "NRAS|Missense_Mutation|P2-T")  # fmt: skip
    for k in (1, 2):
        add(study, f"seg{k}", SEG, SEG_HEAD, f"P{k}-T|1|1|100|5|0.3")
    cohort = import_study(study)
    assert "NRAS" in cohort.blocks["mutations"].features
    assert cohort.long_tables["segments"]["patient_id"].tolist() == ["P1", "P2"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("P1-T|1|1|100|5|high", "column seg.mean holds 'high'"),
        ("P1-T|1|900|100|5|0.1", "ends at 100, before its start"),
    ],
)
def test_segments_that_are_none_are_refused(study: Path, row: str, message: str) -> None:
    add(study, "seg", SEG, SEG_HEAD, row)
    with pytest.raises(InputError, match=message):
        import_study(study)


def test_segments_of_another_build_are_refused(study: Path) -> None:
    add(study, "seg", SEG.replace("hg19", "hg38"), SEG_HEAD, "P1-T|1|1|100|5|0.1")
    with pytest.raises(InputError, match="mixes genome builds GRCh37 and GRCh38"):
        import_study(study)


def test_a_panel_that_lists_an_old_symbol_covers_the_gene(study: Path) -> None:
    """The panel says MLL2, mutations are kept as KMT2D: P2 was tested and is 0, not missing."""
    path = study / "data_gene_panel_small.txt"
    path.write_text(path.read_text(encoding="utf-8") + "\tMLL2", encoding="utf-8")
    text = path.read_text(encoding="utf-8").replace("EGFR\n\tMLL2", "EGFR\tMLL2\n")
    path.write_text(text, encoding="utf-8")
    flags = import_study(study).blocks["mutations"].frame()
    assert list(flags.columns) == ["EGFR", "KMT2D", "TP53"]
    assert flags.loc["P2", "KMT2D"] == 0


def test_both_names_of_a_gene_in_a_maf_are_one_gene(study: Path) -> None:
    path = study / "data_m.txt"
    path.write_text(path.read_text().replace("BRCA1\tGRCh37\tFrame_Shift_Del\tP3-T\tGermline",
                                             "KMT2D\tGRCh37\tFrame_Shift_Del\tP1-T\tSomatic"))  # fmt: skip
    cohort = import_study(study)
    assert cohort.blocks["mutations"].frame()["KMT2D"].loc[["P1", "P3"]].tolist() == [1, 1]
    assert "data_m.txt: 1 gene names were brought to their approved symbol (MLL2 -> KMT2D)" in texts(cohort)


def test_what_no_reader_takes_is_counted(study: Path) -> None:
    add(study, "tl", "genetic_alteration_type: CLINICAL\ndatatype: TIMELINE", "PATIENT_ID|START_DATE", "P1|0")
    (study / "data_cna.txt").write_text("Hugo_Symbol\tP1-T\nTP53\t-2\n", encoding="utf-8")
    said = texts(import_study(study))
    assert "data_tl.txt: 1 clinical table of datatype TIMELINE is not read" in said
    assert "1 data files are named by no meta file and were not read (data_cna.txt)" in said


def test_rows_a_spreadsheet_named_alike_are_not_added(study: Path) -> None:
    """ "1-Mar" was MARCHF1 or MTARC1: two such rows may be two genes."""
    path = study / "data_e.txt"
    path.write_text(path.read_text() + "1-Mar\t1\t1\t1\t1\t1\t1\n1-Mar\t2\t5\t5\t5\t5\t5\n", encoding="utf-8")
    cohort = import_study(study)
    assert "1-Mar" not in cohort.blocks["expression"].features
    assert "2 rows have a repeated name that a spreadsheet made a date of" in texts(cohort)


def test_methylation_probes_of_a_generic_assay_are_read(study: Path) -> None:
    meta = "genetic_alteration_type: GENERIC_ASSAY\ngeneric_assay_type: METHYLATION\ndatatype: LIMIT-VALUE\n"
    meta += "profile_description: beta-values\ngeneric_entity_meta_properties: NAME,TRANSCRIPT_ID"
    add(study, "h", meta, "ENTITY_STABLE_ID|NAME|TRANSCRIPT_ID|P1-T|P2-T", "cg00000029|RBL2|x|0.1|0.2")
    block = import_study(study).blocks["methylation"]
    assert (block.features, block.patient_ids, block.unit) == (("cg00000029",), ("P1", "P2"), "beta value")


def test_spaces_around_a_patient_id_do_not_split_the_patient(study: Path) -> None:
    path = study / "data_s.txt"
    path.write_text(path.read_text().replace("P2\tP2-T", "P2 \tP2-T"), encoding="utf-8")
    assert import_study(study).patient_ids == ("P1", "P2", "P3", "P4")


def test_a_study_that_states_no_build_says_so(study: Path) -> None:
    for name, old in (
        ("meta_study.txt", "reference_genome: hg19\n"),
        ("data_m.txt", "GRCh37"),
        ("data_m.txt", "\t37\t"),
    ):
        path = study / name
        path.write_text(path.read_text().replace(old, "\t\t" if old.startswith("\t") else ""), encoding="utf-8")
    cohort = import_study(study)
    assert cohort.genome_build == "not stated"
    assert "genome build is stated by no file of the study" in texts(cohort)


def test_a_meta_file_that_is_no_utf8_is_refused(study: Path) -> None:
    (study / "meta_study.txt").write_bytes("name: é\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"meta_study\.txt: is no UTF-8 text"):
        import_study(study)
