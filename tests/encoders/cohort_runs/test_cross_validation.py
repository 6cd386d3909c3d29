"""Models by name and tasks of every kind: what is predicted, by whom, with which figure, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sksurv.metrics import concordance_index_censored

from app.cli import run_command
from encoders.cohort_models.baselines import BASELINES
from encoders.cohort_models.label_baselines import LABEL_BASELINES
from encoders.cohort_networks import train_network
from encoders.cohort_networks.networks import NETWORKS
from encoders.cohort_runs.binary_fits import response_score
from encoders.cohort_runs.cross_validation import DEFAULT_MODEL, folds_of, run_fold
from encoders.cohort_runs.models import (
    FitOptions,
    check_options,
    choose_models,
    model_entries,
    network_settings,
)
from encoders.cohort_runs.run_folder import RunSettings, train_on_cohort
from encoders.cohort_runs.saved_network import read_network
from encoders.cohort_runs.task_figures import GRADE_CONCORDANCE, MEAN_AUC, grade_concordance, summarise_task
from encoders.cohort_runs.tasks import (
    LabelsTask,
    Outcome,
    ResponseTask,
    Task,
    TaskKind,
    outcome_of,
    read_task,
    with_weights,
)
from encoders.cohorts.cohort import Block, BlockKind, Cohort, ColumnSpec, ColumnType, Endpoint
from encoders.cohorts.store import write_cohort_folder
from encoders.errors import InputError, SettingsError, UnavailableError

QUICK = FitOptions(epochs=3)
LABELS = read_task("IDH=mutated,MGMT=methylated")
PATIENTS = 90


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    """90 patients, 12 genes; gene A carries survival, IDH and response, gene B MGMT, known in two thirds."""
    rng = np.random.default_rng(0)
    ids = tuple(f"P{i:03d}" for i in range(PATIENTS))
    genes = rng.normal(size=(PATIENTS, 12)).astype(np.float32)
    months, censored = rng.exponential(20 * np.exp(-1.5 * genes[:, 0])), rng.exponential(60, PATIENTS)
    mgmt = np.where(genes[:, 1] > 0, "methylated", "unmethylated").astype(object)
    mgmt[::3] = None
    response = np.array(["PD", "SD", "PR", "CR"])[np.digitize(genes[:, 0], [-0.7, 0.0, 0.7])].astype(object)
    response[:2] = "Not evaluable", "partial response"
    return Cohort(
        name="made",
        source="made for a test",
        clinical=pd.DataFrame(
            {"age_years": rng.integers(40, 80, PATIENTS).astype(float), "trust": rng.uniform(0, 1, PATIENTS)}, index=ids
        ),
        columns={"age_years": ColumnSpec(ColumnType.NUMBER, "years"), "trust": ColumnSpec(ColumnType.NUMBER)},
        blocks={
            "expression": Block(BlockKind.EXPRESSION, ids, tuple("ABCDEFGHIJKL"), genes),
            "protein": Block(BlockKind.PROTEIN, ids[:80], ("p", "q"), rng.normal(size=(80, 2)).astype(np.float32)),
        },
        endpoints={"OS": Endpoint("OS", ids, np.minimum(months, censored), months <= censored)},
        labels=pd.DataFrame(
            {"IDH": np.where(genes[:, 0] > 0, "mutated", "wild type"), "MGMT": mgmt, "BOR": response}, index=ids
        ),
    )


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("OS", TaskKind.SURVIVAL),
        ("IDH=mutated", TaskKind.LABEL),
        ("IDH=mutated,MGMT=methylated", TaskKind.LABELS),
        ("response: BOR", TaskKind.RESPONSE),
    ],
)
def test_a_task_is_of_one_kind(text, kind):
    assert read_task(text).kind is kind


def test_a_comma_within_a_word_does_not_part_labels():
    task = read_task("site=lung, left|lung, right,IDH=mutated")
    assert task.labels == (Task("site", ("lung, left", "lung, right")), Task("IDH", ("mutated",)))
    assert read_task("site=lung, left") == Task("site", ("lung, left",))


@pytest.mark.parametrize(
    ("text", "says"),
    [("response:", "name the label column"), ("IDH=a,IDH=b", "IDH twice"), ("OS,IDH=mutated", "positive words")],
)
def test_half_written_tasks_are_refused(text, says):
    with pytest.raises(InputError, match=says):
        read_task(text)


def test_labels_keep_every_patient_known_in_any_and_absent_ones_stay_absent(cohort):
    outcome = outcome_of(cohort, LABELS)
    assert outcome.labels.shape == (PATIENTS, 2)
    assert np.isnan(outcome.labels[:, 1]).sum() == 30
    assert outcome.smallest_group() == min((outcome.labels[:, i] == v).sum() for i in (0, 1) for v in (0, 1))


def test_response_words_become_grades_and_what_says_nothing_is_counted(cohort):
    outcome = outcome_of(cohort, ResponseTask("BOR"))
    assert outcome.left_out == 1
    assert "P000" not in outcome.patient_ids
    assert outcome.grade[outcome.patient_ids.index("P001")] == 2  # "partial response"
    np.testing.assert_array_equal(outcome.event, outcome.grade >= 2)
    with pytest.raises(InputError, match=r"holds methylated, unmethylated; allowed: PD, SD, PR, CR"):
        outcome_of(cohort, ResponseTask("MGMT"))


@pytest.mark.parametrize("task", [LABELS, ResponseTask("BOR")])
def test_every_patient_is_held_out_once_and_groups_are_spread_over_folds(cohort, task):
    outcome, folds = outcome_of(cohort, task), folds_of(cohort, task)
    assert sorted(p for f in folds for p in f.ids("test")) == sorted(outcome.patient_ids)
    of = dict(zip(outcome.patient_ids, outcome.event, strict=True))
    shares = [np.mean([of[p] for p in f.ids("test")]) for f in folds]
    assert max(shares) - min(shares) < 0.12


def test_a_rare_grade_is_pooled_so_that_folds_can_be_made():
    grade = np.array([0] * 20 + [1] * 20 + [2] * 3 + [3] * 2)
    outcome = Outcome(tuple(map(str, range(45))), np.full(45, np.nan), grade >= 2, grade=grade)
    assert sorted(np.unique(outcome.strata(), return_counts=True)[1].tolist()) == [5, 20, 20]
    three = replace(outcome, grade=np.where(grade == 3, 0, grade))  # 22, 20, 3: the three join the largest
    assert sorted(np.unique(three.strata(), return_counts=True)[1].tolist()) == [20, 25]


def test_every_network_and_baseline_is_known_by_name():
    names = [entry.name for entry in model_entries()]
    assert names == [DEFAULT_MODEL, *BASELINES, *LABEL_BASELINES, *NETWORKS]
    assert all(entry.source for entry in model_entries())


def test_the_own_model_is_the_network_named_first_and_baselines_are_always_there():
    survival = TaskKind.SURVIVAL
    assert choose_models((), survival) == (DEFAULT_MODEL, *BASELINES)
    assert choose_models(["PATHWAY,  late"], TaskKind.LABEL) == ("pathway, late", DEFAULT_MODEL, *LABEL_BASELINES)
    assert choose_models(["ridge cox", "SNN, late"], survival)[0] == DEFAULT_MODEL
    assert choose_models(["networks"], survival, baselines=False) == (DEFAULT_MODEL, *NETWORKS)
    assert set(choose_models(["all"], survival)) == {DEFAULT_MODEL, *BASELINES, *NETWORKS}


def test_an_unknown_model_is_refused_with_every_name():
    with pytest.raises(InputError, match=r"no model 'SNN'.*ridge Cox.*pathway transformer, attention.*networks"):
        choose_models(["SNN"], TaskKind.SURVIVAL)
    with pytest.raises(InputError, match=r"no model 'ridge Cox' for this task \(label\)"):
        choose_models(["ridge Cox"], TaskKind.LABEL)


@pytest.mark.parametrize(
    ("models", "kind", "options", "says"),
    [
        ((DEFAULT_MODEL,), TaskKind.SURVIVAL, FitOptions(loss="discrete hazard"), "loss is for networks"),
        ((DEFAULT_MODEL,), TaskKind.SURVIVAL, FitOptions(align=("a", "b")), "align is for networks"),
        (("SNN, late",), TaskKind.SURVIVAL, FitOptions(align=("a", "b")), "'SNN, late' cannot align"),
        (("SNN, gated",), TaskKind.LABEL, FitOptions(loss="discrete hazard"), "for a label task"),
    ],
)
def test_options_nobody_could_follow_are_refused_before_anything_is_fitted(models, kind, options, says):
    with pytest.raises(SettingsError, match=says):
        check_options(models, kind, options)


def test_options_reach_the_network():
    settings = network_settings("SNN, hybrid", FitOptions(align=("a", "b"), epochs=7, seed=3))
    assert (settings.align, settings.training.epochs, settings.training.seed) == (("a", "b"), 7, 3)
    with pytest.raises(SettingsError, match="allowed: cox, discrete hazard"):
        FitOptions(loss="hazard")


@pytest.mark.parametrize(
    ("task", "models"),
    [
        (Task("OS"), ("SNN, early", "ridge Cox")),
        (Task("IDH", ("mutated",)), ("SNN, late", "random forest")),
        (LABELS, ("SNN, attention", "elastic-net logistic")),
        (ResponseTask("BOR"), ("SNN, gated", "ridge logistic")),
    ],
    ids=lambda value: getattr(value, "kind", None),
)
def test_every_kind_of_task_is_predicted_by_every_kind_of_model(cohort, task, models):
    split = folds_of(cohort, task)[0]
    run = run_fold(cohort, task, split, models=(DEFAULT_MODEL, *models), options=QUICK)
    held = list(split.ids("test"))
    labels = [one.name for one in task.labels] if isinstance(task, LabelsTask) else [None]
    outcome = outcome_of(cohort, task)
    at = [outcome.patient_ids.index(p) for p in held]
    for name in (DEFAULT_MODEL, *models):
        mine = run.table[run.table.model == name]
        assert list(mine.patient_id) == held * len(labels)
        assert np.isfinite(mine.score).all()
    default = run.table[run.table.model == DEFAULT_MODEL]
    if isinstance(task, LabelsTask):
        assert list(dict.fromkeys(default.label)) == labels
        for i, label in enumerate(labels):
            truth, score = outcome.labels[at, i], default[default.label == label].score.to_numpy()
            assert score[truth == 1].mean() > score[truth == 0].mean()
    else:
        sign = -1 if task.is_survival else 1
        signal = sign * cohort.aligned("expression", held)[:, 0] * (-1 if not task.is_survival else 1)
        assert np.corrcoef(default.score, -signal)[0, 1] > 0.5


def test_discrete_hazard_gives_other_scores_than_cox(cohort):
    split = folds_of(cohort, Task("OS"))[0]
    scores = [
        run_fold(cohort, Task("OS"), split, models=("SNN, early",), options=replace(QUICK, loss=loss)).table.score
        for loss in ("cox", "discrete hazard")
    ]
    assert not np.allclose(*scores)


def test_response_leaves_out_thresholds_with_too_few_patients_and_says_which():
    grade = np.array([0] * 10 + [1] * 10 + [2] * 3)
    seen = []

    def fit(_train, label, new, _weight):
        seen.append(int(label.sum()))
        return np.full(len(new["x"]), float(label.sum()))

    score, left_out = response_score(fit, {"x": np.zeros((23, 1))}, grade, {"x": np.zeros((2, 1))}, None)
    assert seen == [13]  # SD or better; 3 are PR or better, none CR
    assert score.tolist() == [13.0, 13.0]
    assert left_out == ("PR or better", "CR or better")
    with pytest.raises(InputError, match="PD 20, SD 3, PR 0, CR 0"):
        response_score(fit, {"x": np.zeros((23, 1))}, np.repeat([0, 1], [20, 3]), {"x": np.zeros((2, 1))}, None)


def test_grade_concordance_by_hand_and_as_scikit_survival_has_it():
    # pairs of different grade: (1,0) right, (2,0) right, (2,1) tied -> 2.5 of 3
    assert grade_concordance(np.array([0, 1, 2]), np.array([0.1, 0.4, 0.4])) == pytest.approx(2.5 / 3)
    assert np.isnan(grade_concordance(np.array([1, 1]), np.array([0.0, 1.0])))
    rng = np.random.default_rng(0)
    grade, score = rng.integers(0, 4, 50), rng.integers(0, 9, 50).astype(float)
    known = concordance_index_censored(np.ones(50, bool), grade.astype(float), -score)[0]
    assert grade_concordance(grade, score) == pytest.approx(known)


def test_labels_are_judged_where_they_are_known_by_hand():
    nan = np.nan
    labels = np.array([[1, nan], [0, 1], [1, 0], [0, 0]], float)
    outcome = Outcome(tuple("abcd"), np.full(4, nan), np.array([True, True, True, False]), labels=labels)
    scores = {"IDH": [2.0, 1.0, 0.0, -1.0], "MGMT": [9.0, 1.0, 0.0, -1.0]}
    table = pd.concat(
        [
            pd.DataFrame({"patient_id": list("abcd"), "fold": "0", "model": DEFAULT_MODEL, "label": n, "score": s})
            for n, s in scores.items()
        ]
    )
    found = summarise_task(outcome, table, LABELS)
    assert found["figure"] == MEAN_AUC
    model = found["models"][DEFAULT_MODEL]
    assert model["figures"]["AUC of IDH"]["mean"] == pytest.approx(0.75)  # of 4 pairs, c below b is wrong
    assert model["figures"]["AUC of MGMT"]["mean"] == pytest.approx(1.0)  # a is not known and does not count
    assert model["mean"] == pytest.approx(0.875)


def test_a_figure_no_fold_has_is_null_and_counted(cohort):
    grade = np.array([0, 0, 1, 1])
    outcome = Outcome(tuple("abcd"), np.full(4, np.nan), grade >= 2, grade=grade)
    table = pd.DataFrame({"patient_id": list("abcd"), "fold": "0", "model": DEFAULT_MODEL, "score": [0.0, 1, 2, 3]})
    found = summarise_task(outcome, table, ResponseTask("BOR"))
    assert found["figure"] == GRADE_CONCORDANCE
    assert found["models"][DEFAULT_MODEL]["mean"] == 1.0
    objective = found["models"][DEFAULT_MODEL]["figures"]["AUC of objective response"]
    assert (objective["mean"], objective["folds_without"]) == (None, 1)


def test_weights_are_read_checked_and_never_an_input(cohort):
    outcome = outcome_of(cohort, Task("OS"))
    weighted = with_weights(outcome, cohort, "trust")
    assert weighted.weight.tolist() == cohort.clinical["trust"].tolist()
    with pytest.raises(InputError, match="no clinical number column 'risk' for the weights; it has age_years, trust"):
        with_weights(outcome, cohort, "risk")
    table = cohort.clinical.assign(trust=[np.nan, -1.0, *[1.0] * (PATIENTS - 2)])
    with pytest.raises(InputError, match="1 patients have none, 1 are negative, 88 are above 0"):
        with_weights(outcome, replace(cohort, clinical=table), "trust")


def test_patients_of_weight_0_teach_nothing(cohort):
    """Half the training labels are wrong: with weight 0 there the forest is nearly right, without it is lost."""
    task = Task("IDH", ("mutated",))
    split = folds_of(cohort, task)[0]
    wrong = set(split.ids("train")[::2])
    idh = cohort.labels["IDH"]
    turned = idh.where(~idh.index.isin(wrong), "wild type")
    table = cohort.clinical.assign(trust=[0.0 if p in wrong else 1.0 for p in cohort.patient_ids])
    changed = replace(cohort, clinical=table, labels=pd.DataFrame({"IDH": turned}))
    truth = (idh[list(split.ids("test"))] == "mutated").to_numpy()

    def mean_log_odds(column: str | None, model: str) -> float:
        options = FitOptions(epochs=40 if model in NETWORKS else None, weight_column=column)
        run = run_fold(changed, task, split, models=(model,), options=options)
        return float(run.table.score.to_numpy()[truth].mean())

    for model, gain in (("random forest", 0.5), ("SNN, early", 0.2)):
        assert mean_log_odds("trust", model) > mean_log_odds(None, model) + gain
    options = FitOptions(weight_column="trust")
    run = run_fold(changed, Task("OS"), split, options=options)
    assert run.notes == (f"{DEFAULT_MODEL}: sample weights are not used",)


def test_a_run_of_a_network_resumes_inside_a_fold_and_leaves_losses_by_name(cohort, tmp_path, monkeypatch):
    split = folds_of(cohort, Task("OS"))[0]
    options = replace(QUICK, align=("expression", "protein"))
    whole = run_fold(cohort, Task("OS"), split, models=("SNN, attention",), options=options, folder=tmp_path / "a")
    trained, stop_at = [], 8
    before = train_network._train_epoch

    def stops(run, *parts):
        if len(trained) == stop_at:
            raise KeyboardInterrupt
        trained.append(run.epoch)
        before(run, *parts)

    monkeypatch.setattr(train_network, "_train_epoch", stops)
    with pytest.raises(KeyboardInterrupt):
        run_fold(cohort, Task("OS"), split, models=("SNN, attention",), options=options, folder=tmp_path / "b")
    trained.clear()
    stop_at, told = None, []
    again = run_fold(
        cohort, Task("OS"), split, models=("SNN, attention",), options=options, folder=tmp_path / "b",
        progress=told.append,
    )  # fmt: skip
    assert len(trained) == 6 * 3 - 2 * 3  # two networks of three epochs were finished, the third had no checkpoint
    np.testing.assert_array_equal(again.table.score, whole.table.score)
    losses = pd.read_csv(tmp_path / "b" / "SNN_attention" / "losses.csv")
    assert {"task", "contrastive", "validation task"} <= set(losses)
    assert losses.groupby("network").size().tolist() == [3] * 6
    assert any("network" in line and "epoch" in line and "contrastive" in line for line in told)


def test_a_block_that_is_not_there_cannot_be_aligned(cohort):
    split = folds_of(cohort, Task("OS"))[0]
    options = replace(QUICK, align=("expression", "slides"))
    with pytest.raises(
        InputError, match="align names expression, slides; the blocks are clinical, expression, protein"
    ):
        run_fold(cohort, Task("OS"), split, models=("SNN, attention",), options=options)


def test_the_own_network_is_saved_read_back_and_explained(cohort, tmp_path):
    settings = RunSettings(LABELS, models=("SNN, late", DEFAULT_MODEL), options=QUICK)
    figures = train_on_cohort(cohort, settings, tmp_path / "run")
    assert figures["figure"] == MEAN_AUC
    model, design, card = read_network(tmp_path / "run" / "model")
    assert card["network"]["name"] == "SNN, late"
    assert "out-of-fold scores of the training patients" in card["patient_data"]
    assert model.score(design.values(cohort, cohort.patient_ids)).shape == (PATIENTS, 2)
    explained = {(e["of"], e["explanation"]) for e in figures["network_explanations"]}
    assert {("IDH", "integrated gradients, columns"), ("MGMT", "integrated gradients, columns")} <= explained
    assert not list((tmp_path / "run" / "folds").rglob("*.safetensors"))
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (config["kind"], config["epochs"]) == ("labels", 3)
    with pytest.raises(SettingsError, match="another epochs"):
        train_on_cohort(cohort, replace(settings, options=FitOptions()), tmp_path / "run")


def test_another_kind_of_model_is_not_read_as_a_network(cohort, tmp_path):
    train_on_cohort(cohort, RunSettings(Task("OS")), tmp_path / "run")
    with pytest.raises(UnavailableError, match="not a cohort network"):
        read_network(tmp_path / "run" / "model")


def test_the_command_lists_models_and_runs_response(cohort, tmp_path, capsys):
    assert run_command(["train", "models", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["models"]) == len(model_entries())
    write_cohort_folder(cohort, tmp_path / "cohort")
    start = ["train", "cohort", str(tmp_path / "cohort"), "--out", str(tmp_path / "run"), "--task"]
    assert run_command([*start, "response:BOR", "--model", "snn, early", "--epochs", "2", "--no-baselines"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["figure"] == GRADE_CONCORDANCE
    assert found["models"][DEFAULT_MODEL]["mean"] > 0.8
    assert found["patients_left_out"] == {"response not evaluable": 1}
    assert run_command([*start, "OS", "--model", "magic"]) == 2
    assert "pathway transformer, attention" in capsys.readouterr().err
