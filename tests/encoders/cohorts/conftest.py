"""Small made cohorts in the field's formats, and the shared real data where they are beside the repository."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

OPEN_DATA = Path(__file__).parents[3].parent / "shared/data/open"


@pytest.fixture(scope="session")
def open_data() -> Path:
    """The folder of shared real data; tests that need it skip where it is absent."""
    if not OPEN_DATA.is_dir():
        pytest.skip("the shared real data are not beside this repository")
    return OPEN_DATA


def rows(*lines: str, sep: str = "\t") -> str:
    """Lines with | between cells -> a table's text."""
    return "".join(sep.join(cell.strip() for cell in line.split("|")) + "\n" for line in lines)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A cBioPortal study: 4 patients, 5 samples (P1 has a metastasis too), one panel sample, one normal."""
    folder = tmp_path / "study"
    (folder / "case_lists").mkdir(parents=True)
    files = {
        "meta_study.txt": "cancer_study_identifier: made\nname: Made study\nreference_genome: hg19\n",
        "meta_p.txt": "genetic_alteration_type: CLINICAL\ndatatype: PATIENT_ATTRIBUTES\ndata_filename: data_p.txt\n",
        "data_p.txt": rows(
            "#Patient|Status|Months|Status|Months|Age|Sex|MSIsensor",
            "#Patient|Status|Months|Status|Months|Age|Sex|MSIsensor",
            "#STRING|STRING|NUMBER|STRING|NUMBER|NUMBER|STRING|NUMBER",
            "#1|1|1|1|1|1|1|1",
            "PATIENT_ID|OS_STATUS|OS_MONTHS|PFS_STATUS|PFS_MONTHS|AGE|SEX|MSI_SENSOR_SCORE",
            "P1|1:DECEASED|10|1:PROGRESSION|5|61|Male|0.2",
            "P2|0:LIVING|20|0:CENSORED|20|45|Female|3.5",
            "P3|DECEASED|30||[Not Available]|NA|Female|12.1",
            "P4|LIVING|-1|0:CENSORED|8|70|Male|",
        ),
        "meta_s.txt": "genetic_alteration_type: CLINICAL\ndatatype: SAMPLE_ATTRIBUTES\ndata_filename: data_s.txt\n",
        "data_s.txt": rows(
            "PATIENT_ID|SAMPLE_ID|SAMPLE_TYPE|ONCOTREE_CODE",
            "P1|P1-M|Metastasis|LUAD",
            "P1|P1-T|Primary|LUAD",
            "P2|P2-T|Primary|LUAD",
            "P3|P3-T|Primary|NOCODE",
            "P4|P4-T|Primary|LUAD",
        ),
        "meta_e.txt": "genetic_alteration_type: MRNA_EXPRESSION\ndatatype: CONTINUOUS\nstable_id: rna\n"
        "profile_name: mRNA expression (RNA Seq V2 RSEM)\ndata_filename: data_e.txt\n",
        "data_e.txt": rows(
            "Hugo_Symbol|Entrez_Gene_Id|P1-M|P1-T|P2-T|P3-T|X-T",
            "TP53|7157|100|1|2|3|9",
            "MLL2|8085|100|4|5|NA|9",
            "EGFR|1956|100|1|1|1|9",
            "EGFR|1956|100|2|3|4|9",
            "|999|100|2|3|4|9",
        ),
        "meta_m.txt": "genetic_alteration_type: MUTATION_EXTENDED\ndatatype: MAF\ndata_filename: data_m.txt\n",
        "data_m.txt": rows(
            "Hugo_Symbol|NCBI_Build|Variant_Classification|Tumor_Sample_Barcode|Mutation_Status|FILTER",
            "TP53|GRCh37|Missense_Mutation|P1-T|Somatic|PASS",
            "EGFR|GRCh37|Silent|P1-T|Somatic|PASS",
            "KRAS|GRCh37|Missense_Mutation|P1-M|Somatic|PASS",
            "MLL2|37|Nonsense_Mutation|P3-T|Somatic|",
            "TP53|GRCh37|Missense_Mutation|P3-T|Somatic|PASS",
            "BRCA1|GRCh37|Frame_Shift_Del|P3-T|Germline|PASS",
            "BRAF|GRCh37|Missense_Mutation|P3-T|Somatic|panel_of_normals",
        ),
        "case_lists/cases_sequenced.txt": "stable_id: made_sequenced\ncase_list_ids: P1-T\tP1-M\tP2-T\tP3-T\n",
        "data_gene_panel_matrix.txt": rows("SAMPLE_ID|mutations", "P2-T|SMALL", "P1-T|WXS"),
        "data_gene_panel_small.txt": "stable_id: SMALL\ngene_list: TP53\tEGFR\n",
        "meta_x.txt": "genetic_alteration_type: GENERIC_ASSAY\ndatatype: LIMIT-VALUE\ndata_filename: data_x.txt\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def gdc(tmp_path: Path) -> Path:
    """A GDC folder: STAR counts of two patients (one with a normal), their MAFs, the clinical table."""
    folder = tmp_path / "gdc"
    sheet = ["File ID|File Name|Data Category|Data Type|Project ID|Case ID|Sample ID|Sample Type"]
    kind = "Transcriptome Profiling|Gene Expression Quantification|TCGA-LUAD"
    expression = {
        "a": ("TCGA-05-0001", "01A", "Primary Tumor", 1),
        "b": ("TCGA-05-0001", "11A", "Solid Tissue Normal", 50),
        "c": ("TCGA-05-0002", "02A", "Recurrent Tumor", 3),
        "d": ("TCGA-05-0002", "01B", "Primary Tumor", 4),
    }
    for name, (case, code, sample_type, scale) in expression.items():
        file = folder / name / f"{name}.rna_seq.augmented_star_gene_counts.tsv"
        file.parent.mkdir(parents=True)
        head = "# gene-model: GENCODE v36\n"
        body = rows(
            "gene_id|gene_name|gene_type|unstranded|stranded_first|stranded_second|tpm_unstranded|fpkm_unstranded",
            "N_unmapped|||5|5|5||",
            f"ENSG00000141510.18|TP53|protein_coding|{10 * scale}|1|1|{scale}|1",
            f"ENSG00000146648.21|EGFR|protein_coding|{20 * scale}|1|1|{2 * scale}|1",
            f"ENSG00000146648.21_PAR_Y|EGFR|protein_coding|{scale}|1|1|{scale}|1",
        )
        file.write_text(head + body, encoding="utf-8")
        sheet.append(f"{name}|{file.name}|{kind}|{case}|{case}-{code}|{sample_type}")
    for name, case, body in (
        ("m1", "TCGA-05-0001", "TP53|GRCh38|Missense_Mutation|TCGA-05-0001-01A-11D"),
        ("m2", "TCGA-05-0002", ""),
    ):
        file = folder / name / f"{name}.wxs.aliquot_ensemble_masked.maf.gz"
        file.parent.mkdir()
        text = "#gdc.version 1.0\n" + rows("Hugo_Symbol|NCBI_Build|Variant_Classification|Tumor_Sample_Barcode")
        file.write_bytes(gzip.compress((text + (rows(body) if body else "")).encode()))
        sheet.append(
            f"{name}|{file.name}|Simple Nucleotide Variation|Masked Somatic Mutation|TCGA-LUAD|{case}, {case}|"
            f"{case}-10A, {case}-01A|Blood Derived Normal, Primary Tumor"
        )
    (folder / "gdc_sample_sheet.2026-01-01.tsv").write_text(rows(*sheet), encoding="utf-8")
    (folder / "clinical.tsv").write_text(
        rows(
            "case_id|case_submitter_id|project_id|vital_status|days_to_death|days_to_last_follow_up|age_at_diagnosis|"
            "gender",
            "u1|TCGA-05-0001|TCGA-LUAD|Dead|365|'--|21915|male",
            "u1|TCGA-05-0001|TCGA-LUAD|Dead|365|'--|21915|male",
            "u2|TCGA-05-0002|TCGA-LUAD|Alive|'--|730.5|'--|female",
        ),
        encoding="utf-8",
    )
    return folder


MAPPING = """
name = "made"
genome_build = "GRCh38"
[[table]]
file = "slides.csv"
id = "barcode"
ids = { trim = "TCGA patient" }
oncotree_code = "BLCA"
[[table.clinical]]
column = "age"
name = "age_years"
type = "number"
unit = "years"
[[table.clinical]]
column = "sex"
name = "sex"
type = "category"
values = { F = "female", M = "male" }
[[table.outcome]]
endpoint = "OS"
time = "days"
time_unit = "days"
event = "censored"
event_values = ["0"]
censored_values = ["1"]
[[table.block]]
name = "expression"
kind = "expression"
unit = "TPM"
suffix = "_rna"
[[table]]
file = "protein.tsv"
id = "case"
[[table.block]]
name = "protein"
kind = "protein"
rest = true
[[split]]
name = "given"
files = "splits_{fold}.csv"
folds = ["0"]
"""


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """Slides (two of one patient), proteins in another order, one split file, and the mapping of them."""
    folder = tmp_path / "tables"
    folder.mkdir()
    slides = rows(
        "barcode|age|sex|days|censored|TP53_rna|HER2_rna|note",
        "TCGA-AA-0001-01Z|50|F|365.25|0|1.5|0|x",
        "TCGA-AA-0002-01Z|60|M|730.5|1|2.5|4|y",
        "TCGA-AA-0002-02Z|60|M|730.5|1|2.5|4|z",
        "TCGA-AA-0003-01Z||F|30|0|NA|7|w",
        "TCGA-AA-0004-01Z|70|F|60|1|3.5|1|w",
        sep=",",
    )
    (folder / "slides.csv").write_text(slides, encoding="utf-8")
    protein = rows("case|AKT|MTOR", "TCGA-AA-0003|3|30", "TCGA-AA-0001|1|10", "TCGA-AA-0002|2|20", "TCGA-AA-0009|9|90")
    (folder / "protein.tsv").write_text(protein, encoding="utf-8")
    split = rows("|train|val", "0|TCGA-AA-0001|TCGA-AA-0003", "1|TCGA-AA-0002|TCGA-AA-0004", sep=",")
    (folder / "splits_0.csv").write_text(split, encoding="utf-8")
    (folder / "made.toml").write_text(MAPPING, encoding="utf-8")
    return folder
