"""Alterations of a cBioPortal study: mutations (MAF), structural variants, segments, gene panels, case lists.

Several files of one kind are read as one table. A gene off a patient's panel is NaN, a patient who was profiled and has
no alteration is 0, one who was not profiled has no row. What this module does not know: profiles of numbers
(cbioportal.py), whether a fusion is expressed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from encoders.cohorts.assemble import CohortParts
from encoders.cohorts.cohort import BlockKind, ImportNote
from encoders.cohorts.gene_rows import read_text_table
from encoders.cohorts.mapped_table import BlockPart
from encoders.cohorts.mutations import add_mutations, approved_genes, mutation_flags, stated_build
from encoders.cohorts.samples import Samples, one_sample_each
from encoders.cohorts.segments import check_segments
from encoders.errors import InputError

_NO_PANEL = frozenset(("NA", "", "WXS", "WES", "WGS"))
_GENE_PAIR = ("Site1_Hugo_Symbol", "Site2_Hugo_Symbol")


def read_meta(path: Path) -> dict[str, str]:
    """The key: value lines of a meta file.

    Raises
    ------
    InputError: not UTF-8.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name}: is no UTF-8 text ({error}); save it as UTF-8.") from error
    lines = (line.partition(":") for line in text.splitlines())
    return {key.strip(): value.strip() for key, _, value in lines if value.strip()}


def data_file(folder: Path, meta: Mapping[str, str]) -> Path:
    """The data file a meta file names.

    Raises
    ------
    InputError: it names none, or one that is not there.
    """
    name = meta.get("data_filename", "")
    if not name:
        kind = f"{meta.get('genetic_alteration_type', 'no type')} {meta.get('datatype', '')}".strip()
        raise InputError(f"{folder.name}: a meta file ({kind}) has no data_filename; add that line or remove the file.")
    if not (folder / name).is_file():
        raise InputError(
            f"{name} is not in {folder.name}, though a meta file names it; add it or remove the meta file."
        )
    return folder / name


def _one_table(
    parts: CohortParts, folder: Path, metas: Sequence[Mapping[str, str]], sample_in: str
) -> tuple[pd.DataFrame, str]:
    """The rows of all files of one kind and their names; the genome build of each is checked against the study's."""
    frames = []
    for meta in metas:
        path = data_file(folder, meta)
        table = read_text_table(path, parts)
        if sample_in not in table.columns:
            found = ", ".join(map(str, table.columns[:6]))
            raise InputError(f"{path.name}: no column {sample_in}; found {found}. Name the samples there.")
        table[sample_in] = table[sample_in].str.strip()
        build_in = next((c for c in ("NCBI_Build", "Ncbi_Build") if c in table.columns), None)
        if build_in is not None:
            parts.genome_build = stated_build([*table[build_in], parts.genome_build], path.name)
        frames.append(table)
    where = " + ".join(meta["data_filename"] for meta in metas)
    return pd.concat(frames, ignore_index=True).fillna(""), where


def _of_patients(table: pd.DataFrame, sample_in: str, chosen: Mapping[str, str]) -> pd.DataFrame:
    """Rows of the samples that stand for a patient, the patient's id in front."""
    patient = {sample: p for p, sample in chosen.items()}
    kept = table[table[sample_in].isin(patient)].copy()
    kept.insert(0, "patient_id", kept[sample_in].map(patient))
    return kept.reset_index(drop=True)


def add_study_segments(parts: CohortParts, folder: Path, metas: Sequence[Mapping[str, str]], samples: Samples) -> None:
    """The long table of copy-number segments (SEG).

    Raises
    ------
    InputError: no ID column, text where a position or mean is needed.
    """
    table, where = _one_table(parts, folder, metas, "ID")
    check_segments(table, where)
    parts.long_tables["segments"] = _of_patients(table, "ID", one_sample_each(samples, table["ID"], parts, where))


