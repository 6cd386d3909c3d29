"""A made GDC folder, hand-counted."""

from __future__ import annotations

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
