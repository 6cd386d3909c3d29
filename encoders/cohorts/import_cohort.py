"""The one entry: a source of any known form -> a cohort.

    import_cohort(Path("study_es_0"))                                    cBioPortal study folder (meta_study.txt)
    import_cohort(Path("gdc_download"))                                  GDC files with their sample sheet
    import_cohort(Path("cells.h5ad"))                                    AnnData; obs are clinical columns
    import_cohort(Path("vcfs"))                                          annotated VCFs, one a patient
    import_cohort(Path("omics_survival"), mapping="porpoise-blca")       any tables, through a mapping

What this module does not know: how a cohort is stored (store.py) or numbers normalised (normalise.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import h5py

from encoders.cohorts.assemble import CohortParts, assemble
from encoders.cohorts.cbioportal import import_study, is_study
from encoders.cohorts.cohort import Cohort, ImportNote
from encoders.cohorts.gdc import import_gdc, sample_sheet
from encoders.cohorts.h5ad import OBS_NAMES, X_PREFIX
from encoders.cohorts.import_tables import import_tables
from encoders.cohorts.mapping import CohortMapping, IdRule, built_in_mappings, find_mapping
from encoders.cohorts.normalised_blocks import with_batch, with_linear_told, with_log2, with_z
from encoders.cohorts.store import read_cohort_folder
from encoders.cohorts.variant_files import add_vcfs, vcf_files
from encoders.errors import InputError, SettingsError


@dataclass(frozen=True)
class ImportSettings:
    """What only the user can say.

    mapping : a shipped mapping's name or a TOML file; needed for tables, may describe an h5ad
    expression_unit : which column of GDC's STAR counts (TPM, counts, FPKM)
    exome_megabases : denominator of the mutational burden; None = none is derived
    log2 : blocks of amounts to take log2(x + 1) of
    z_references : block -> folder of another imported cohort; the block becomes z-scores against that
    batch_columns : block -> clinical column; training is asked to correct for it (ComBat on the training patients)
    msi_column, msi_tool : clinical column of a cBioPortal study that tells MSI, and how (words, MSIsensor, MANTIS)
    """

    mapping: str | None = None
    expression_unit: str = "TPM"
    exome_megabases: float | None = None
    msi_column: str | None = None
    msi_tool: str = "words"
    log2: tuple[str, ...] = ()
    z_references: Mapping[str, Path] = field(default_factory=dict)
    batch_columns: Mapping[str, str] = field(default_factory=dict)


def import_cohort(source: Path, settings: ImportSettings | None = None) -> Cohort:
    """Read a cohort.

    Raises
    ------
    InputError: the source is not there, is of no known form, or holds bad data (file, place and rule named).
    SettingsError: a mapping that is not known, a setting that the source's form has no use for, or a normalisation
        that a block does not allow.
    """
    settings = settings or ImportSettings()
    cohort = with_log2(_imported(source, settings), settings.log2)
    references = {block: read_cohort_folder(folder) for block, folder in settings.z_references.items()}
    cohort = with_z(cohort, references)
    return with_linear_told(with_batch(cohort, settings.batch_columns))


def _imported(source: Path, settings: ImportSettings) -> Cohort:
    if not source.exists():
        raise InputError(f"{source} is not there; give a cohort folder or an .h5ad file.")
    if settings.exome_megabases is not None and settings.exome_megabases <= 0:
        raise SettingsError(f"--exome-mb is {settings.exome_megabases:g}; megabases sequenced are above 0.")
    if settings.mapping is not None:
        return _import_mapped(source, settings, settings.mapping)
    if source.is_file() and source.suffix == ".h5ad":
        _only_for(settings, "an h5ad file", burden=False, msi=False)
        return import_tables(source.parent, h5ad_mapping(source))
    if source.is_dir() and is_study(source):
        msi = (settings.msi_column, settings.msi_tool) if settings.msi_column else None
        return import_study(source, megabases=settings.exome_megabases, msi=msi)
    if source.is_dir() and sample_sheet(source) is not None:
        _only_for(settings, "a GDC folder", burden=True, msi=False)
        return import_gdc(source, unit=settings.expression_unit, megabases=settings.exome_megabases)
    if source.is_dir() and vcf_files(source):
        _only_for(settings, "a folder of VCFs", burden=True, msi=False)
        return import_vcfs(source, megabases=settings.exome_megabases)
    raise InputError(
        f"{source.name} is neither a cBioPortal study (meta_study.txt), a GDC folder (sample sheet), an .h5ad file nor "
        f"a folder of VCFs; for other tables give --mapping FILE.toml or one of {', '.join(built_in_mappings())}."
    )


def _import_mapped(source: Path, settings: ImportSettings, name: str) -> Cohort:
    mapping = find_mapping(name)
    _only_for(settings, "tables without [mutations]", burden=mapping.mutations is not None, msi=False)
    if mapping.mutations is not None and settings.exome_megabases is not None:
        stated = mapping.mutations.model_copy(update={"megabases": settings.exome_megabases})
        mapping = mapping.model_copy(update={"mutations": stated})
    return import_tables(source if source.is_dir() else source.parent, mapping)


def import_vcfs(folder: Path, *, megabases: float | None = None) -> Cohort:
    """A folder of annotated VCFs, one a patient, without clinical tables: mutations and burden alone.

    Raises
    ------
    InputError: see variant_files.add_vcfs.
    """
    parts = CohortParts(name=folder.name, source=f"VCF files of {folder.name}")
    add_vcfs(parts, vcf_files(folder), IdRule(), megabases)
    what = "no clinical table, so no outcome; give one with --mapping and name the VCFs under [mutations]"
    parts.notes.append(ImportNote("warning", folder.name, what, 1))
    return assemble(parts)


def _only_for(settings: ImportSettings, form: str, *, burden: bool, msi: bool) -> None:
    """Settings nobody would read are refused, not ignored."""
    if settings.exome_megabases is not None and not burden:
        raise SettingsError(f"--exome-mb has no meaning for {form}.")
    if settings.msi_column is not None and not msi:
        raise SettingsError(f"--msi-column has no meaning for {form}; a mapping says it under [msi].")


def h5ad_mapping(path: Path) -> CohortMapping:
    """The mapping of an h5ad nobody wrote one for: obs names are patients, obs columns clinical words, X expression.

    The unit of X is not stated, and no outcome is read, because nothing in the file says which column is one.
    """
    try:
        with h5py.File(path) as stored:
            obs = stored.get("obs")
            if not isinstance(obs, h5py.Group):
                raise InputError(f"{path.name}: no obs group; write it anew with AnnData 0.7 or later.")
            columns = [str(c) for c in obs if c != obs.attrs.get("_index", "_index")]
            numbers = [c for c in columns if isinstance(obs[c], h5py.Dataset) and obs[c].dtype.kind in "fiu"]
    except OSError as error:
        raise InputError(f"{path.name}: cannot be read as HDF5: {error}. Copy it again.") from error
    clinical = [{"column": c, "name": c, "type": "number" if c in numbers else "category"} for c in columns]
    block = {"name": "expression", "kind": "expression", "prefix": X_PREFIX}
    table = {"file": path.name, "id": OBS_NAMES, "clinical": clinical, "block": [block]}
    return CohortMapping.model_validate({"name": path.stem, "table": [table]})