def add_study_mutations(
    parts: CohortParts,
    folder: Path,
    metas: Sequence[Mapping[str, str]],
    samples: Samples,
    megabases: float | None,
) -> None:
    """Long table, flags and burden of the study's MAFs.

    Raises
    ------
    InputError: a column that a MAF has is missing, mixed builds, a gene panel without its file.
    """
    table, where = _one_table(parts, folder, metas, "Tumor_Sample_Barcode")
    chosen = _profiled(parts, folder, samples, table["Tumor_Sample_Barcode"], "sequenced", where)
    panels = _panels(folder, "mutations")
    add_mutations(
        parts,
        _of_patients(table, "Tumor_Sample_Barcode", chosen),
        sorted(chosen),
        where,
        panels={p: panels[s] for p, s in chosen.items() if s in panels},
        megabases=megabases,
    )


def add_study_fusions(parts: CohortParts, folder: Path, metas: Sequence[Mapping[str, str]], samples: Samples) -> None:
    """Long table of structural variants and, where they name two genes, flags of fused genes.

    Raises
    ------
    InputError: no Sample_Id, mixed builds, a gene panel without its file.
    """
    table, where = _one_table(parts, folder, metas, "Sample_Id")
    chosen = _profiled(parts, folder, samples, table["Sample_Id"], "sv", where)
    kept = _of_patients(table, "Sample_Id", chosen)
    parts.long_tables["structural_variants"] = kept
    if not set(_GENE_PAIR) <= set(kept.columns):
        what = "rows have no gene columns; no flags of fused genes"
        parts.notes.append(ImportNote("skipped", where, what, len(kept)))
        return
    germline = kept.get("SV_Status", pd.Series("", kept.index)).str.upper() == "GERMLINE"
    five, three = (kept[column].str.strip() for column in _GENE_PAIR)
    alone = five.isin(["", "NA"]) | three.isin(["", "NA"]) | (five == three)
    for what, rows in (("are germline", germline), ("do not join two genes", alone & ~germline)):
        parts.note("skipped", where, f"structural variants {what}; not flagged", kept["patient_id"][rows].tolist())
    fused = kept[~germline & ~alone]
    pairs = pd.concat([fused[["patient_id", c]].set_axis(["patient_id", "Hugo_Symbol"], axis=1) for c in _GENE_PAIR])
    pairs["Hugo_Symbol"], notes = approved_genes(pairs["Hugo_Symbol"], where)
    parts.notes += notes
    panels = _panels(folder, "structural_variants")
    flags = mutation_flags(pairs, sorted(chosen), {p: panels[s] for p, s in chosen.items() if s in panels})
    if len(flags.columns):
        parts.blocks.append(BlockPart("fusions", BlockKind.FUSIONS, "fused 0/1", flags))


def _profiled(
    parts: CohortParts, folder: Path, samples: Samples, with_rows: pd.Series, case_list: str, where: str
) -> dict[str, str]:
    """patient -> sample, of the case list's samples and those with a row."""
    path = folder / "case_lists" / f"cases_{case_list}.txt"
    listed = read_meta(path).get("case_list_ids", "").split() if path.is_file() else []
    if not listed:
        what = f"no case list cases_{case_list}.txt; patients without any row count as not profiled"
        parts.notes.append(ImportNote("warning", where, what, 1))
    return one_sample_each(samples, [*listed, *with_rows], parts, where)


def _panels(folder: Path, profile: str) -> dict[str, frozenset[str]]:
    """sample id -> approved genes of its panel in ``profile``; samples without a panel had the exome."""
    path = folder / "data_gene_panel_matrix.txt"
    if not path.is_file():
        return {}
    matrix = read_text_table(path)
    if profile not in matrix.columns:
        return {}
    genes = {}
    for file in sorted(folder.glob("data_gene_panel_*.txt")):
        said = read_meta(file) if file != path else {}
        if "stable_id" in said:
            names = pd.Series(said.get("gene_list", "").split(), dtype=object)
            genes[said["stable_id"]] = frozenset(approved_genes(names, file.name)[0])
    named = matrix[~matrix[profile].isin(_NO_PANEL)]
    gone = sorted(set(named[profile]) - set(genes))
    if gone:
        raise InputError(f"{path.name} names gene panel {gone[0]!r}, whose data_gene_panel_ file is not there; add it.")
    return {s: genes[p] for s, p in zip(named["SAMPLE_ID"], named[profile], strict=True)}
