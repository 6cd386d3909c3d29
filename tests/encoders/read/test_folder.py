"""A folder becomes a Patient whatever its files are called; absences have reasons; bad input is one clear error."""

from __future__ import annotations

import os
import random
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from encoders.errors import ContractError, InputError
from encoders.patient import GenomeBuild, IntensityUnit, ModalityName, Patient
from encoders.read.folder import read_patient


@pytest.fixture
def whole(tmp_path, write_series, write_text, write_json, bundle, star_counts, maf, copy_number) -> Path:
    """A folder with one file of every kind, of patient P-001."""
    folder = tmp_path / "case"
    write_series(folder / "ct")
    write_text(folder / "rna.tsv", star_counts)
    write_text(folder / "dna.maf", maf)
    write_text(folder / "cna.tsv", copy_number)
    write_text(folder / "fusions.tsv", "#FusionName\tLeftGene\tRightGene\nEML4--ALK\tEML4^E1\tALK^E2\n")
    write_json(folder / "record.json", bundle())
    write_text(folder / "note.txt", "# Clinic letter\nPatient ID: P-001\nDate: 2024-03-05\n\nWalks two miles a day.\n")
    return folder


def test_every_modality_of_a_whole_folder_is_read(whole):
    patient = read_patient(whole)
    assert patient.patient_id == "P-001"
    assert (patient.oncotree_code, patient.sex, patient.age_years, patient.ecog) == ("LUAD", "female", 63.0, 1)
    assert (patient.diagnosis.stage, patient.diagnosis.tnm_edition) == ("IIIA", "AJCC 8")
    assert patient.imaging[0].volume.shape == (3, 4, 5)
    assert patient.imaging[0].unit is IntensityUnit.HU
    assert dict(zip(patient.expression.genes, patient.expression.values.tolist(), strict=True)) == {
        "EGFR": 31.0,
        "TP53": 4.0,
    }
    assert patient.expression.unit == "TPM"
    assert [(v.gene, v.protein) for v in patient.variants] == [("EGFR", "p.L858R"), ("TERT", None)]
    assert patient.variants[0].build is GenomeBuild.GRCH38
    assert patient.variants[0].allele_fraction == pytest.approx(0.3)
    assert [(c.gene, c.call) for c in patient.copy_number] == [
        ("ERBB2", "amplification"),
        ("CDKN2A", "deep deletion"),
        ("TP53", "neutral"),
    ]
    assert [(f.gene5, f.gene3) for f in patient.fusions] == [("EML4", "ALK")]
    assert [n.date for n in patient.notes] == ["2024-03-05"]
    assert set(patient.missing) == {"methylation", "proteins"}


def test_every_scalar_fact_says_where_it_was_read(whole):
    patient = read_patient(whole)
    for field in ("oncotree_code", "sex", "age_years", "ecog", "diagnosis.stage", "diagnosis.tnm_edition"):
        assert patient.sources[field].file == "record.json"
    assert patient.sources["ecog"].place == "Observation/ecog"
    assert patient.variants[0].source.file == "dna.maf"
    assert patient.variants[0].source.place == "line 3"


def test_what_was_left_out_is_counted(whole):
    patient = read_patient(whole)
    assert any("1 variants whose FILTER is not PASS" in s for s in patient.skipped)
    assert any("1 variants that do not change a protein" in s for s in patient.skipped)


def _facts(patient: Patient) -> tuple:
    """Everything of a patient but file names and the order files were met in."""
    return (
        (patient.patient_id, patient.oncotree_code, patient.sex, patient.age_years, patient.ecog, patient.diagnosis),
        [(t.drug, t.start) for t in patient.treatments],
        sorted((s.role, s.unit, s.spacing_mm, s.sop_instance_uids, s.volume.sum()) for s in patient.imaging),
        (patient.expression.genes, patient.expression.values.tolist(), patient.expression.unit),
        [(v.gene, v.protein, v.position, v.allele_fraction) for v in patient.variants],
        [(c.gene, c.call) for c in patient.copy_number],
        sorted(n.text for n in patient.notes),
        dict(patient.missing),
    )


