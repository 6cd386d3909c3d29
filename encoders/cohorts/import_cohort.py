"""The one entry: a source of any known form -> a cohort.

    import_cohort(Path("study_es_0"))                                    cBioPortal study folder (meta_study.txt)
    import_cohort(Path("gdc_download"))                                  GDC files with their sample sheet
    import_cohort(Path("cells.h5ad"))                                    AnnData; obs are clinical columns
    import_cohort(Path("omics_survival"), mapping="porpoise-blca")       any tables, through a mapping

What this module does not know: how a cohort is stored (store.py) or normalised (normalise.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import h5py

from encoders.cohorts.cbioportal import import_study, is_study
from encoders.cohorts.cohort import Cohort
from encoders.cohorts.gdc import import_gdc, sample_sheet
from encoders.cohorts.h5ad import OBS_NAMES, X_PREFIX
from encoders.cohorts.import_tables import import_tables
from encoders.cohorts.mapping import CohortMapping, built_in_mappings, find_mapping
from encoders.errors import InputError, SettingsError


@dataclass(frozen=True)
class ImportSettings:
    """What only the user can say.

    mapping : a shipped mapping's name or a TOML file; needed for tables, may describe an h5ad
    expression_unit : which column of GDC's STAR counts (TPM, counts, FPKM)
    exome_megabases : denominator of the mutational burden; None = none is derived
    msi_column, msi_tool : clinical column of a cBioPortal study that tells MSI, and how (words, MSIsensor, MANTIS)
    """

    mapping: str | None = None
    expression_unit: str = "TPM"
    exome_megabases: float | None = None
    msi_column: str | None = None
    msi_tool: str = "words"


def import_cohort(source: Path, settings: ImportSettings | None = None) -> Cohort:
    """Read a cohort.

    Raises
    ------
    InputError: the source is not there, is of no known form, or holds bad data (file, place and rule named).
    SettingsError: a mapping that is not known, or a setting that the source's form has no use for.
    """
    settings = settings or ImportSettings()
    if not source.exists():
        raise InputError(f"{source} is not there; give a cohort folder or an .h5ad file.")
    if settings.exome_megabases is not None and settings.exome_megabases <= 0:
        raise SettingsError(f"--exome-mb is {settings.exome_megabases:g}; megabases sequenced are above 0.")
    if settings.mapping is not None:
        _only_for(settings, "a mapped table", burden=False, msi=False)
        folder = source if source.is_dir() else source.parent
        return import_tables(folder, find_mapping(settings.mapping))
    if source.is_file() and source.suffix == ".h5ad":
        _only_for(settings, "an h5ad file", burden=False, msi=False)
        return import_tables(source.parent, h5ad_mapping(source))
    if source.is_dir() and is_study(source):
        msi = (settings.msi_column, settings.msi_tool) if settings.msi_column else None
        return import_study(source, megabases=settings.exome_megabases, msi=msi)
    if source.is_dir() and sample_sheet(source) is not None:
        _only_for(settings, "a GDC folder", burden=True, msi=False)
        return import_gdc(source, unit=settings.expression_unit, megabases=settings.exome_megabases)
    raise InputError(
        f"{source.name} is neither a cBioPortal study (meta_study.txt), a GDC folder (sample sheet) nor an .h5ad file; "
        f"for other tables give --mapping FILE.toml or one of {', '.join(built_in_mappings())}."
    )


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
