"""Omics tables: which column, which sample, which unit; hand-counted rows; refusals that name file, line and gene."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from encoders.errors import InputError
from encoders.patient import GenomeBuild
from encoders.read.copy_number import call_of_copies, call_of_log2, read_copy_number
from encoders.read.expression import belongs, read_expression
from encoders.read.fusions import read_fusions
from encoders.read.genome_build import build_named
from encoders.read.hgvs import is_silent, one_letter
from encoders.read.sniff import FileKind, sniff
from encoders.read.variants import read_maf
from encoders.read.vcf import read_vcf


@pytest.fixture
def table(tmp_path, write_text):
    """Write a table under a name that tells nothing."""
    return lambda text: write_text(tmp_path / "file", text)


# Expression


def test_repeated_symbols_are_added_in_tpm_and_kept_first_in_log(table):
    linear = read_expression(table("gene,TPM\nA,1\nB,2\nA,3\n"), "x").value
    assert dict(zip(linear.genes, linear.values.tolist(), strict=True)) == {"A": 4.0, "B": 2.0}
    log = read_expression(table("gene,log2_tpm\nA,1\nB,2\nA,3\n"), "x")
    assert dict(zip(log.value.genes, log.value.values.tolist(), strict=True)) == {"A": 1.0, "B": 2.0}
    assert any("kept at their first row" in w for w in log.warnings)


def test_the_patients_own_column_is_read_of_several(table):
    path = table("Hugo_Symbol\tEntrez_Gene_Id\tTCGA-A1-0001-01\tTCGA-A1-0002-01\nEGFR\t1956\t1.5\t-2.5\n")
    reading = read_expression(path, "x", patient_ids=("TCGA-A1-0002",))
    assert reading.value.values.tolist() == [-2.5]
    assert reading.sample_ids == ("TCGA-A1-0002-01",)
    with pytest.raises(InputError, match=r"holds 2 samples .* none is named after the patient"):
        read_expression(path, "x", patient_ids=("P-9",))


def test_an_unstated_unit_is_told_and_not_invented(table):
    reading = read_expression(table("gene\tvalue\nEGFR\t3\n"), "x")
    assert reading.value.unit == "unstated"
    assert any("unit" in w for w in reading.warnings)


@pytest.mark.parametrize(
    ("sample", "patient", "mine"),
    [
        ("TCGA-A1-0001-01", "tcga-a1-0001", True),
        ("P-1", "P-1", True),
        ("P-12", "P-1", False),
        ("P-1.rna", "P-1", True),
        ("TUMOR", "P-1", False),
    ],
)
def test_a_sample_belongs_to_the_id_it_begins_with(sample, patient, mine):
    assert belongs(sample, patient) is mine


def test_a_row_wider_than_the_header_is_refused(table):
    rows = "".join(f"G{i}\t{i}\n" for i in range(10))
    with pytest.raises(InputError, match="line 12 has 4 cells, the header 2"):
        read_expression(table(f"gene\tTPM\n{rows}B\t2\t3\t4\n"), "x")


# Protein changes and consequences


@pytest.mark.parametrize(
    ("written", "short"),
    [
        ("p.Leu858Arg", "p.L858R"),
        ("ENSP00000275493.2:p.Leu858Arg", "p.L858R"),
        ("L858R", "p.L858R"),
        ("p.(Gly12Val)", "p.G12V"),
        ("p.Glu746_Ala750del", "p.E746_A750del"),
        ("p.Ala155ArgfsTer59", "p.A155Rfs*59"),
        ("p.Pro194%3D", "p.P194="),
        ("", None),
        (".", None),
        ("p.?", None),
        (None, None),
    ],
)
def test_protein_changes_get_one_spelling(written, short):
    assert one_letter(written) == short


@pytest.mark.parametrize(
    ("consequence", "gene", "silent"),
    [
        ("Silent", "EGFR", True),
        ("Missense_Mutation", "EGFR", False),
        ("splice_region_variant&synonymous_variant", "EGFR", False),
        ("intron_variant&non_coding_transcript_variant", "EGFR", True),
        ("5'Flank", "TERT", False),
        ("5'Flank", "EGFR", True),
    ],
)
def test_silent_means_the_protein_stays_as_it_is(consequence, gene, silent):
    assert is_silent(consequence, gene) is silent


# Genome builds


@pytest.mark.parametrize(
    ("text", "build"),
    [
        ("GRCh37", GenomeBuild.GRCH37),
        ("hg19", GenomeBuild.GRCH37),
        ("37", GenomeBuild.GRCH37),
        ("38", GenomeBuild.GRCH38),
        ("file:///x/Homo_sapiens.GRCh38.dna.fa.gz", GenomeBuild.GRCH38),
        ("some other text", None),
    ],
)
def test_builds_are_told_by_their_names(text, build):
    assert build_named(text, "x") is build


# MAF and VCF


def test_maf_numbers_are_read_by_hand(table, maf):
    reading = read_maf(table(maf), "dna.maf", patient_ids=("P-001",))
    egfr, tert = reading.value
    assert (egfr.chromosome, egfr.position, egfr.reference, egfr.alternate) == ("7", 55191822, "T", "G")
    assert (egfr.depth, egfr.allele_fraction, egfr.germline) == (100, 0.3, False)
    assert (tert.gene, tert.protein, tert.consequence) == ("TERT", None, "5'Flank")
    assert len(reading.skipped) == 2


def test_a_maf_without_kept_rows_means_sequenced_and_nothing_found(table, maf):
    only_silent = "\n".join(line for line in maf.splitlines() if line.startswith(("#", "Hugo", "TP53")))
    assert read_maf(table(only_silent), "x").value == ()


def test_an_unknown_build_is_refused(table, maf):
    with pytest.raises(InputError, match="genome build 'Atlantis' is not known"):
        read_maf(table(maf.replace("GRCh38", "Atlantis")), "x")


_VEP = "Consequence annotations from Ensembl VEP. Format: Allele|Consequence|SYMBOL|HGVSc|HGVSp|EXON|CANONICAL"
VCF = f"""##fileformat=VCFv4.2
##contig=<ID=chr7,length=159345973>
##INFO=<ID=CSQ,Number=.,Type=String,Description="{_VEP}">
##FORMAT=<ID=AD,Number=R,Type=Integer,Description="Depths">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tNORMAL\tTUMOR
chr7\t55191822\t.\tT\tG\t.\tPASS\tCSQ=G|intron_variant|EGFR|||1/2|,G|missense_variant|EGFR|c.2573T>G|ENSP1:p.Leu858Arg|21/28|YES\tAD:DP\t50,0:50\t70,30:100
chr7\t1000\t.\tA\tC\t.\tq10\tCSQ=C|missense_variant|ABC1|c.1A>C|p.Ala1Cys|1/2|YES\tAD\t1,1\t1,1
chr7\t2000\t.\tA\t<DEL>\t.\tPASS\tCSQ=<DEL>|x|ABC1||||\tAD\t1,1\t1,1
chr7\t3000\t.\tA\tC,G\t.\t.\tCSQ=C|synonymous_variant|ABC1|||1|,G|stop_gained|ABC1|c.3A>G|p.Trp3Ter|1|\tAD\t1,1,1\t10,20,30
"""


def test_vcf_rows_are_read_by_hand(table):
    reading = read_vcf(table(VCF), "x.vcf")
    egfr, abc1 = reading.value
    assert (egfr.gene, egfr.protein, egfr.coding, egfr.exon) == ("EGFR", "p.L858R", "c.2573T>G", "21/28")
    assert (egfr.build, egfr.allele_fraction, egfr.depth) == (GenomeBuild.GRCH38, 0.3, 100)
    assert (abc1.alternate, abc1.protein, abc1.allele_fraction) == ("G", "p.W3*", 0.5)
    assert sorted(s.split(": 1 ")[1] for s in reading.skipped) == [
        "structural variants and symbolic alleles were left out",
        "variants that do not change a protein were left out",
        "variants whose FILTER is not PASS were left out",
    ]


def test_a_gzipped_vcf_is_the_same(table, tmp_path):
    (tmp_path / "z").write_bytes(gzip.compress(VCF.encode()))
    assert sniff(tmp_path / "z", "z").kind is FileKind.VCF
    assert [v.protein for v in read_vcf(tmp_path / "z", "z").value] == ["p.L858R", "p.W3*"]


def test_a_broken_gzip_is_refused(tmp_path):
    (tmp_path / "z.gz").write_bytes(gzip.compress(VCF.encode())[:-20])
    with pytest.raises(InputError, match=r"z\.gz: gzip data is broken"):
        read_vcf(tmp_path / "z.gz", "z.gz")


def test_a_vcf_without_annotation_gives_no_variants_and_says_so(table):
    bare = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n1\t5\t.\tA\tC\t.\t.\t.\n"
    reading = read_vcf(table(bare), "x")
    assert reading.value is None
    assert "1 rows: no gene annotation" in reading.skipped[0]


def test_a_vcf_of_mixed_or_mouse_builds_is_refused(table):
    with pytest.raises(InputError, match="mixes genome builds"):
        read_vcf(table(VCF.replace("##FORMAT", "##reference=hg19\n##FORMAT", 1)), "x")
    with pytest.raises(InputError, match="'mm10' is not supported"):
        read_vcf(table(VCF.replace("ID=chr7,length=159345973", "ID=chr1,length=195471971")), "x")


# Copy number and fusions


def test_copy_number_words_numbers_and_log2_become_calls(table):
    path = table("Hugo_Symbol\tcall\nA\t2\nB\tAmplification\nC\tDeletion\nD\t-1\nE\t0\n")
    assert [c.call for c in read_copy_number(path, "x").value] == [
        "amplification",
        "amplification",
        "deep deletion",
        "loss",
        "neutral",
    ]
    (gene,) = read_copy_number(table("gene\tlog2_ratio\nMYC\t1.7\n"), "x").value
    assert (gene.call, gene.log2_ratio) == ("amplification", pytest.approx(1.7))


def test_an_unknown_copy_number_word_is_refused(table):
    with pytest.raises(InputError, match=r"line 2, gene 'A': copy-number call 'maybe' is not known; allowed are -2"):
        read_copy_number(table("gene\tcall\nA\tmaybe\n"), "x")


@pytest.mark.parametrize(
    ("value", "call"), [(1.0, "amplification"), (0.99, "gain"), (0.3, "gain"), (0.29, "neutral"), (-0.3, "loss")]
)
def test_log2_thresholds_hold_at_their_edges(value, call):
    assert call_of_log2(value) == call
    assert call_of_log2(-1.0) == "deep deletion"


@pytest.mark.parametrize(
    ("copies", "call"), [(0.2, "deep deletion"), (1, "loss"), (2, "neutral"), (5, "gain"), (6, "amplification")]
)
def test_copies_become_calls(copies, call):
    assert call_of_copies(copies) == call


def test_fusions_are_read_once_and_by_their_own_name(table):
    text = "#FusionName\tLeftGene\tRightGene\tPROT_FUSION_TYPE\nEML4--ALK\tEML4^E\tALK^E\tINFRAME\n"
    reading = read_fusions(table(text + "EML4--ALK\tEML4^E\tALK^E\tINFRAME\n"), "x")
    (fusion,) = reading.value
    assert (fusion.gene5, fusion.gene3, fusion.in_frame) == ("EML4", "ALK", True)
    assert "1 rows repeat a fusion" in reading.skipped[0]


# Real tables


def test_real_annotated_vcfs_are_read(open_data: Path):
    reading = read_vcf(open_data / "clinical/annotated_vcf/ANN__tag__test_context.vcf", "x")
    assert [(v.gene, v.protein) for v in reading.value][:2] == [("CDH2", "p.L21*"), ("SLC39A6", "p.E119D")]
    assert {v.build for v in reading.value} == {GenomeBuild.GRCH38}


def test_a_real_maf_of_build_38_is_read(open_data: Path):
    reading = read_maf(open_data / "clinical/vcf_maf/test_b38_output.maf", "x")
    assert reading.value[0].protein == "p.L429R"
    assert reading.value[1].allele_fraction == pytest.approx(123 / 901)


def test_cbioportal_tables_are_read_for_a_named_patient(open_data: Path):
    study = open_data / "clinical/cbioportal/study_es_0"
    who = ("TCGA-A1-A0SD",)
    median = read_expression(study / "data_expression_median.txt", "x", patient_ids=who).value
    assert median.values[0] == pytest.approx(1.4345)
    log2 = read_copy_number(study / "data_cna_log2.txt", "x", patient_ids=who, log2_values=True).value
    assert (log2[0].gene, log2[0].call, log2[0].log2_ratio) == ("ACAP3", "loss", pytest.approx(-0.55))


# What a file is, by content


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Dear colleague, thank you,\nshe is well, and walks.\nNo pain, no fever, no cough.\n", FileKind.NOTE),
        ("SYNTHETIC: made up, not real.\nDate: 2024-01-01\nWell, really.\n", FileKind.NOTE),
        ("Hugo_Symbol\tVariant_Classification\tChromosome\n", FileKind.MAF),
        ("#FusionName\tLeftGene\tRightGene\n", FileKind.FUSIONS),
        ("gene\tcall\nA\tgain\n", FileKind.COPY_NUMBER),
        ("Hugo_Symbol\tS1\nA\t-2\nB\t0\nC\t1\n", FileKind.COPY_NUMBER),
        ("gene,TPM\nA,1.5\n", FileKind.EXPRESSION),
        ("a,b\n1,2\n", FileKind.UNKNOWN),
        ("genetic_alteration_type: METHYLATION\ndata_filename: x.txt\n", FileKind.TABLE_META),
    ],
)
def test_text_files_are_told_apart_by_content(table, text, kind):
    assert sniff(table(text), "file").kind is kind
