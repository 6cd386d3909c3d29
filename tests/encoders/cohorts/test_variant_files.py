"""Mutations of a cohort from VCFs and MAFs: who was sequenced, whose variant it is, one genome build."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from encoders.cohorts.cohort import Cohort
from encoders.cohorts.import_cohort import ImportSettings, import_cohort
from encoders.cohorts.mutations import TMB
from encoders.errors import InputError

VEP = (
    "##fileformat=VCFv4.2\n##reference=GRCh38\n"
    '##INFO=<ID=CSQ,Number=.,Type=String,Description="VEP. Format: Allele|Consequence|SYMBOL|HGVSp|PICK">\n'
)
SNPEFF = (
    "##fileformat=VCFv4.2\n##reference=GRCh38\n"
    "##INFO=<ID=ANN,Number=.,Type=String,Description=\"Functional annotations: 'Allele | Annotation | "
    "Annotation_Impact | Gene_Name | Gene_ID | Feature_Type | Feature_ID | Transcript_BioType | Rank | HGVS.c | "
    "HGVS.p'\">\n"
)


def row(info: str, *samples: str) -> str:
    return "\t".join(("17", "7674220", ".", "C", "T", ".", "PASS", info, "GT", *samples)) + "\n"


def csq(consequence: str, gene: str) -> str:
    return f"CSQ=T|{consequence}|{gene}|p.Arg248Gln|1"


TP53 = csq("missense_variant", "TP53")
ANN = "ANN=T|missense_variant|MODERATE|TP53|E|transcript|N|protein_coding|7/11|c.743G>A|p.Arg248Gln"


def write(path: Path, samples: tuple[str, ...], *rows: str, head: str = VEP) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = ("#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *samples)
    path.write_text(head + "\t".join(columns) + "\n" + "".join(rows), encoding="utf-8")


def texts(cohort: Cohort) -> str:
    return "\n".join(n.text() for n in cohort.notes)


def test_every_vcf_is_a_sequenced_patient_named_by_its_sample_column(tmp_path: Path) -> None:
    write(tmp_path / "a.vcf", ("P1",), row(TP53, "0/1"), row(csq("stop_gained", "MLL2"), "0/1"))
    write(tmp_path / "in/b.vcf", ("P2",), row(ANN, "0/1"), head=SNPEFF)
    write(tmp_path / "c.vcf", ("P3",))
    cohort = import_cohort(tmp_path, ImportSettings(exome_megabases=2))
    flags = cohort.blocks["mutations"].frame()
    assert list(flags.columns) == ["KMT2D", "TP53"]
    np.testing.assert_array_equal(flags.loc[["P1", "P2", "P3"]], [[1, 1], [0, 1], [0, 0]])
    assert cohort.clinical[TMB].to_dict() == {"P1": 1.0, "P2": 0.5, "P3": 0.0}
    assert cohort.genome_build == "GRCh38"
    assert "MLL2 -> KMT2D" in texts(cohort)
    assert "no clinical table, so no outcome" in texts(cohort)


def test_the_tumour_of_a_pair_is_read_and_its_genotype_decides(tmp_path: Path) -> None:
    head = VEP + "##tumor_sample=P1T\n"
    other = row(csq("missense_variant", "EGFR"), "0/0", "0/1")  # a variant of the normal alone
    write(tmp_path / "a.vcf", ("P1T", "P1N"), row(TP53, "0/1", "0/0"), other, head=head)
    cohort = import_cohort(tmp_path)
    assert cohort.blocks["mutations"].features == ("TP53",)
    assert cohort.patient_ids == ("P1T",)
    assert "1 variants that the tumour's genotype does not have were left out" in texts(cohort)


def test_a_sample_called_tumor_is_known_by_its_file(tmp_path: Path) -> None:
    write(tmp_path / "P7.somatic.vcf", ("NORMAL", "TUMOR"), row(TP53, "0/0", "0/1"))
    cohort = import_cohort(tmp_path)
    assert cohort.patient_ids == ("P7",)
    assert "1 files name no sample of their own; the file's name is the id (P7.somatic.vcf)" in texts(cohort)


def test_a_splice_region_variant_is_a_finding_but_no_burden(tmp_path: Path) -> None:
    write(tmp_path / "a.vcf", ("P1",), row(csq("splice_region_variant&intron_variant", "TP53"), "0/1"))
    cohort = import_cohort(tmp_path, ImportSettings(exome_megabases=1))
    assert cohort.blocks["mutations"].values.tolist() == [[1]]
    assert cohort.clinical[TMB].tolist() == [0]


@pytest.mark.parametrize(
    ("samples", "head", "message"),
    [
        (("P2",), VEP.replace("GRCh38", "hg19"), r"b\.vcf: mixes genome builds GRCh37 and GRCh38"),
        (("P2",), "##fileformat=VCFv4.2\n", r"b\.vcf: no gene annotation"),
        (("P1",), VEP, r"a\.vcf and b\.vcf are both of patient P1"),
        (("P2", "P3"), VEP, "has 2 samples .P2, P3. and none is told to be the tumour"),
    ],
)
def test_vcfs_that_cannot_be_joined_are_refused(tmp_path: Path, samples: tuple, head: str, message: str) -> None:
    write(tmp_path / "a.vcf", ("P1",), row(TP53, "0/1"))
    write(tmp_path / "b.vcf", samples, row(TP53, *["0/1"] * len(samples)), head=head)
    with pytest.raises(InputError, match=message):
        import_cohort(tmp_path)


MAF = "Hugo_Symbol\tNCBI_Build\tVariant_Classification\tTumor_Sample_Barcode\n"


def mapped(tables: Path, section: str) -> Cohort:
    path = tables / "made.toml"
    path.write_text(path.read_text(encoding="utf-8") + f"[mutations]\n{section}\n", encoding="utf-8")
    return import_cohort(tables, ImportSettings(mapping=str(path)))


def test_a_mapping_joins_a_maf_and_says_who_was_sequenced(tables: Path) -> None:
    lines = (
        "TP53\tGRCh38\tMissense_Mutation\tTCGA-AA-0001-01A-11D",
        "MLL2\t38\tNonsense_Mutation\tTCGA-AA-0001-01A-11D",
    )
    (tables / "calls.maf").write_text(MAF + "\n".join(lines) + "\n", encoding="utf-8")
    ids = 'files = "calls.maf"\nids = { trim = "TCGA patient" }\n'
    with pytest.raises(InputError, match="does not tell who was sequenced"):
        mapped(tables, ids)
    path = tables / "made.toml"
    path.write_text(path.read_text(encoding="utf-8").split("[mutations]")[0], encoding="utf-8")
    cohort = mapped(tables, ids + 'sequenced = "patients of the tables"\nmegabases = 2')
    flags = cohort.blocks["mutations"].frame()
    assert flags.loc["TCGA-AA-0001"].to_dict() == {"KMT2D": 1, "TP53": 1}
    assert (flags.drop("TCGA-AA-0001") == 0).all(axis=None)
    assert len(flags) == 5
    assert cohort.clinical.loc["TCGA-AA-0001", TMB] == 1.0


def test_vcfs_join_the_tables_by_the_id_rule(tables: Path) -> None:
    for k in (1, 2):
        write(tables / f"v/{k}.vcf", (f"TCGA-AA-000{k}-01A",), row(TP53, "0/1"))
    cohort = mapped(tables, 'files = "v/*.vcf"\nids = { trim = "TCGA patient" }')
    assert cohort.blocks["mutations"].patient_ids == ("TCGA-AA-0001", "TCGA-AA-0002")
    assert cohort.counts()["endpoints"]["OS"]["patients"] == 4


def test_a_maf_of_another_build_than_the_mapping_is_refused(tables: Path) -> None:
    (tables / "calls.maf").write_text(MAF + "TP53\thg19\tMissense_Mutation\tTCGA-AA-0001-01A\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"calls\.maf: mixes genome builds"):
        mapped(tables, 'files = "calls.maf"\nsequenced = "patients with a variant"')
