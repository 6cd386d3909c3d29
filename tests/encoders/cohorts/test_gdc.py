"""A made GDC folder, hand-counted."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from encoders.cohorts.gdc import import_gdc
from encoders.cohorts.import_cohort import import_cohort
from encoders.cohorts.mutations import TMB
from encoders.errors import InputError


def test_expression_is_the_primary_tumours_and_repeated_genes_are_added(gdc: Path) -> None:
    block = import_cohort(gdc).blocks["expression"]
    assert (block.unit, block.patient_ids, block.features) == (
        "TPM",
        ("TCGA-05-0001", "TCGA-05-0002"),
        ("TP53", "EGFR"),
    )
    np.testing.assert_array_equal(block.values, [[1, 3], [4, 12]])


def test_counts_are_read_when_asked_for(gdc: Path) -> None:
    np.testing.assert_array_equal(import_gdc(gdc, unit="counts").blocks["expression"].values, [[10, 21], [40, 84]])


def test_normal_and_further_samples_are_counted(gdc: Path) -> None:
    said = "\n".join(n.text() for n in import_gdc(gdc).notes)
    assert "1 samples are normal tissue (TCGA-05-0001-11A)" in said
    assert "1 further samples of a patient were left out" in said
    assert "1 rows repeat a patient (diagnoses, treatments)" in said


def test_a_patient_whose_maf_is_empty_was_sequenced(gdc: Path) -> None:
    cohort = import_gdc(gdc, megabases=35)
    assert cohort.blocks["mutations"].values.tolist() == [[1], [0]]
    assert cohort.clinical[TMB].tolist() == [pytest.approx(1 / 35), 0]
    assert cohort.genome_build == "GRCh38"


def test_survival_is_in_months_and_age_in_years(gdc: Path) -> None:
    cohort = import_gdc(gdc)
    assert cohort.endpoints["OS"].event.tolist() == [True, False]
    np.testing.assert_allclose(cohort.endpoints["OS"].followup_months, [365 / 30.4375, 24])
    assert cohort.clinical["age_years"].tolist()[0] == pytest.approx(60)
    assert np.isnan(cohort.clinical["age_years"].tolist()[1])


def test_new_sample_sheets_name_tissue_and_descriptor(gdc: Path) -> None:
    path = gdc / "gdc_sample_sheet.2026-01-01.tsv"
    text = path.read_text(encoding="utf-8").replace("Sample Type\n", "Tissue Type\tTumor Descriptor\n")
    words = {
        "Blood Derived Normal, Primary Tumor": "Normal, Tumor\tNot Applicable, Primary",
        "Primary Tumor": "Tumor\tPrimary",
        "Solid Tissue Normal": "Normal\tNot Applicable",
        "Recurrent Tumor": "Tumor\tRecurrence",
    }
    for old, new in words.items():
        text = text.replace(f"\t{old}\n", f"\t{new}\n")
    path.write_text(text, encoding="utf-8")
    np.testing.assert_array_equal(import_gdc(gdc).blocks["expression"].values, [[1, 3], [4, 12]])


def test_a_folder_without_a_sample_sheet_is_refused(gdc: Path) -> None:
    (gdc / "gdc_sample_sheet.2026-01-01.tsv").unlink()
    with pytest.raises(InputError, match="no GDC sample sheet"):
        import_gdc(gdc)


def test_a_file_the_sheet_names_must_be_there(gdc: Path) -> None:
    (gdc / "a" / "a.rna_seq.augmented_star_gene_counts.tsv").unlink()
    with pytest.raises(
        InputError, match=r"a\.rna_seq\.augmented_star_gene_counts\.tsv of the sample sheet is not in gdc"
    ):
        import_gdc(gdc)


def add_file(folder: Path, name: str, data_type: str, case: str, *lines: str) -> None:
    """A file of rows with | between cells in a folder of its own, and its line in the sample sheet."""
    path = folder / name.split(".", maxsplit=1)[0] / name
    path.parent.mkdir()
    path.write_text("\n".join(lines).replace("|", "\t") + "\n", encoding="utf-8")
    sheet = next(folder.glob("gdc_sample_sheet*"))
    cells = (path.parent.name, name, "c", data_type, "TCGA-LUAD", case, f"{case}-01A", "Primary Tumor")
    sheet.write_text(sheet.read_text(encoding="utf-8") + "\t".join(cells) + "\n", encoding="utf-8")


def texts(cohort) -> str:
    return "\n".join(n.text() for n in cohort.notes)


def test_masked_segments_are_a_long_table_by_patient(gdc: Path) -> None:
    head = "GDC_Aliquot|Chromosome|Start|End|Num_Probes|Segment_Mean"
    add_file(gdc, "s1.seg.txt", "Masked Copy Number Segment", "TCGA-05-0001", head, "x|1|1|1000|5|0.4")
    table = import_gdc(gdc).long_tables["segments"]
    assert table[["patient_id", "Segment_Mean"]].to_numpy().tolist() == [["TCGA-05-0001", "0.4"]]


def test_mirna_is_read_in_reads_per_million(gdc: Path) -> None:
    head = "miRNA_ID|read_count|reads_per_million_miRNA_mapped|cross-mapped"
    add_file(gdc, "m9.mirnas.txt", "miRNA Expression Quantification", "TCGA-05-0002", head, "hsa-let-7a-1|10|2.5|N")
    block = import_gdc(gdc).blocks["mirna"]
    assert (block.unit, block.patient_ids, block.values.tolist()) == ("RPM", ("TCGA-05-0002",), [[2.5]])


def test_the_clinical_json_of_a_cart_says_what_the_table_says(gdc: Path) -> None:
    from_table = import_gdc(gdc)
    (gdc / "clinical.tsv").unlink()
    cases = [
        {
            "submitter_id": "TCGA-05-0001",
            "project": {"project_id": "TCGA-LUAD"},
            "demographic": {"vital_status": "Dead", "days_to_death": 365, "gender": "male"},
            "diagnoses": [
                {"age_at_diagnosis": 25000, "classification_of_tumor": "recurrence"},
                {"age_at_diagnosis": 21915, "classification_of_tumor": "primary", "treatments": [{"x": 1}]},
            ],
        },
        {
            "submitter_id": "TCGA-05-0002",
            "project": {"project_id": "TCGA-LUAD"},
            "demographic": {"vital_status": "Alive", "gender": "female", "days_to_death": None},
            "diagnoses": [{"days_to_last_follow_up": 730.5}],
        },
    ]
    (gdc / "clinical.cart.json").write_text(json.dumps(cases), encoding="utf-8")
    cohort = import_gdc(gdc)
    for column in ("sex", "age_years", "project_id"):
        assert cohort.clinical[column].astype(str).tolist() == from_table.clinical[column].astype(str).tolist()
    assert cohort.endpoints["OS"].frame().equals(from_table.endpoints["OS"].frame())


def test_clinical_xml_and_files_off_the_sheet_are_counted(gdc: Path) -> None:
    (gdc / "clinical.tsv").unlink()
    (gdc / "x").mkdir()
    (gdc / "x/org_clinical.TCGA-05-0001.xml").write_text("<a/>", encoding="utf-8")
    (gdc / "x/more.rna_seq.augmented_star_gene_counts.tsv").write_text("a", encoding="utf-8")
    said = texts(import_gdc(gdc))
    assert "no GDC clinical table (clinical.tsv or .json of the cart); patients have no outcome" in said
    assert "1 clinical XML files are not read (org_clinical.TCGA-05-0001.xml)" in said
    assert "1 files are not in the sample sheet and were not read (more.rna_seq" in said


def test_the_gene_model_of_the_counts_states_the_build(gdc: Path) -> None:
    sheet = next(gdc.glob("gdc_sample_sheet*"))
    whole = sheet.read_text(encoding="utf-8")
    sheet.write_text("".join(x for x in whole.splitlines(keepends=True) if "Masked" not in x), encoding="utf-8")
    assert import_gdc(gdc).genome_build == "GRCh38"
    sheet.write_text(whole, encoding="utf-8")
    maf = gdc / "m1/m1.wxs.aliquot_ensemble_masked.maf.gz"
    maf.write_bytes(gzip.compress(gzip.decompress(maf.read_bytes()).replace(b"GRCh38", b"GRCh37")))
    with pytest.raises(InputError, match="mixes genome builds GRCh37 and GRCh38"):
        import_gdc(gdc)
