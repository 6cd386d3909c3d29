"""A run's report: what stands in metrics.json, the pages, explanations that stop and go on, predictions of others."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from app.cli import run_command
from encoders.cohort_models.design import CLINICAL
from encoders.cohort_models.saved_model import load_label
from encoders.cohort_runs import fold_checks
from encoders.cohort_runs.cross_validation import Task
from encoders.cohort_runs.predict import as_table, load_run_model, predict_cohort
from encoders.cohort_runs.run_folder import RunSettings, train_on_cohort
from encoders.cohorts.cohort import Block, BlockKind, Cohort, ColumnSpec, ColumnType, Endpoint, ImportNote
from encoders.cohorts.store import write_cohort_folder
from encoders.errors import ContractError, InputError

GENES = ("TP53", "KRAS", "EGFR", "MYC", "PTEN", "X1")


def made(n: int, prefix: str, seed: int) -> Cohort:
    """One gene carries the risk and the label; every tenth patient lacks the expression block."""
    rng = np.random.default_rng(seed)
    ids = tuple(f"{prefix}{i:03d}" for i in range(n))
    genes = rng.normal(size=(n, 6)).astype(np.float32)
    months, censored = rng.exponential(20 * np.exp(-1.5 * genes[:, 0])), rng.exponential(60, n)
    clinical = pd.DataFrame(
        {"age_years": rng.integers(40, 85, n).astype(float), "sex": rng.choice(["female", "male"], n)}, index=ids
    )
    have = [i for i in range(n) if i % 10]
    return Cohort(
        name="made",
        source="made for a test",
        clinical=clinical,
        columns={"age_years": ColumnSpec(ColumnType.NUMBER, "years"), "sex": ColumnSpec(ColumnType.CATEGORY)},
        blocks={"expression": Block(BlockKind.EXPRESSION, tuple(ids[i] for i in have), GENES, genes[have], "z-score")},
        endpoints={"OS": Endpoint("OS", ids, np.minimum(months, censored), months <= censored)},
        labels=pd.DataFrame({"status": np.where(genes[:, 0] + rng.normal(size=n) > 0, "yes", "no")}, index=ids),
        notes=(ImportNote("skipped", "table.csv", "columns <b>no rule</b> names", 2),),
    )


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return made(120, "P", 0)


@pytest.fixture(scope="module")
def survival_run(cohort, tmp_path_factory):
    out = tmp_path_factory.mktemp("survival") / "run"
    return out, train_on_cohort(cohort, RunSettings(Task("OS"), models=("multi-kernel", "ridge Cox"), report=True), out)


@pytest.fixture(scope="module")
def label_run(cohort, tmp_path_factory):
    out = tmp_path_factory.mktemp("label") / "run"
    return out, train_on_cohort(cohort, RunSettings(Task("status", ("yes",)), report=True), out)


def test_figures_of_a_survival_run_hold_all_that_the_page_shows(survival_run):
    out, figures = survival_run
    assert json.loads((out / "metrics.json").read_text()) == json.loads(json.dumps(figures, allow_nan=False))
    assert set(figures["reliability"]) <= {"12 months", "36 months", "60 months"}
    assert figures["calibration"]["slope"]["lower"] < 1.2
    assert {row["grouping"] for row in figures["subgroups"]} == {"age band", "sex"}
    told = figures["default_explanations"]
    assert told["genes"]["top"][0]["name"] == "expression: TP53"
    assert told["genes"]["top"][0]["share_of_folds_in_top"] == 1
    assert told["completeness_error"] < 0.01
    blocks = told["shapley"]["mean_absolute"]
    assert blocks["expression"] > 3 * blocks[CLINICAL]
    assert json.loads((out / "model" / "card.json").read_text())["metrics"] == json.loads(json.dumps(figures))


def test_shapley_values_kept_on_disk_add_up_to_the_held_out_score(survival_run):
    out, _ = survival_run
    kept = pd.read_csv(out / "predictions.csv").query("model == 'multi-kernel'")
    for fold, rows in kept.groupby("fold"):
        parts = pd.read_csv(out / "explanations" / f"{fold}.shapley.csv", index_col="patient_id")
        scores = rows.set_index("patient_id")["score"].loc[parts.index]
        np.testing.assert_allclose(parts.sum(axis=1), scores, atol=0.01)


def test_probabilities_at_a_time_fit_those_at_the_last_time(survival_run, cohort):
    """A patient followed for nearly 12 months has nearly the same two predicted probabilities."""
    kept = pd.read_csv(survival_run[0] / "predictions.csv").query("model == 'multi-kernel'")
    months = cohort.endpoints["OS"].frame()["followup_months"].loc[kept["patient_id"]].to_numpy()
    near = np.abs(months - 12) < 1
    assert near.any()
    np.testing.assert_allclose(
        kept["survival_probability_12_months"][near], kept["survival_at_last_time"][near], atol=0.08
    )


def test_the_pages_say_everything_and_fetch_nothing(survival_run):
    out, _ = survival_run
    page, words = (out / "run.html").read_text(), (out / "run.md").read_text()
    for text in (page, words):
        assert text.index("Research use only") < 2000
        for heading in ("Held-out figures", "Calibration", "Subgroups", "Top genes", "What each block gives"):
            assert heading in text
    assert page.count("data:image/svg+xml;base64,") == 3
    assert "http" not in page
    assert "<script" not in page
    assert "&lt;b&gt;no rule" in page  # text of a cohort is never markup


def test_a_label_run_gives_calibrated_probabilities_and_sets_and_a_model(label_run, cohort):
    out, figures = label_run
    own = pd.read_csv(out / "predictions.csv")
    assert own["probability"].between(0, 1).all()
    found = figures["conformal"]
    assert 0.8 < found["coverage"]["value"] <= 1
    assert found["coverage_of_yes"]["n"] + found["coverage_of_no"]["n"] == 120
    assert found["one_label"] + found["both_labels"] + found["no_label"] == pytest.approx(1)
    assert figures["calibration"]["brier"] < figures["calibration"]["brier_of_the_prevalence"]
    model, design, _ = load_label(out / "model")
    assert np.isfinite(model.probability(design.values(cohort, cohort.patient_ids))).all()


def test_a_stopped_report_goes_on_and_a_fold_of_another_version_is_refused(cohort, tmp_path, monkeypatch):
    made_again = []

    def counted(*args, **kwargs):
        made_again.append(args[3].fold)
        return real(*args, **kwargs)

    real = fold_checks.fold_model
    monkeypatch.setattr(fold_checks, "fold_model", counted)
    settings = RunSettings(Task("OS"), report=True)
    train_on_cohort(cohort, settings, tmp_path / "run")
    assert len(made_again) == 5
    (tmp_path / "run" / "explanations" / "0.3.json").unlink()
    train_on_cohort(cohort, settings, tmp_path / "run")
    assert made_again[5:] == ["0.3"]
    (tmp_path / "run" / "checks" / "0.1.csv").unlink()
    kept = tmp_path / "run" / "folds" / "0.1.csv"
    table = pd.read_csv(kept)
    table.assign(score=table["score"] + 1).to_csv(kept, index=False)  # as another version of the code would leave it
    with pytest.raises(ContractError, match=r"fold 0\.1: scores made again differ"):
        train_on_cohort(cohort, settings, tmp_path / "run")


def test_predictions_for_another_cohort(survival_run):
    model, other = load_run_model(survival_run[0]), made(12, "Q", 5)
    found = predict_cohort(model, other)
    assert found["research_use"].startswith("Research use only")
    assert found["patients_in_training"] == 0
    first, second = found["patients"][:2]
    assert first["missing_blocks"] == ["expression"]
    assert second["missing_blocks"] == []
    assert sum(second["block_shapley"].values()) == pytest.approx(second["risk_score"], abs=1e-6)
    low, high = second["risk_score_interval"]
    assert low < second["risk_score"] < high
    times = list(second["survival_probability"].values())
    assert times == sorted(times, reverse=True)
    assert second["neighbours"]["n"] == 30
    scores = np.array([p["risk_score"] for p in found["patients"]])
    percentile = np.array([p["percentile_among_training"] for p in found["patients"]])
    assert (np.argsort(scores) == np.lexsort((scores, percentile))).all()
    assert len(as_table(found)) == 12
    assert set(as_table(found)["note"]) == {found["research_use"]}


def test_training_patients_are_marked_and_are_not_their_own_neighbours(survival_run, cohort):
    found = predict_cohort(load_run_model(survival_run[0]), cohort, ["P001"])
    assert found["patients_in_training"] == 1
    assert found["patients"][0]["in_training"]
    assert "P001" not in {n["patient_id"] for n in found["patients"][0]["neighbours"]["nearest"]}


def test_what_the_other_cohort_lacks_is_counted_and_another_unit_refused(survival_run):
    model, other = load_run_model(survival_run[0]), made(12, "Q", 5)
    block = other.blocks["expression"]
    fewer = replace(block, features=GENES[:4], values=block.values[:, :4].copy())
    sexes = other.clinical.drop(columns="age_years").assign(sex="intersex")
    short = replace(other, clinical=sexes, columns={"sex": other.columns["sex"]}, blocks={"expression": fewer})
    found = predict_cohort(model, short, ["Q001"])
    assert found["missing_clinical_columns"] == ["age_years"]
    assert found["missing_features"]["expression"] == {"count": 2, "of": 6, "names": ["PTEN", "X1"]}
    assert found["unknown_words"] == {"sex": ["intersex"]}
    two = replace(block, features=GENES[:2], values=block.values[:, :2].copy())
    found = predict_cohort(model, replace(other, blocks={"expression": two}), ["Q001"])
    assert found["blocks_left_out"] == {"expression": "4 of 6 fitted features are missing"}
    assert found["patients"][0]["missing_blocks"] == ["expression"]
    with pytest.raises(InputError, match="TPM"):
        predict_cohort(model, replace(other, blocks={"expression": replace(block, unit="TPM")}))
    with pytest.raises(InputError, match="1 ids are not in cohort made: Z9"):
        predict_cohort(model, other, ["Z9"])


def test_the_command_predicts_into_a_file(label_run, tmp_path, capsys):
    write_cohort_folder(made(12, "Q", 6), tmp_path / "other")
    out = tmp_path / "found.csv"
    asked = ["cohort", "predict", str(label_run[0]), str(tmp_path / "other"), "--patient", "Q003", "--json"]
    assert run_command([*asked, "--out", str(out)]) == 0
    assert json.loads(capsys.readouterr().out)["predicted_patients"] == 1
    table = pd.read_csv(out)
    assert list(table["patient_id"]) == ["Q003"]
    assert set(json.loads(table["prediction_set"][0])) <= {"no", "yes"}
    assert run_command([*asked, "--out", str(tmp_path / "found.pdf")]) == 2
    assert "written as .json or .csv" in capsys.readouterr().err
