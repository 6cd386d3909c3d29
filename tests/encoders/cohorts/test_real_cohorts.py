"""Every family of the shared tables imports with the counts its README states."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from encoders.cohorts.import_cohort import ImportSettings, import_cohort

# patients, events, {block: features}, folds: omics_survival/SOURCE.md
SURVIVAL = {
    "porpoise-blca": (373, 169, {"expression": 1554, "copy_number": 256, "mutations": 371}, 5),
    "porpoise-skcm": (230, 89, {"expression": 1602, "mutations": 738}, 5),
    "porpoise-mcat-ucec": (480, 75, {"copy_number": 5, "mutations": 1406, "histology_risk": 3}, 5),
    "porpoise-paad": (166, 90, {"expression": 1553, "copy_number": 82, "mutations": 14}, 5),
    "mcat-gbmlgg": (569, 187, {"published_risk": 11}, 5),
    "deepsurv-metabric": (1904, 1103, {"clinical_features": 9}, 1),
    "deepsurv-support": (8873, 6036, {"clinical_features": 14}, 1),
    "porpoise-brca": (956, 130, {"expression": 1558, "copy_number": 1333, "mutations": 21}, 5),
    "porpoise-gbmlgg": (569, 187, {"expression": 1544, "copy_number": 30, "mutations": 16}, 5),
    "porpoise-ucec": (480, 75, {"copy_number": 5, "mutations": 1406}, 5),
    "porpoise-coadread": (340, 81, {"expression": 1550, "copy_number": 4, "mutations": 1103}, 5),
    "porpoise-kirc": (345, 92, {"expression": 1556, "copy_number": 937, "mutations": 10}, 5),
    "porpoise-lihc": (333, 115, {"expression": 1550, "copy_number": 955, "mutations": 69}, 5),
    "porpoise-mcat-blca": (
        373,
        169,
        {"expression": 1554, "copy_number": 256, "mutations": 371, "histology_risk": 3},
        5,
    ),
    "mcat-blca": (373, 169, {"published_risk": 11}, 5),
    "mcat-brca": (956, 130, {"published_risk": 11}, 5),
    "mcat-ucec": (480, 75, {"published_risk": 11}, 5),
}
# patients, events or None, {block: (patients, features)}: radiogenomics/SOURCE.md
RADIOGENOMICS = {
    "ucsf-pdgm": (333, 166, {"radiomics": (333, 100), "radiomics_diffusion": (36, 856)}),
    "lgg-mri": (74, None, {"image_features": (74, 41)}),
    "upenn-gbm": (59, 58, {"radiomics": (59, 4752), "radiomics_flair_nc": (59, 144)}),
    "worc-gist": (246, None, {"radiomics": (246, 493)}),
    "worc-hn": (113, None, {"radiomics": (113, 159)}),
    "tcga-glioma": (1097, 411, {"radiomics": (167, 724), "mutations": (862, 20), "expression": (173, 840)}),
}


def read(folder: Path, name: str):
    return import_cohort(folder, ImportSettings(mapping=name))


def check_survival(folder: Path, name: str, expected: tuple) -> None:
    patients, events, blocks, folds = expected
    counts = read(folder, name).counts()
    assert counts["patients"] == patients
    assert counts["endpoints"]["OS"] == {"patients": patients, "events": events}
    assert {n: b["features"] for n, b in counts["blocks"].items()} == blocks
    assert counts["splits"]["official"] == folds


@pytest.mark.parametrize("name", SURVIVAL)
def test_survival_tables_have_the_stated_counts(open_data: Path, name: str) -> None:
    check_survival(open_data / "omics_survival", name, SURVIVAL[name])


@pytest.mark.parametrize("name", RADIOGENOMICS)
def test_radiogenomic_tables_have_the_stated_counts(open_data: Path, name: str) -> None:
    patients, events, blocks = RADIOGENOMICS[name]
    counts = read(open_data / "radiogenomics", name).counts()
    assert counts["patients"] == patients
    assert counts["endpoints"].get("OS", {}).get("events") == events
    assert {n: (b["patients"], b["features"]) for n, b in counts["blocks"].items()} == blocks


def test_hancock_keeps_missing_modalities_missing(open_data: Path) -> None:
    cohort = read(open_data / "radiogenomics", "hancock")
    counts = cohort.counts()
    assert counts["endpoints"] == {
        "OS": {"patients": 515, "events": 143},
        "DSS": {"patients": 509, "events": 80},
        "RFS": {"patients": 509, "events": 198},
    }
    assert {n: b["patients"] for n, b in counts["blocks"].items()} == {
        "pathology": 515, "blood": 461, "icd_codes": 480, "cell_density": 496,
        "tma_he": 513, "tma_cd3": 505, "tma_cd8": 513, "tma_pdl1": 513,
    }  # fmt: skip
    assert "001" in cohort.patient_ids
    assert any("6 patients have a negative follow-up time" in n.text() for n in cohort.notes)


def test_rosmap_views_and_labels(open_data: Path) -> None:
    counts = read(open_data / "omics_survival", "mogonet-rosmap").counts()
    assert counts["patients"] == 245
    assert {n: b["features"] for n, b in counts["blocks"].items()} == {
        "expression": 200,
        "methylation": 200,
        "mirna": 200,
    }
    assert counts["labels"]["diagnosis"] == {"Alzheimer's disease": 127, "normal control": 118}


def test_porpoise_values_and_folds_are_those_of_the_file(open_data: Path) -> None:
    folder = open_data / "omics_survival"
    cohort = read(folder, "porpoise-paad")
    raw = (
        pd.read_csv(folder / "porpoise/tables/tcga_paad_all_clean.csv.zip")
        .drop_duplicates("case_id")
        .set_index("case_id")
    )
    ids = cohort.patient_ids[::-1]
    tp53 = cohort.blocks["expression"].features.index("TP53")
    np.testing.assert_allclose(cohort.aligned("expression", ids)[:, tp53], raw.loc[list(ids), "TP53_rnaseq"], rtol=1e-6)
    known = cohort.endpoints["OS"].frame()
    assert (known["event"] == (raw.loc[known.index, "censorship"] == 0)).all()  # 1 = censored
    fold = pd.read_csv(folder / "porpoise/splits_5foldcv/tcga_paad/splits_3.csv")
    assert set(cohort.splits["official"][3].ids("validation")) == set(fold["val"].dropna())
