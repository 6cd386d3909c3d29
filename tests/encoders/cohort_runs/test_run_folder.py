"""Training on a cohort: folds are honoured, a stopped run goes on, another configuration is refused."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from app.cli import run_command
from encoders.cohort_models.design import Design
from encoders.cohort_models.saved_model import load_survival
from encoders.cohort_runs import run_folder
from encoders.cohort_runs.cross_validation import DEFAULT_MODEL, Task, folds_of, outcome_of, read_task, run_fold
from encoders.cohort_runs.run_folder import RunSettings, train_on_cohort
from encoders.cohorts.cohort import Block, BlockKind, Cohort, ColumnSpec, ColumnType, Endpoint, Split
from encoders.cohorts.store import write_cohort_folder
from encoders.errors import InputError, SettingsError


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    """100 patients: one gene carries the risk and the label; the last ten lack the expression block."""
    rng = np.random.default_rng(0)
    ids = tuple(f"P{i:03d}" for i in range(100))
    genes = rng.normal(size=(100, 6)).astype(np.float32)
    months, censored = rng.exponential(20 * np.exp(-1.5 * genes[:, 0])), rng.exponential(60, 100)
    clinical = pd.DataFrame(
        {"age_years": rng.integers(40, 80, 100).astype(float), "sex": rng.choice(["female", "male"], 100)}, index=ids
    )
    return Cohort(
        name="made",
        source="made for a test",
        clinical=clinical,
        columns={"age_years": ColumnSpec(ColumnType.NUMBER, "years"), "sex": ColumnSpec(ColumnType.CATEGORY)},
        blocks={"expression": Block(BlockKind.EXPRESSION, ids[:90], tuple("ABCDEF"), genes[:90])},
        endpoints={"OS": Endpoint("OS", ids, np.minimum(months, censored), months <= censored)},
        labels=pd.DataFrame({"status": np.where(genes[:, 0] > 0, "mutated", "wild type")}, index=ids),
    )


def test_a_run_writes_figures_predictions_and_a_model_that_reads_the_cohort(cohort, tmp_path):
    settings = RunSettings(Task("survival"), models=(DEFAULT_MODEL, "ridge Cox"))
    figures = train_on_cohort(cohort, settings, tmp_path / "run")
    assert figures["models"][DEFAULT_MODEL]["mean"] > 0.7
    low, high = figures["models"][DEFAULT_MODEL]["interval"]
    assert low < figures["models"][DEFAULT_MODEL]["mean"] < high
    assert "default_minus_this_interval" in figures["models"]["ridge Cox"]
    assert figures["trust"]["integrated_brier"] < figures["trust"]["integrated_brier_kaplan_meier"]
    held = pd.read_csv(tmp_path / "run" / "predictions.csv")
    assert sorted(held[held.model == DEFAULT_MODEL].patient_id) == sorted(cohort.patient_ids)  # each held out once
    assert json.loads((tmp_path / "run" / "metrics.json").read_text()) == json.loads(json.dumps(figures))
    model, design, card = load_survival(tmp_path / "run" / "model")
    assert np.isfinite(model.risk_score(design.values(cohort, cohort.patient_ids))).all()
    assert card["inputs"]["blocks"]["clinical"] == ["age_years", "sex=male"]


def test_a_stopped_run_goes_on_where_it_was(cohort, tmp_path, monkeypatch):
    settings = RunSettings(Task("OS"))
    whole = train_on_cohort(cohort, settings, tmp_path / "whole")
    fitted = []

    def stops_at_the_fourth(*args, **kwargs):
        if len(fitted) == 3:
            raise KeyboardInterrupt
        fitted.append(args[2].fold)
        return run_fold(*args, **kwargs)

    monkeypatch.setattr(run_folder, "run_fold", stops_at_the_fourth)
    with pytest.raises(KeyboardInterrupt):
        train_on_cohort(cohort, settings, tmp_path / "run")
    assert not (tmp_path / "run" / "metrics.json").exists()
    fitted.clear()
    again = train_on_cohort(cohort, settings, tmp_path / "run")
    assert fitted == ["0.3", "0.4"]
    assert again["models"] == whole["models"]


def test_another_configuration_or_a_full_folder_is_refused(cohort, tmp_path):
    train_on_cohort(cohort, RunSettings(Task("OS")), tmp_path / "run")
    with pytest.raises(SettingsError, match="holds a run with another seed"):
        train_on_cohort(cohort, RunSettings(Task("OS"), seed=1), tmp_path / "run")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("do not touch")
    with pytest.raises(SettingsError, match="not empty and holds no run"):
        train_on_cohort(cohort, RunSettings(Task("OS")), tmp_path / "mine")


def test_given_folds_are_honoured_and_columns_are_fixed_on_training_patients(cohort):
    ids = cohort.patient_ids
    split = Split("a", {p: "train" if i < 60 else "validation" for i, p in enumerate(ids)})
    rare = cohort.clinical.assign(sex=["intersex" if i == 70 else s for i, s in enumerate(cohort.clinical["sex"])])
    given = replace(cohort, clinical=rare, splits={"mine": (split,)})
    assert folds_of(given, Task("OS")) == (split,)
    run = run_fold(given, Task("OS"), split)
    assert list(run.table.patient_id) == list(ids[60:])
    design = Design.fit(given, ids[:60])
    assert design.categories == {"sex": ("female", "male")}
    assert design.unknown_words(given, ids) == {"sex": ("intersex",)}
    assert np.isnan(design.values(given, [ids[70]])["clinical"][0, 1])


def test_rows_are_joined_by_id_not_by_order(cohort):
    ids = list(cohort.patient_ids)
    design = Design.fit(cohort, ids)
    there = design.values(cohort, ids[::-1])
    np.testing.assert_array_equal(there["expression"][::-1], design.values(cohort, ids)["expression"])
    block = cohort.blocks["expression"]
    turned = Block(block.kind, block.patient_ids[::-1], block.features[::-1], block.values[::-1, ::-1].copy())
    other = replace(cohort, blocks={"expression": turned})
    np.testing.assert_array_equal(design.values(other, ids)["expression"], design.values(cohort, ids)["expression"])


@pytest.mark.parametrize(
    ("text", "task"),
    [("OS", Task("OS")), ("IDH=mutated", Task("IDH", ("mutated",))), ("stage=III|IV", Task("stage", ("III", "IV")))],
)
def test_tasks_are_read_from_one_word(text, task):
    assert read_task(text) == task


@pytest.mark.parametrize(
    ("task", "says"),
    [
        (Task("PFS"), "no endpoint 'PFS'; it has OS"),
        (Task("MGMT", ("yes",)), "no label 'MGMT'; it has status"),
        (Task("status", ("mutatd",)), "no patient of made has status mutatd; found: mutated, wild type"),
    ],
)
def test_outcomes_that_the_cohort_lacks_are_named(cohort, task, says):
    with pytest.raises(InputError, match=says):
        outcome_of(cohort, task)


def test_too_few_events_and_unknown_blocks_and_models_are_refused(cohort):
    end = cohort.endpoints["OS"]
    rare = replace(cohort, endpoints={"OS": Endpoint("OS", end.patient_ids, end.followup_months, np.arange(100) < 3)})
    with pytest.raises(InputError, match="has 3 patients in its smaller group"):
        folds_of(rare, Task("OS"))
    split = folds_of(cohort, Task("OS"))[0]
    with pytest.raises(InputError, match="has no block radiomics; allowed: clinical, expression"):
        run_fold(cohort, Task("OS"), split, blocks=["radiomics"])
    with pytest.raises(InputError, match="no model 'magic' for this task"):
        run_fold(cohort, Task("OS"), split, models=["magic"])


def test_the_command_trains_on_an_imported_cohort(cohort, tmp_path, capsys):
    write_cohort_folder(cohort, tmp_path / "cohort")
    out = str(tmp_path / "run")
    assert (
        run_command(["train", "fusion", "--cohort", str(tmp_path / "cohort"), "--task", "status=mutated", "--out", out])
        == 0
    )
    assert json.loads(capsys.readouterr().out)["models"][DEFAULT_MODEL]["mean"] > 0.8
    assert (
        run_command(["train", "cohort", str(tmp_path / "cohort"), "--task", "DSS", "--out", str(tmp_path / "x")]) == 2
    )
    assert "no endpoint 'DSS'" in capsys.readouterr().err
    assert run_command(["train", "cohort", str(tmp_path / "cohort")]) == 2
    assert "say where with --out DIR" in capsys.readouterr().err


def test_another_import_of_the_same_patients_is_another_run(cohort, tmp_path):
    train_on_cohort(cohort, RunSettings(Task("OS")), tmp_path / "run")
    block = cohort.blocks["expression"]
    for changed in (replace(block, values=block.values + np.float32(1e-3)), replace(block, unit="log2(TPM + 1)")):
        other = replace(cohort, blocks={"expression": changed})
        with pytest.raises(SettingsError, match="another cohort_sha256"):
            train_on_cohort(other, RunSettings(Task("OS")), tmp_path / "run")
