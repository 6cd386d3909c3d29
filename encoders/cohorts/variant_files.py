"""Small variants of a cohort from files beside its tables: MAFs, or annotated VCFs, one a sample.

    [mutations]
    files = "vcf/*.vcf.gz"                             # or "calls.maf"
    ids = { trim = "TCGA patient" }                    # sample name -> patient id
    sequenced = "patients of the tables"               # MAF only: who was sequenced
    megabases = 35.0                                   # where given, burden (TMB) is derived

A VCF's sample is named by its sample column; where that says only TUMOR, or there is none, by the file (counted). Every
VCF is a sequenced patient, with or without variants. A VCF without gene annotation is refused: its patient would count
as having no mutation. What this module does not know: structural variants, germline calls, liftover.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from encoders.cohorts.assemble import CohortParts
from encoders.cohorts.cohort import ImportNote
from encoders.cohorts.gene_rows import read_text_table
from encoders.cohorts.mapped_table import patient_ids
from encoders.cohorts.mapping import IdRule, MutationMap
from encoders.cohorts.mutations import add_mutations, stated_build
from encoders.cohorts.samples import Samples, one_sample_each
from encoders.errors import InputError
from encoders.patient import Variant
from encoders.read.vcf import NO_ANNOTATION, read_vcf, tumour_sample

VCF_ENDINGS = (".vcf", ".vcf.gz")
_COUNTED = re.compile(r"^(\d+) (.*)$")


def vcf_files(folder: Path) -> list[Path]:
    """The VCFs of a folder and its folders."""
    return sorted(p for p in folder.rglob("*") if p.is_file() and p.name.lower().endswith(VCF_ENDINGS))


def add_variant_files(parts: CohortParts, folder: Path, rule: MutationMap) -> None:
    """Add the mutations of the files a mapping names.

    Raises
    ------
    InputError: no such file, MAFs and VCFs mixed, or see ``add_vcfs`` and ``add_mafs``.
    """
    paths = sorted(p for p in folder.glob(rule.files) if p.is_file())
    if not paths:
        raise InputError(f"no file {rule.files!r} in {folder.name}; the mapping reads the mutations from it.")
    of_vcf = [p.name.lower().endswith(VCF_ENDINGS) for p in paths]
    if all(of_vcf):
        add_vcfs(parts, paths, rule.ids, rule.megabases)
    elif any(of_vcf):
        raise InputError(f"{rule.files!r} names VCFs and other files; name one kind, so that nobody is read twice.")
    else:
        add_mafs(parts, paths, rule)


def add_mafs(parts: CohortParts, paths: Sequence[Path], rule: MutationMap) -> None:
    """Mutations of MAFs; who was sequenced is what the mapping says.

    Raises
    ------
    InputError: the mapping does not say who was sequenced, a missing column, ids the rule does not fit, mixed builds.
    """
    where = " + ".join(p.name for p in paths)
    if rule.sequenced is None:
        raise InputError(
            f'{where}: a MAF does not tell who was sequenced without a mutation; say sequenced = "patients of the '
            'tables" or "patients with a variant" under [mutations].'
        )
    frames = []
    for path in paths:
        table = read_text_table(path, parts)
        if "Tumor_Sample_Barcode" not in table.columns:
            raise InputError(f"{path.name}: no column Tumor_Sample_Barcode; a MAF has it. Give a MAF, or a VCF.")
        if "NCBI_Build" in table.columns:
            parts.genome_build = stated_build([*table["NCBI_Build"], parts.genome_build], path.name)
        frames.append(table)
    maf = pd.concat(frames, ignore_index=True).fillna("")
    barcodes = list(dict.fromkeys(maf["Tumor_Sample_Barcode"].str.strip()))
    owner = dict(zip(barcodes, patient_ids(barcodes, rule.ids, where), strict=True))
    chosen = one_sample_each(Samples(owner), barcodes, parts, where)
    of_sample = {sample: patient for patient, sample in chosen.items()}
    kept = maf[maf["Tumor_Sample_Barcode"].str.strip().isin(of_sample)].copy()
    kept.insert(0, "patient_id", kept["Tumor_Sample_Barcode"].str.strip().map(of_sample))
    known = {p for frame in parts.clinical for p in frame.index}
    known |= {p for end in parts.endpoints for p in end.patient_ids}
    sequenced = set(chosen) | (known if rule.sequenced == "patients of the tables" else set())
    what = f"patients count as sequenced, as the mapping says ({rule.sequenced})"
    parts.notes.append(ImportNote("defaulted", where, what, len(sequenced)))
    add_mutations(parts, kept, sorted(sequenced), where, megabases=rule.megabases)


def add_vcfs(parts: CohortParts, paths: Sequence[Path], ids: IdRule, megabases: float | None) -> None:
    """Mutations of annotated VCFs (VEP or SnpEff), one a patient.

    Raises
    ------
    InputError: a VCF without annotation, with several samples none of which is the tumour, of another build than the
        others, or a second one of a patient.
    """
    rows: list[dict[str, object]] = []
    left_out: Counter[str] = Counter()
    file_of: dict[str, str] = {}
    unnamed, unstated = [], []
    for path in paths:
        sample = tumour_sample(path, path.name)
        if sample is None:
            unnamed.append(path.name)
        patient = patient_ids([sample or path.name.split(".")[0]], ids, path.name)[0]
        if patient in file_of:
            raise InputError(f"{file_of[patient]} and {path.name} are both of patient {patient}; one VCF a patient.")
        file_of[patient] = path.name
        found = read_vcf(path, path.name)
        if found.value is None:
            raise InputError(f"{path.name}: {NO_ANNOTATION}; without it the patient would count as having no mutation.")
        for text in found.skipped:
            counted = _COUNTED.match(text.removeprefix(f"{path.name}: "))
            if counted:
                left_out[counted.group(2)] += int(counted.group(1))
        if found.warnings:
            unstated.append(path.name)
        builds = {v.build.value for v in found.value if v.build is not None}
        parts.genome_build = stated_build([*builds, parts.genome_build], path.name)
        rows += [_row(patient, variant) for variant in found.value]
    where = f"{len(paths)} VCF files"
    parts.note("defaulted", where, "files name no sample of their own; the file's name is the id", unnamed)
    parts.note("warning", where, "files do not state their genome build", unstated)
    parts.notes += [ImportNote("skipped", where, what, count) for what, count in sorted(left_out.items())]
    columns = list(_row("", None)) if not rows else None
    add_mutations(parts, pd.DataFrame(rows, columns=columns), sorted(file_of), where, megabases=megabases)


def _row(patient: str, variant: Variant | None) -> dict[str, object]:
    """A variant under the column names of a MAF."""
    get = (lambda name: getattr(variant, name)) if variant is not None else (lambda _: None)
    values = {
        "patient_id": patient,
        "Hugo_Symbol": get("gene"),
        "Variant_Classification": get("consequence"),
        "HGVSp_Short": get("protein"),
        "Chromosome": get("chromosome"),
        "Start_Position": get("position"),
        "Reference_Allele": get("reference"),
        "Tumor_Seq_Allele2": get("alternate"),
        "NCBI_Build": get("build"),
    }
    return {name: "" if value is None else str(value) for name, value in values.items()}