def _scramble(folder: Path, into: Path, seed: int) -> Path:
    """The same files with meaningless names and no endings, all in one folder."""
    into.mkdir()
    paths = [p for p in folder.rglob("*") if p.is_file()]
    random.Random(seed).shuffle(paths)
    for number, path in enumerate(paths):
        shutil.copy(path, into / f"{number:04d}")
    return into


def test_scrambled_file_names_give_the_same_patient(whole, tmp_path):
    assert _facts(read_patient(_scramble(whole, tmp_path / "scrambled", 3))) == _facts(read_patient(whole))


def test_a_zip_of_the_folder_gives_the_same_patient(whole, tmp_path):
    with zipfile.ZipFile(tmp_path / "case.zip", "w") as out:
        for path in whole.rglob("*"):
            out.write(path, path.relative_to(whole.parent))
    assert _facts(read_patient(tmp_path / "case.zip")) == _facts(read_patient(whole))


@pytest.mark.parametrize(
    ("file", "modality", "reason"),
    [
        ("ct", "imaging", "no CT, MR or PET"),
        ("rna.tsv", "expression", "no gene expression"),
        ("dna.maf", None, ""),  # the record still names a variant
        ("cna.tsv", "copy_number", "no copy-number"),
        ("fusions.tsv", "fusions", "no gene fusion"),
        ("record.json", "clinical", "no FHIR"),
        ("note.txt", "notes", "no text or PDF"),
    ],
)
def test_without_one_modality_the_patient_is_read_and_the_absence_has_a_reason(whole, file, modality, reason):
    gone = whole / file
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    patient = read_patient(whole)
    if modality:
        assert reason in patient.missing[modality]
        assert ModalityName(modality)
    else:
        assert [(v.gene, v.protein) for v in patient.variants] == [("EGFR", "p.L858R")]


def test_junk_is_counted_and_unknown_files_are_named(whole, write_text):
    write_text(whole / "README.md", "about this folder")
    write_text(whole / ".DS_Store", "x")
    write_text(whole / "schedule.csv", "day,room\nmonday,3\n")
    (whole / "scan.bin").write_bytes(b"\x00\x01\x02" * 50)
    skipped = read_patient(whole).skipped
    assert "2 file(s): not patient data" in skipped
    assert any(s.startswith("schedule.csv: a table of no known kind") for s in skipped)
    assert any(s.startswith("scan.bin: a binary file") for s in skipped)


def test_progress_names_what_is_read(whole):
    said: list[str] = []
    read_patient(whole, progress=said.append)
    assert any("rna.tsv" in line for line in said)
    assert any("DICOM" in line for line in said)


# Bad input: the list of the command's promises, one test each.


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"nothing readable in the folder.*0 files"):
        read_patient(tmp_path)


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="nowhere: not a folder"):
        read_patient(tmp_path / "nowhere")


def test_a_folder_of_junk_alone_is_refused(tmp_path, write_text):
    write_text(tmp_path / "README", "hello")
    with pytest.raises(InputError, match="nothing readable"):
        read_patient(tmp_path)


def test_a_truncated_dicom_is_refused_by_name(whole):
    broken = sorted((whole / "ct").glob("*.dcm"))[1]
    broken.write_bytes(broken.read_bytes()[:-15])
    with pytest.raises(InputError, match=rf"ct/{broken.name}: DICOM file is truncated or damaged"):
        read_patient(whole)


def test_a_dicom_cut_in_its_header_is_refused_by_name(whole):
    broken = sorted((whole / "ct").glob("*.dcm"))[0]
    broken.write_bytes(broken.read_bytes()[:180])
    with pytest.raises(InputError, match=rf"ct/{broken.name}: DICOM file is truncated or damaged"):
        read_patient(whole)


def test_a_table_of_text_is_refused_with_line_gene_and_value(whole, write_text):
    write_text(whole / "rna.tsv", "gene\tTPM\nEGFR\t3.5\nTP53\thigh\n")
    with pytest.raises(InputError, match=r"rna\.tsv: line 3, gene 'TP53', column 'TPM' holds 'high'"):
        read_patient(whole)


