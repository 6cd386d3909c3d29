"""The fusion benchmark: hand-counted intervals, runs that are kept, rows that say what they are, a real cohort."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from encoders.cohort_models import metrics
from encoders.cohort_models.baselines import BASELINES
from encoders.cohort_runs.cross_validation import DEFAULT_MODEL, folds_of
from encoders.cohorts.cohort import Block, BlockKind, Cohort, ColumnSpec, ColumnType, Endpoint
from encoders.errors import ContractError, InputError, SettingsError
from eval.benchmark import BenchmarkResult, Better, Row
from eval.fusion import GROUPS, run_fusion
from eval.fusion_attribution import FoldDeletion, deletion_test, gene_blocks, rows_of
from eval.fusion_cohorts import as_one_block, only_clinical
from eval.fusion_fold_model import fold_model
from eval.fusion_missing import without_each_block
from eval.fusion_page import table_text
from eval.fusion_porpoise import _baseline_row, _cancer_row, with_histology
from eval.fusion_runs import (
    DEATH,
    FinishedRun,
    FusionBench,
    finished_run,
    mean_of_independent,
    paired_difference,
    student_interval,
)
from eval.run import BENCHMARKS

OPEN = Path(__file__).parents[3] / "shared/data/open"
needs_data = pytest.mark.skipif(
    not (OPEN / "omics_survival").is_dir(), reason="shared/data/open/omics_survival is not on this machine"
)
PATIENTS = 90


def made_cohort() -> Cohort:
    """90 patients; the risk rests on two of 40 expression columns and on age; mutations say nothing."""
    rng = np.random.default_rng(3)
    ids = tuple(f"P{n:02d}" for n in range(PATIENTS))
    expression, age = rng.normal(size=(PATIENTS, 40)), rng.normal(size=PATIENTS)
    months = rng.exponential(20.0 * np.exp(-1.2 * expression[:, 0] - 0.8 * expression[:, 1] - 0.6 * age))
    seen = rng.uniform(5.0, 120.0, PATIENTS)
    mutations = (rng.random((PATIENTS, 6)) < 0.3).astype(np.float32)
    return Cohort(
        "made",
        "tests",
        pd.DataFrame({"age_years": 60 + 10 * age}, index=pd.Index(ids, name="patient_id")),
        {"age_years": ColumnSpec(ColumnType.NUMBER, "years")},
        {
            "expression": Block(
                BlockKind.EXPRESSION, ids, tuple(f"G{n}" for n in range(40)), expression.astype(np.float32)
            ),
            "mutations": Block(BlockKind.MUTATIONS, ids, tuple(f"M{n}" for n in range(6)), mutations),
        },
        endpoints={"OS": Endpoint("OS", ids, np.minimum(months, seen), months <= seen)},
    )


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return made_cohort()


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> FusionBench:
    return FusionBench(Path("nowhere"), tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def run(cohort: Cohort, bench: FusionBench) -> FinishedRun:
    return finished_run(bench, cohort, DEATH, "made", models=(DEFAULT_MODEL, "ridge Cox"))


def test_mean_of_two_independent_figures_by_hand():
    mean, (low, high) = mean_of_independent([0.6, 0.8], [(0.57, 0.64), (0.76, 0.83)])
    assert mean == pytest.approx(0.7)
    assert low == pytest.approx(0.7 - 0.05 / 2)  # sqrt(.03^2 + .04^2) = .05
    assert high == pytest.approx(0.7 + 0.05 / 2)


def test_mean_of_nothing_is_refused():
    with pytest.raises(InputError, match="at least one"):
        mean_of_independent([], [])


def test_student_interval_by_hand():
    # mean 2, sd 1, n 3: 2 +- 4.302653 / sqrt(3)
    low, high = student_interval(np.array([1.0, 2.0, 3.0, np.nan]))
    assert (low, high) == pytest.approx((2 - 2.484138, 2 + 2.484138), abs=1e-5)
    with pytest.raises(InputError, match="at least 2"):
        student_interval(np.array([1.0, np.nan]))


def test_finished_run_is_read_again_and_not_made_again(
    cohort: Cohort, bench: FusionBench, run: FinishedRun, monkeypatch: pytest.MonkeyPatch
):
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("the run was made a second time")

    monkeypatch.setattr("eval.fusion_runs.train_on_cohort", fail)
    again = finished_run(bench, cohort, DEATH, "made", models=(DEFAULT_MODEL, "ridge Cox"))
    assert again.figures == run.figures
    assert again.seconds == run.seconds
    assert again.scores().equals(run.scores())


def test_a_run_of_other_blocks_is_refused(cohort: Cohort, bench: FusionBench, run: FinishedRun):
    with pytest.raises(SettingsError, match="another blocks"):
        finished_run(bench, cohort, DEATH, "made", models=(DEFAULT_MODEL, "ridge Cox"), blocks=("expression",))


def test_a_run_of_another_commit_says_so(cohort: Cohort, bench: FusionBench, run: FinishedRun):
    marker = bench.runs / "made.finished.json"
    before = marker.read_text(encoding="utf-8")
    marker.write_text(json.dumps({**json.loads(before), "commit": "abc1234", "folds_read": 2}), encoding="utf-8")
    try:
        again = finished_run(bench, cohort, DEATH, "made", models=(DEFAULT_MODEL, "ridge Cox"))
    finally:
        marker.write_text(before, encoding="utf-8")
    assert "abc1234" in again.note
    assert "2 folds" in again.note


def test_fold_model_is_the_model_the_run_had(cohort: Cohort, run: FinishedRun):
    split = folds_of(cohort, DEATH)[1]
    fold = fold_model(cohort, run, split)
    score = fold.model.score(fold.held)
    kept = run.predictions.query("fold == @split.fold and model == @DEFAULT_MODEL")["score"].to_numpy()
    slope = kept.std() / score.std()
    np.testing.assert_allclose(kept, slope * score, rtol=1e-3, atol=1e-3)
    assert metrics.concordance(fold.months[1], fold.event[1], score) == pytest.approx(run.fold_values()[1], abs=1e-6)


def test_fold_model_refuses_weights_of_other_effects(cohort: Cohort, run: FinishedRun):
    split = folds_of(cohort, DEATH)[0]
    strange = replace(run, weights={split.fold: {f"{n}, linear": 1.0 for n in "abcdef"}})
    with pytest.raises(ContractError, match="a, linear"):
        fold_model(cohort, strange, split)


def test_difference_of_a_run_to_itself_is_0(run: FinishedRun):
    gap = paired_difference(run, run, seed=0)
    assert gap.mean == 0
    assert gap.interval == (0, 0)
    assert (gap.n, gap.unpaired) == (PATIENTS, 0)


def test_difference_pairs_by_patient_not_by_row(run: FinishedRun):
    shuffled = replace(run, predictions=run.predictions.sample(frac=1.0, random_state=1))
    assert paired_difference(run, shuffled, seed=0).mean == 0


def test_difference_counts_predictions_without_a_partner(run: FinishedRun):
    own = run.predictions[run.predictions["model"] == DEFAULT_MODEL]
    fewer = replace(run, predictions=own.iloc[3:])
    gap = paired_difference(run, fewer, seed=0)
    assert (gap.n, gap.unpaired) == (PATIENTS - 3, 3)


def test_difference_against_turned_scores_by_hand(run: FinishedRun):
    turned = replace(run, predictions=run.predictions.assign(score=-run.predictions["score"]))
    # without ties C of the turned score is 1 - C
    assert paired_difference(run, turned, seed=0).mean == pytest.approx(2 * run.mean() - 1, abs=1e-9)


def test_taking_a_block_away_is_like_never_having_had_it(cohort: Cohort, run: FinishedRun):
    fold = fold_model(cohort, run, folds_of(cohort, DEATH)[0])
    gaps, left_out = without_each_block(fold)
    assert set(gaps) == {"clinical", "expression", "mutations"}
    assert left_out == 0
    assert max(abs(g) for g in gaps.values()) < 0.05


def test_patients_with_no_other_block_are_counted(cohort: Cohort, run: FinishedRun):
    fold = fold_model(cohort, run, folds_of(cohort, DEATH)[0])
    held = {name: values.copy() for name, values in fold.held.items()}
    held["expression"][0] = held["mutations"][0] = np.nan
    _, left_out = without_each_block(replace(fold, held=held))
    assert left_out == 1  # when the clinical block is taken too


def test_deleting_attributed_genes_moves_the_score_more_than_random_ones(cohort: Cohort, run: FinishedRun):
    fold = fold_model(cohort, run, folds_of(cohort, DEATH)[0])
    found = deletion_test(fold, gene_blocks(cohort), seed=0)
    assert found.error.sum() < 0.01 * found.explained.sum()
    assert found.moved_by_top.mean() > 2 * found.moved_by_random.mean()


def test_a_model_without_gene_blocks_has_no_deletion_test(cohort: Cohort, run: FinishedRun):
    fold = fold_model(cohort, run, folds_of(cohort, DEATH)[0])
    with pytest.raises(InputError, match="no gene block"):
        deletion_test(fold, (), seed=0)


def test_attribution_rows_by_hand():
    def fold(c_top: float) -> FoldDeletion:
        two = np.array([1.0, 1.0])
        return FoldDeletion(0.001 * two, two, 4 * two, two, 0.70, c_top, 0.69)

    rows = {row.id.rpartition(".")[2]: row for row in rows_of([fold(0.66), fold(0.64)], seconds=1.0, seed=0)}
    assert rows["completeness_error"].value == pytest.approx(0.001)
    assert rows["top_over_random_shift"].value == pytest.approx(4.0)
    # falls .04 and .06, random .01: (.05 - 3 * .01)
    assert rows["c_index_fall_less_3_random"].value == pytest.approx(0.02)
    assert all(row.ok for row in rows.values())


def test_as_one_block_keeps_every_number(cohort: Cohort):
    one = as_one_block(cohort)
    assert list(one.blocks) == ["all"]
    assert one.blocks["all"].values.shape == (PATIENTS, 46)
    assert one.blocks["all"].features[40] == "mutations:M0"
    np.testing.assert_array_equal(one.blocks["all"].values[:, 40:], cohort.blocks["mutations"].values)


def test_only_clinical_leaves_the_blocks(cohort: Cohort):
    two = replace(
        cohort,
        clinical=cohort.clinical.assign(grade=1.0),
        columns={**cohort.columns, "grade": ColumnSpec(ColumnType.NUMBER)},
    )
    assert list(only_clinical(two, ("age_years",)).columns) == ["age_years"]
    assert only_clinical(two, ("age_years",)).blocks == two.blocks


def test_with_histology_keeps_the_one_slide_only_risk(cohort: Cohort):
    ids = cohort.patient_ids
    values = np.arange(3 * PATIENTS, dtype=np.float32).reshape(PATIENTS, 3)
    risks = Block(BlockKind.RISK_SCORES, ids, ("DeepSets", "AMIL", "DeepAttnMISL"), values)
    one = with_histology(replace(cohort, blocks={**cohort.blocks, "histology_risk": risks}))
    assert one.blocks["histology_risk"].features == ("AMIL",)
    assert one.blocks["histology_risk"].values[:, 0].tolist() == values[:, 1].tolist()
    assert set(one.blocks) == {"expression", "mutations", "histology_risk"}


def _said(by_fold: dict[str, list[float]]) -> FinishedRun:
    models = {
        name: {
            "mean": float(np.mean(values)),
            "interval": [0.5, 0.8],
            "by_fold": values,
            "default_minus_this": float(np.mean(np.subtract(by_fold[DEFAULT_MODEL], values))),
            "default_minus_this_interval": [-0.01, 0.03],
        }
        for name, values in by_fold.items()
    }
    table = pd.DataFrame({"patient_id": ["a", "b"], "fold": ["0", "1"], "model": DEFAULT_MODEL, "score": [0.0, 1.0]})
    return FinishedRun(None, DEATH, {"models": models}, table, {}, {}, 1.0)


def test_a_baseline_is_beaten_only_when_the_whole_interval_is_above_0():
    baseline = [0.60, 0.62, 0.64]
    clear = _said({DEFAULT_MODEL: [0.65, 0.66, 0.69], "ridge Cox": baseline})
    mixed = _said({DEFAULT_MODEL: [0.70, 0.60, 0.65], "ridge Cox": baseline})
    assert _baseline_row("ridge Cox", {"x": clear}, 2, 1.0).ok
    row = _baseline_row("ridge Cox", {"x": mixed}, 2, 1.0)
    assert not row.ok
    assert row.value == row.interval[0]
    assert "+0.0300" in row.note  # mean difference of .10, -.02, .01


def test_a_cancer_may_be_02_below_its_ridge_cox_and_no_more():
    others = {name: [0.60, 0.60] for name in BASELINES}
    assert _cancer_row("paad", _said({DEFAULT_MODEL: [0.585, 0.585], **others})).ok
    assert not _cancer_row("paad", _said({DEFAULT_MODEL: [0.575, 0.575], **others})).ok


def test_table_shows_what_was_not_measured():
    rows = (
        Row("fusion.a", None, 0.5, Better.HIGHER, 0, 0.0, note="no data"),
        Row("fusion.b", 0.6, 0.5, Better.HIGHER, 9, 2.0, interval=(0.55, 0.65)),
    )
    text = table_text(BenchmarkResult("fusion", rows, 0))
    assert "| fusion.a | not measured |  | 0 | >= 0.5 | no | 0 |" in text
    assert "| fusion.b | 0.6000 | 0.5500 to 0.6500 | 9 | >= 0.5 | yes | 2 |" in text
    assert "- fusion.a: no data" in text


def test_without_the_data_every_group_says_so(tmp_path: Path):
    result = run_fusion(shared=tmp_path, out=tmp_path / "out")
    assert [row.id for row in result.rows] == [f"fusion.{name}" for name in GROUPS]
    assert all(row.value is None and "not here" in row.note for row in result.rows)
    assert result.exit_code == 1
    assert (tmp_path / "out" / "fusion.md").is_file()


def test_unknown_names_are_refused_at_once():
    with pytest.raises(SettingsError, match="porpoise"):
        run_fusion(only=("porpose",))
    with pytest.raises(SettingsError, match="paad"):
        run_fusion(cancers=("luad",))


def test_it_is_registered():
    assert BENCHMARKS["fusion"] is run_fusion


@needs_data
def test_slide_only_risks_lie_in_the_folds_they_were_left_out_of():
    """The second modality must not have been trained on the patients it is tested on."""
    bench = FusionBench(OPEN, Path("unused"))
    cohort = bench.cohort("omics_survival", "porpoise-mcat-ucec")
    risks = pd.read_csv(OPEN / "omics_survival/mcat_published_risks/tcga_ucec_val_risks.csv")
    made_in = dict(zip(risks["case_id"], risks["fold"].astype(str), strict=True))
    folds = folds_of(cohort, DEATH)
    held = {p: split.fold for split in folds for p in split.ids("validation")}
    assert len(held) == len(made_in)
    assert all(made_in[p] == fold for p, fold in held.items())
    assert with_histology(cohort).blocks["histology_risk"].features == ("AMIL",)
