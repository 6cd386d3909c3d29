"""The tumour classification table: its facts agree with the official list, and its tree has no loops."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from encoders import oncotree
from encoders.errors import InputError
from encoders.vocabulary import CANCERS

OFFICIAL = Path(__file__).parents[2].parent / "shared/data/open/knowledge/moalmanac_datasources/oncotree.2023-03-09.txt"


def test_lung_adenocarcinoma_is_a_kind_of_non_small_cell_lung_cancer():
    assert oncotree.name("LUAD") == "Lung Adenocarcinoma"
    assert oncotree.ancestors("LUAD") == ("NSCLC", "LUNG")
    assert oncotree.parent("LUNG") is None


def test_every_cancer_the_models_know_is_a_code():
    assert all(oncotree.is_code(code) for code in CANCERS)


def test_every_parent_is_a_code_and_every_path_ends():
    assert len(oncotree.table()) >= 100
    for code, node in oncotree.table().items():
        assert node.parent is None or oncotree.is_code(node.parent)
        assert code not in oncotree.ancestors(code)


def test_an_unknown_code_is_refused_with_the_value_the_list_and_codes_that_start_alike():
    with pytest.raises(InputError, match=r"record.json.*'LUADX'.*oncotree\.tsv.*LUAD"):
        oncotree.check_code("LUADX", "record.json")


def test_lower_case_is_not_a_code():
    assert not oncotree.is_code("luad")
    assert oncotree.name("luad") is None
    assert oncotree.ancestors("luad") == ()


@pytest.mark.skipif(not OFFICIAL.exists(), reason="the shared OncoTree list is not beside this repository")
def test_codes_and_names_agree_with_the_official_list():
    with OFFICIAL.open(encoding="utf-8") as handle:
        official = {row["code"]: row["name"] for row in csv.DictReader(handle, delimiter="\t")}
    ours = {code: node.name for code, node in oncotree.table().items()}
    assert {code: official.get(code) for code in ours} == ours


def test_blood_cancers_are_told_from_solid_tumours():
    assert all(oncotree.is_blood_cancer(code) for code in ("AML", "CLLSLL", "PCM", "BLLBCRABL1", "MYELOID", "CHL"))
    assert not any(oncotree.is_blood_cancer(code) for code in ("LUAD", "SOFT_TISSUE", "ANY", "nothing", None))
    assert oncotree.ancestors("CMLBCRABL1") == ("CML", "MPN", "MNM", "MYELOID")
    assert oncotree.ancestors("FL") == ("MBN", "NHL", "LNM", "LYMPH")


@pytest.mark.skipif(not OFFICIAL.exists(), reason="the shared OncoTree list is not beside this repository")
def test_a_blood_cancer_stands_under_the_tissue_of_the_official_list():
    with OFFICIAL.open(encoding="utf-8") as handle:
        tissue = {row["code"]: row["tissue"] for row in csv.DictReader(handle, delimiter="\t")}
    roots = {code: (code, *oncotree.ancestors(code))[-1] for code in oncotree.table() if oncotree.is_blood_cancer(code)}
    assert {code: oncotree.name(root) for code, root in roots.items()} == {code: tissue[code] for code in roots}