@pytest.mark.parametrize("cell", ["NaN", "", "inf", "NA"])
def test_an_expression_value_that_is_no_finite_number_is_refused(whole, write_text, star_counts, cell):
    write_text(whole / "rna.tsv", star_counts.replace("\t4.0\t", f"\t{cell}\t"))
    with pytest.raises(InputError, match=rf"rna\.tsv: line 8, gene 'TP53', column 'tpm_unstranded' holds '{cell}'"):
        read_patient(whole)


def test_two_patients_files_in_one_folder_are_refused(whole, write_series):
    write_series(whole / "other", patient="P-002", series="1.2.3.5")
    with pytest.raises(InputError, match=r"2 patients.*'P-001'.*other/CT-1\.2\.3\.5-001\.dcm has id 'P-002'"):
        read_patient(whole)


def test_another_patients_maf_is_refused_by_its_barcode(whole, write_text, maf):
    write_text(whole / "dna.maf", maf.replace("P-001-T", "P-002-T"))
    with pytest.raises(InputError, match=r"dna\.maf has sample 'P-002-T', other files have id 'P-001'"):
        read_patient(whole)


def test_a_laboratory_sample_name_is_accepted_with_a_warning(whole, write_text, maf):
    write_text(whole / "dna.maf", maf.replace("P-001-T", "TUMOR"))
    assert any("sample 'TUMOR' is not named after the patient" in w for w in read_patient(whole).warnings)


def test_mixed_ids_are_read_when_asked_for_and_listed(whole, write_series):
    write_series(whole / "other", patient="P-002", series="1.2.3.5")
    patient = read_patient(whole, allow_mixed_ids=True)
    assert len(patient.imaging) == 2
    assert patient.patient_id == "P-001"
    assert any("'P-001'" in w and "'P-002'" in w for w in patient.warnings)


def test_the_error_for_two_patients_holds_no_name(whole, write_series, bundle, write_json):
    other = bundle("P-002")
    other["entry"][0]["resource"]["name"] = [{"family": "Doe"}]
    write_json(whole / "second.json", other)
    with pytest.raises(InputError) as caught:
        read_patient(whole)
    assert "Doe" not in str(caught.value)
    assert "1960" not in str(caught.value)


def test_an_unknown_oncotree_code_is_refused(whole, write_json):
    write_json(whole / "plain.json", {"patient_id": "P-001", "oncotree_code": "LUADX"})
    with pytest.raises(InputError, match=r"plain\.json: OncoTree code 'LUADX' is not known.*oncotree\.tsv"):
        read_patient(whole)


@pytest.mark.parametrize("build", ["hg18", "NCBI36", "36", "mm10"])
def test_an_unsupported_genome_build_is_refused(whole, write_text, maf, build):
    write_text(whole / "dna.maf", maf.replace("GRCh38", build))
    with pytest.raises(InputError, match=rf"dna\.maf: line 3: genome build '{build}' is not supported.*GRCh37, GRCh38"):
        read_patient(whole)


def test_mixed_genome_builds_are_refused(whole, write_text, maf):
    write_text(whole / "dna.maf", maf.replace("KRAS\tGRCh38", "KRAS\tGRCh37"))
    with pytest.raises(InputError, match=r"dna\.maf: mixes genome builds GRCh37 and GRCh38"):
        read_patient(whole)


def test_two_variant_tables_in_different_builds_are_refused(whole, write_text, maf):
    write_text(whole / "more.maf", maf.replace("GRCh38", "GRCh37"))
    with pytest.raises(InputError, match="mixes genome builds GRCh37 and GRCh38"):
        read_patient(whole)


@pytest.mark.parametrize("name", ["letter.pdf", "scan.dcm", "dna2.maf", "record2.json", "x.vcf.gz"])
def test_an_empty_data_file_is_refused(whole, name):
    (whole / name).write_bytes(b"")
    with pytest.raises(InputError, match=rf"{name}: the file has 0 bytes"):
        read_patient(whole)


def test_a_pdf_that_is_none_is_refused(whole):
    (whole / "letter.pdf").write_bytes(b"%PDF-1.7\nnothing more")
    with pytest.raises(InputError, match=r"letter\.pdf: the PDF cannot be read"):
        read_patient(whole)


