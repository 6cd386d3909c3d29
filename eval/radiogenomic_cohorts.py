"""Real cohorts with image features and a molecular label (or a diagnosis) on the same patients.

One function per question reads the files and gives a ``Cohort``; ``COHORTS`` lists them with the figure each is set
beside. Nothing is fitted here. Not known here: models, folds.

An example, ``lgg.coc2``: does a lower-grade glioma of TCGA belong to the cluster-of-clusters group 2 (mostly IDH wild
type)? Features come from the MR slice with the largest tumour and its mask alone: no age, no histology.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from encoders.errors import InputError
from encoders.radiomics import RadiomicsSettings, radiomics

BRAIN_ABOVE = 10
"""A FLAIR pixel (0..255) above this is taken as brain; the background of these slices is 0 but for noise."""

SLICE_SETTINGS = RadiomicsSettings(bin_width=0.1)
"""Bins of a tenth of the median of the brain outside the tumour, to which each slice is scaled."""


@dataclass(frozen=True)
class Cohort:
    """One yes-or-no question on the patients of one cohort.

    views : name -> features (patients x columns), all with the same index, one row a patient; NaN = missing
    label : (P,) 0 or 1, in the order of the index
    left_out : patients of the files without a label or without features
    """

    views: Mapping[str, pd.DataFrame]
    label: np.ndarray
    left_out: int = 0

    def __post_init__(self) -> None:
        index = next(iter(self.views.values())).index
        if not index.is_unique:
            raise InputError(f"patient {index[index.duplicated()][0]!r} has several rows; keep one row a patient.")
        if any(not view.index.equals(index) for view in self.views.values()) or len(self.label) != len(index):
            raise InputError("the views and the label of a cohort must have the same patients in the same order.")
        if set(np.unique(self.label)) != {0, 1}:
            raise InputError(f"labels are {sorted(set(self.label.tolist()))}; both 0 and 1 must occur, nothing else.")


def _cohort(views: Mapping[str, pd.DataFrame], label: pd.Series) -> Cohort:
    """The patients with a label (0, 1; NaN = unknown) and a row in every view; features as finite numbers or NaN."""
    label = label.dropna()
    keep = label.index
    for view in views.values():
        keep = keep.intersection(view.index)
    clean = {n: v.loc[keep].astype(float).replace([np.inf, -np.inf], np.nan) for n, v in views.items()}
    known = set(label.index).union(*(v.index for v in views.values()))
    return Cohort(clean, label.loc[keep].to_numpy().astype(int), len(known) - len(keep))


def slice_features(image: np.ndarray, mask: np.ndarray) -> dict[str, float]:
    """Radiomics of one slice (Y, X, 3: before contrast, FLAIR, after contrast) inside ``mask`` (Y, X) bool.

    Each sequence is divided by the median of the brain outside the mask, because MR intensities have no unit; contrast
    uptake is the difference after - before. Lengths are in pixels. A sequence that was not acquired has a copy of FLAIR
    in its place in this data set: it, and the uptake, are left out of the result.
    """
    brain = (image[..., 1] > BRAIN_ABOVE) & ~mask
    if not brain.any():
        raise InputError("no brain is left outside the mask; the slice cannot be scaled.")
    planes = {"flair": _scaled(image[..., 1], brain)}
    for sequence, channel in (("pre", 0), ("post", 2)):
        if not np.array_equal(image[..., channel], image[..., 1]):
            planes[sequence] = _scaled(image[..., channel], brain)
    if "pre" in planes and "post" in planes:
        planes["uptake"] = planes["post"] - planes["pre"]
    found: dict[str, float] = {}
    for name, plane in planes.items():
        vector = radiomics(plane[None], mask[None], (1.0, 1.0, 1.0), SLICE_SETTINGS).to_dict()
        shape = {n: v for n, v in vector.items() if n.startswith("morph_") and n != "morph_com"}
        found |= shape | {f"{name}_{n}": v for n, v in vector.items() if n not in shape}
    return found


def _scaled(plane: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """A plane (Y, X) in units of its median over ``brain``."""
    median = float(np.median(plane[brain]))
    if median <= 0:
        raise InputError("a slice is 0 in the brain outside the mask; it cannot be scaled.")
    return plane / median


@lru_cache(maxsize=1)
def _lgg_slices(folder: Path) -> pd.DataFrame:
    """Features of every key slice, a patient a row; kept, since three questions ask for them."""
    rows = {}
    for path in sorted(folder.glob("*_mask.png")):
        mask = np.asarray(Image.open(path)) > 0
        image = np.asarray(Image.open(path.with_name(path.name.replace("_mask", ""))))
        rows[path.name.rpartition("_slice")[0]] = slice_features(image, mask)
    return pd.DataFrame.from_dict(rows, orient="index")


def read_lgg(root: Path, column: str, cluster: int) -> Cohort:
    """TCGA lower-grade glioma MR (Buda et al., Comput Biol Med 2019, 10.1016/j.compbiomed.2019.05.002)."""
    folder = root / "lgg_mri_buda2019"
    clinical = pd.read_csv(folder / "data.csv", sep=";").set_index("Patient")
    volume = pd.read_csv(folder / "derived_image_features.csv").set_index("Patient")
    known = clinical[column].dropna()
    return _cohort(
        {"all slices": volume, "key slice": _lgg_slices(folder / "key_slices")}, (known == cluster).astype(float)
    )


def read_ucsf(root: Path, column: str, positive: Callable[[str], float]) -> Cohort:
    """UCSF-PDGM (Calabrese et al., Radiol Artif Intell 2022, 10.1148/ryai.220058): T1 post-contrast, whole tumour."""
    folder = root / "ucsf_pdgm"
    clinical = pd.read_csv(folder / "UCSF-PDGM-metadata_v2.csv").set_index("ID")
    table = pd.read_csv(folder / "radiomic_features_T1gad_bias.csv").set_index("ID").filter(regex="^original_")
    return _cohort({"T1 post-contrast": table}, clinical[column].dropna().map(positive))


def read_tcga_idh(root: Path) -> Cohort:
    """TCGA glioblastoma and lower-grade glioma (Bakas et al., Sci Data 2017, 10.1038/sdata.2017.117), IDH1 mutated."""
    folder = root / "tcga_glioma"
    tables = [pd.read_csv(folder / f"TCGA_{kind}_radiomicFeatures.csv") for kind in ("GBM", "LGG")]
    both = pd.concat(tables, join="inner").set_index("ID").drop(columns="Date")
    mutations = pd.read_csv(folder / "TCGA_GBM_LGG_Mutations_all.csv", encoding="utf-8-sig").set_index("Case_ID")
    label = mutations["IDH1"].map({"MUTATED": 1.0, "NOT_MUTATED": 0.0})
    return _cohort({"BraTS regions": both.apply(pd.to_numeric, errors="coerce")}, label)


def read_upenn_mgmt(root: Path) -> Cohort:
    """UPENN-GBM (Bakas et al., Sci Data 2022, 10.1038/s41597-022-01560-7): MGMT methylated, 4,752 CaPTk features."""
    table = pd.read_csv(root / "upenn_gbm" / "XY_mgmt_59pts_4753feat.csv").set_index("ID")
    return _cohort({"CaPTk": table.drop(columns="y_mgmt")}, table["y_mgmt"].astype(float))


def read_worc(root: Path, name: str, positive: str) -> Cohort:
    """WORC (Starmans et al., medRxiv 2021, 10.1101/2021.08.19.21262238), PREDICT radiomics; label is a diagnosis."""
    table = pd.read_csv(root / "worc" / f"{name}_radiomicFeatures.csv").set_index("ID")
    return _cohort({"PREDICT": table.drop(columns="label")}, (table["label"] == positive).astype(float))


def _idh(status: str) -> float:
    return float(status != "wildtype")


def _mgmt(status: str) -> float:
    return {"positive": 1.0, "negative": 0.0}.get(status, np.nan)


@dataclass(frozen=True)
class Question:
    """A cohort's reader with the figure it is set beside.

    bar : AUC to reach; None = no comparable figure is known, the row is reported without one
    reference : where the bar comes from, or what is known beside it
    """

    id: str
    read: Callable[[Path], Cohort]
    bar: float | None
    reference: str


QUESTIONS: tuple[Question, ...] = (
    Question("lgg.coc2", lambda r: read_lgg(r, "COCCluster", 2), 0.80, "baseline on all 110 patients, 5 folds: .80"),
    Question("lgg.rna2", lambda r: read_lgg(r, "RNASeqCluster", 2), 0.76, "baseline on all 110 patients, 5 folds: .76"),
    Question(
        "lgg.methylation4",
        lambda r: read_lgg(r, "MethylationCluster", 4),
        0.77,
        "baseline on all 110 patients, 5 folds: .77",
    ),
    Question(
        "ucsf.idh",
        lambda r: read_ucsf(r, "IDH", _idh),
        0.90,
        "baseline fitted here, scored on the other third of the cohort: .903; age alone .957",
    ),
    Question("ucsf.mgmt", lambda r: read_ucsf(r, "MGMT status", _mgmt), None, "baseline: chance"),
    Question("tcga.idh1", read_tcga_idh, None, "no figure known; grade goes with IDH, so both cohorts together help"),
    Question("upenn.mgmt", read_upenn_mgmt, None, "no figure known; 59 patients"),
    Question("worc.gist", lambda r: read_worc(r, "GIST", "GIST"), None, "no figure known; a diagnosis, not a gene"),
    Question("worc.head_and_neck", lambda r: read_worc(r, "HN", "T34"), None, "no figure known; T3-4 against T1-2"),
)
