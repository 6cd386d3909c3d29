"""The fusion benchmark on real cohorts. ``radomica eval fusion``; one group alone with ``--only porpoise``.

    porpoise         nine TCGA cancers, official folds, beside ridge Cox, Coxnet and a random survival forest
    second_modality  the same with a published slide-only risk as a further block
    deepsurv         METABRIC and SUPPORT, their own train and test parts
    rosmap           Alzheimer's disease from three omics blocks: early, intermediate, late fusion
    radiogenomics    UCSF-PDGM and HANCOCK with and without image features
    missing          each block absent at test time
    calibration      coverage of intervals, integrated Brier score
    attribution      completeness and deletion test of integrated gradients
    choice           the default beside baselines and networks, inside the training patients of fold 0
    time             seconds and memory of one cancer's five folds

Runs are kept in OUT/runs, one folder each: a stopped benchmark goes on where it was. Not known here: what a group
measures (its own file).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from encoders.errors import SettingsError
from eval.benchmark import SHARED_DATA, BenchmarkResult, Better, Progress, Row, chosen_groups
from eval.fusion_attribution import attribution_rows
from eval.fusion_choice import choice_rows
from eval.fusion_cohorts import deepsurv_rows, radiogenomics_rows, rosmap_rows
from eval.fusion_missing import missing_rows
from eval.fusion_page import write_page
from eval.fusion_porpoise import calibration_rows, porpoise_rows, second_modality_rows
from eval.fusion_runs import CANCERS, NO_BAR, FusionBench
from eval.fusion_time import time_rows

GROUPS: dict[str, Callable[[FusionBench], tuple[Row, ...]]] = {
    "porpoise": porpoise_rows,
    "second_modality": second_modality_rows,
    "deepsurv": deepsurv_rows,
    "rosmap": rosmap_rows,
    "radiogenomics": radiogenomics_rows,
    "missing": missing_rows,
    "calibration": calibration_rows,
    "attribution": attribution_rows,
    "choice": choice_rows,
    "time": time_rows,
}
NEEDS_RADIOGENOMICS = ("radiogenomics",)


def run_fusion(
    *,
    seed: int = 0,
    llm_spec: str = "embedded",
    shared: Path | None = None,
    only: tuple[str, ...] = (),
    out: Path | None = None,
    progress: Progress = None,
    cancers: tuple[str, ...] = CANCERS,
) -> BenchmarkResult:
    """Run the groups named in ``only`` (all by default); with ``out``, keep the runs and write fusion.md and a plot.

    cancers : of the PORPOISE tables; fewer only to try a group

    Raises
    ------
    SettingsError: ``only`` names a group, or ``cancers`` a cancer, that does not exist.
    """
    if not cancers or set(cancers) - set(CANCERS):
        raise SettingsError(f"cancers {', '.join(cancers) or 'none'}; allowed: {', '.join(CANCERS)}.")
    data, names = shared or SHARED_DATA, chosen_groups("fusion", GROUPS, only, progress)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as passing:
        bench = FusionBench(data, (out or Path(passing)) / "runs", seed, progress, cancers)
        for name in names:
            folder = "radiogenomics" if name in NEEDS_RADIOGENOMICS else "omics_survival"
            if (data / folder).is_dir():
                rows += GROUPS[name](bench)
            else:
                note = f"the shared real data (shared/data/open/{folder} beside the checkout) are not here"
                rows.append(Row(f"fusion.{name}", None, NO_BAR, Better.HIGHER, 0, 0.0, note=note))
    result = BenchmarkResult("fusion", tuple(rows), seed)
    if out is not None:
        write_page(result, out)
    return result