def test_a_cut_json_is_refused_with_its_line(whole):
    text = (whole / "record.json").read_text()
    (whole / "record.json").write_text(text[: len(text) // 2])
    with pytest.raises(InputError, match=r"record\.json: not valid JSON, line 1"):
        read_patient(whole)


@pytest.mark.parametrize("seed", range(12))
def test_randomly_cut_files_are_read_or_refused_never_crash(whole, seed):
    rng = random.Random(seed)
    path = rng.choice([p for p in sorted(whole.rglob("*")) if p.is_file()])
    data = path.read_bytes()
    path.write_bytes(data[: rng.randrange(1, len(data))])
    try:
        read_patient(whole)
    except InputError as error:
        assert path.name in str(error)


# Real files.


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    os.symlink(source, target)


def test_a_real_series_a_real_omics_table_and_a_real_record_make_a_patient(open_data: Path, tmp_path: Path):
    ct = open_data / "radiology/lung_ct_rtstruct_4DLung_113_HM10395/CT"
    for path in ct.glob("*.dcm"):
        _link(path, tmp_path / "case/imaging" / path.name)
    _link(open_data / "clinical/fhir_mcode_patients/TrialMatching_Patient01.json", tmp_path / "case/record")
    _link(open_data / "clinical/cbioportal/study_es_0/data_expression_median_Zscores.txt", tmp_path / "case/rna.txt")
    _link(
        open_data / "clinical/moalmanac_example_patient/example_patient.capture.somatic.snvs.maf",
        tmp_path / "case/snvs.maf",
    )
    with pytest.raises(InputError, match="allow-mixed-ids"):
        read_patient(tmp_path / "case")
    patient = read_patient(tmp_path / "case", allow_mixed_ids=True)
    assert (patient.oncotree_code, patient.diagnosis.stage, patient.ecog) == ("IDC", "IV", 1)
    assert patient.imaging[0].volume.shape == (32, 512, 512)
    assert patient.expression.values.shape == (5,)
    assert np.isfinite(patient.expression.values).all()
    assert sum(v.source.file == "snvs.maf" for v in patient.variants) == 203  # 299 rows less 96 silent ones
    assert any("113_HM10395" in w for w in patient.warnings)


def test_the_moalmanac_example_patient_is_read_whole(open_data: Path):
    patient = read_patient(open_data / "clinical/moalmanac_example_patient")
    assert ("EML4", "ALK") in {(f.gene5, f.gene3) for f in patient.fusions}
    assert {c.gene: c.call for c in patient.copy_number}["BRAF"] == "amplification"
    assert {v.build for v in patient.variants} == {GenomeBuild.GRCH37}
    assert any(v.germline for v in patient.variants)


def test_a_cbioportal_study_needs_its_patient_named(open_data: Path):
    with pytest.raises(InputError, match=r"samples.*none is named after the patient"):
        read_patient(open_data / "clinical/cbioportal/study_es_0")


def test_two_tables_of_one_naming_scheme_without_a_record_are_refused(tmp_path, write_text, maf):
    write_text(tmp_path / "a.maf", maf.replace("P-001-T", "S21-100"))
    write_text(tmp_path / "b.maf", maf.replace("P-001-T", "S21-200"))
    with pytest.raises(InputError, match=r"a\.maf has sample 'S21-100', b\.maf has sample 'S21-200', and no record"):
        read_patient(tmp_path)
    assert len(read_patient(tmp_path, allow_mixed_ids=True).variants) == 2


def test_a_dangling_link_is_told(whole):
    (whole / "gone.dcm").symlink_to(whole / "nowhere")
    assert "gone.dcm: a link to a file that is not there" in read_patient(whole).skipped


@pytest.mark.parametrize("seed", range(40))
def test_records_with_wrong_types_are_read_or_refused_never_crash(tmp_path, write_json, bundle, seed):
    rng = random.Random(seed)
    content = bundle()
    for _ in range(3):
        where = content["entry"]
        while True:
            key = rng.choice(range(len(where)) if isinstance(where, list) else list(where))
            if isinstance(where[key], dict | list) and where[key] and rng.random() < 0.8:
                where = where[key]
                continue
            where[key] = rng.choice([None, 3, "text", [], {}, [None], {"coding": 5}, True])
            break
    write_json(tmp_path / "record.json", content)
    try:
        read_patient(tmp_path)
    except (InputError, ContractError) as error:
        assert str(error)
