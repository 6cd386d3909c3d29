"""Whole fits on a made cohort: every encoder and fusion mode finds the signal and predicts for any subset of blocks."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from sksurv.metrics import concordance_index_censored

from encoders.cohort_models.design import Design
from encoders.cohort_networks.fit import fit_network, network_from_state
from encoders.cohort_networks.gene_encoders import PathwayLayer
from encoders.cohort_networks.networks import NETWORKS, risk_scores
from encoders.cohort_networks.outcomes import ClassOutcome, LabelsOutcome, ResponseOutcome, SurvivalOutcome
from encoders.cohort_networks.plan import GeneKnowledge
from encoders.cohort_networks.settings import ENCODERS, FUSIONS, NetworkSettings, TrainingSettings
from encoders.cohorts.import_cohort import ImportSettings, import_cohort
from encoders.errors import InputError, SettingsError, UnavailableError

COMBINATIONS = [*((e, "attention") for e in ENCODERS), *(("snn", f) for f in FUSIONS if f != "attention")]


def survival(made, **changes) -> SurvivalOutcome:
    return SurvivalOutcome(made.months, made.event, **changes)


def c_index(model, cohort, blocks=None) -> float:
    return concordance_index_censored(cohort.event, cohort.months, model.score(blocks or cohort.blocks))[0]


@pytest.fixture(scope="module")
def fitted(made, quick):
    """(encoder, fusion) -> model, fitted when first asked for."""
    models = {}

    def of(encoder: str, fusion: str):
        if (encoder, fusion) not in models:
            settings = quick(encoder=encoder, fusion=fusion)
            models[encoder, fusion] = fit_network(made.blocks, survival(made), settings, knowledge=made.knowledge)
        return models[encoder, fusion]

    return of


@pytest.mark.parametrize(("encoder", "fusion"), COMBINATIONS)
def test_every_encoder_and_fusion_mode_finds_the_signal_of_one_block(encoder, fusion, fitted, unseen) -> None:
    model = fitted(encoder, fusion)
    have = np.isfinite(unseen.blocks["expression"]).all(1)
    true = concordance_index_censored(unseen.event[have], unseen.months[have], unseen.signal[have])[0]
    found = concordance_index_censored(unseen.event[have], unseen.months[have], model.score(unseen.blocks)[have])[0]
    assert true > 0.75  # the cohort can be told apart at all
    assert found > 0.68


@pytest.mark.parametrize("fusion", FUSIONS)
def test_any_subset_of_blocks_predicts_and_the_order_of_patients_changes_nothing(fusion, fitted, unseen) -> None:
    model = fitted("snn", fusion)
    order = np.random.default_rng(0).permutation(len(unseen.months))
    full = {n: np.nan_to_num(v) for n, v in unseen.blocks.items()}
    for size in (1, 2, 3):
        for names in combinations(full, size):
            part = {n: full[n] for n in names}
            score = model.score(part)
            assert np.isfinite(score).all()
            assert score.shape == order.shape
            moved = model.score({n: v[order] for n, v in part.items()})
            np.testing.assert_allclose(moved, score[order], atol=1e-5)
    mixed = model.score(unseen.blocks)  # patients with different blocks side by side
    one = np.array([model.score({n: v[i : i + 1] for n, v in unseen.blocks.items()})[0] for i in range(12)])
    np.testing.assert_allclose(mixed[:12], one, atol=1e-5)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_a_saved_model_is_the_same_model(fusion, fitted, unseen) -> None:
    model = fitted("snn", fusion)
    tensors, described = model.state()
    again = network_from_state(tensors, json.loads(json.dumps(described)))
    np.testing.assert_array_equal(again.score(unseen.blocks), model.score(unseen.blocks))
    np.testing.assert_array_equal(again.embed(unseen.blocks), model.embed(unseen.blocks))


def test_masked_weights_stay_exactly_zero_after_training(fitted) -> None:
    model = fitted("pathway", "attention")
    layers = [m for m in model.members[0].networks[0].modules() if isinstance(m, PathwayLayer)]
    assert len(layers) == 1
    weight, mask = layers[0].weight.detach(), layers[0].mask.bool()
    assert not mask.all()
    assert (weight[~mask] == 0).all()
    assert (weight[mask] != 0).all()


def test_genes_in_no_set_are_kept_and_counted(fitted) -> None:
    notes = fitted("pathway", "attention").notes
    assert notes == ("expression: 25 of 50 columns are in no gene set and share remainder units",)


def test_late_fusion_weighs_the_block_with_the_signal_and_no_block_below_zero(fitted) -> None:
    model = fitted("snn", "late")
    weight = model.stack.weights((True, True, True)).numpy()
    assert (weight >= 0).all()
    assert weight[0] > 2 * weight[1:].max()
    assert model.stack.weights((False, True, True))[0] == 0


def test_similar_signal_is_near_in_the_fused_embedding(fitted, unseen) -> None:
    embedded = fitted("snn", "attention").embed(unseen.blocks)
    assert embedded.shape[0] == len(unseen.signal)
    have = np.isfinite(unseen.blocks["expression"]).all(1)
    far = np.linalg.norm(embedded[have][:, None] - embedded[have][None], axis=2) + 1e9 * np.eye(have.sum())
    signal = unseen.signal[have]
    apart = np.abs(signal - signal[far.argmin(1)]).mean()
    assert apart < 0.7 * np.abs(signal[:, None] - signal[None]).mean()


def test_alignment_lowers_the_distance_of_a_patients_two_blocks(quick) -> None:
    rng = np.random.default_rng(0)
    common = rng.normal(size=(120, 3))
    blocks = {n: np.hstack([common, rng.normal(size=(120, 5))]) for n in ("image", "expression")}
    label = ClassOutcome((common[:, 0] + rng.normal(size=120) > 0).astype(int))
    weights = {"task": 0.01, "reconstruction": 0.0, "kl": 0.0, "contrastive": 1.0}
    training = TrainingSettings(epochs=60, patience=60, learning_rate=0.01, seeds=1)

    def rank_of_own(chosen: float) -> float:
        settings = quick(
            align=("image", "expression"), loss_weights={**weights, "contrastive": chosen}, training=training
        )
        model = fit_network(blocks, label, settings)
        logged = [row["contrastive"] for row in model.members[0].logs[0]]
        assert chosen == 0 or logged[-1] < logged[0]
        network = model.members[0].networks[0]
        found = model.embed_blocks(blocks)
        with torch.no_grad():
            left, right = (
                torch.nn.functional.normalize(layer(torch.tensor(found[name], dtype=torch.float32)), dim=1)
                for layer, name in zip(network.align, settings.align, strict=True)
            )
        cosine = left @ right.T
        return float((cosine > cosine.diagonal().unsqueeze(1)).float().mean())

    assert rank_of_own(1.0) < 0.5 * rank_of_own(0.0)


def test_a_run_cut_off_and_resumed_ends_with_the_same_weights_bit_for_bit(made, quick, tmp_path: Path) -> None:
    whole = quick(training=TrainingSettings(epochs=9, patience=9, seeds=1, checkpoint_every=4))
    straight = fit_network(made.blocks, survival(made), whole)

    class CutOffError(RuntimeError):
        pass

    def cut(line: str) -> None:
        if line.startswith("network 1 of 1, epoch 6 "):  # between two checkpoints
            raise CutOffError

    with pytest.raises(CutOffError):
        fit_network(made.blocks, survival(made), whole, folder=tmp_path, progress=cut)
    lines: list[str] = []
    resumed = fit_network(made.blocks, survival(made), whole, folder=tmp_path, progress=lines.append)
    assert lines[0].startswith("network 1 of 1, epoch 5 of 9: task ")
    first, second = straight.state()[0], resumed.state()[0]
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert straight.members[0].logs == resumed.members[0].logs
    with pytest.raises(UnavailableError, match="other settings, data or seed"):
        fit_network(made.blocks, survival(made), replace(whole, dropout=0.5), folder=tmp_path)
    (tensors,) = tmp_path.rglob("*.safetensors")
    tensors.write_bytes(tensors.read_bytes()[:-1])
    with pytest.raises(UnavailableError, match=r"not what state\.json says"):
        fit_network(made.blocks, survival(made), whole, folder=tmp_path)


def test_a_seed_decides_everything(made, quick) -> None:
    short = TrainingSettings(epochs=3, seeds=1)
    a, b, c = (
        fit_network(made.blocks, survival(made), quick(training=replace(short, seed=seed))).score(made.blocks)
        for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(a, b)
    assert not np.allclose(a, c)


def test_losses_are_logged_by_name(made, quick) -> None:
    settings = quick(encoder="vae", align=("expression", "protein"), training=TrainingSettings(epochs=2, seeds=1))
    model = fit_network(made.blocks, survival(made), settings)
    names = {"epoch", "task", "reconstruction", "kl", "contrastive", "validation task"}
    assert [set(row) for row in model.members[0].logs[0]] == [names, names]


@pytest.mark.parametrize("fusion", ["gated", "late"])
def test_discrete_hazards_find_the_signal_and_survival_never_rises(fusion, made, unseen, quick) -> None:
    settings = quick(fusion=fusion, training=replace(quick().training, seeds=3))
    model = fit_network(made.blocks, survival(made, loss="discrete hazard", time_bins=6), settings)
    assert c_index(model, unseen) > 0.65
    curve = model.probability(unseen.blocks)
    assert curve.shape == (150, 6)
    assert (np.diff(curve, axis=1) <= 0).all()
    assert ((curve >= 0) & (curve <= 1)).all()


@pytest.mark.parametrize("fusion", ["attention", "late"])
def test_classes_labels_and_response_are_learned(fusion, made, unseen, quick) -> None:
    settings = quick(fusion=fusion)
    high = unseen.signal > 0
    model = fit_network(made.blocks, ClassOutcome((made.signal > 0).astype(int)), settings)
    assert roc_auc_score(high, model.score(unseen.blocks)) > 0.8
    thirds = np.digitize(made.signal, [-0.5, 0.5])
    model = fit_network(made.blocks, ClassOutcome(thirds, ("low", "middle", "high")), settings)
    share = model.probability(unseen.blocks)
    np.testing.assert_allclose(share.sum(1), 1, atol=1e-5)
    assert roc_auc_score(high, share[:, 2]) > 0.8
    values = np.stack([made.signal > 0, made.signal < 0], 1).astype(float)
    values[::3, 1] = np.nan
    model = fit_network(made.blocks, LabelsOutcome(values, ("up", "down")), settings)
    assert roc_auc_score(high, model.score(unseen.blocks)[:, 0]) > 0.8
    assert roc_auc_score(~high, model.score(unseen.blocks)[:, 1]) > 0.8
    model = fit_network(made.blocks, ResponseOutcome(np.digitize(made.signal, [-0.7, 0, 0.7])), settings)
    assert roc_auc_score(high, model.score(unseen.blocks)) > 0.8
    np.testing.assert_allclose(model.probability(unseen.blocks).sum(1), 1, atol=1e-5)


def test_sample_weights_of_zero_are_patients_not_learned_from(made, unseen, quick) -> None:
    first = np.arange(400) < 200
    wrong = np.where(first, made.signal > 0, made.signal <= 0).astype(int)  # the opposite in the second half
    weight = np.where(first, 1.0, 0.0)
    model = fit_network(made.blocks, ClassOutcome(wrong, weight=weight), quick())
    assert roc_auc_score(unseen.signal > 0, model.score(unseen.blocks)) > 0.75


def test_bad_input_is_refused(made, quick, fitted) -> None:
    outcome, full = survival(made), np.nan_to_num(made.blocks["expression"])
    with pytest.raises(InputError, match="400 patients, outcomes of 3"):
        fit_network(made.blocks, SurvivalOutcome(made.months[:3], np.ones(3, bool)), quick())
    with pytest.raises(InputError, match="column that varies"):
        fit_network({"a": np.ones((400, 2))}, outcome, quick())
    with pytest.raises(InputError, match="1 patients have none"):
        fit_network({"a": np.vstack([[np.nan] * 50, full[1:]])}, outcome, quick())
    with pytest.raises(SettingsError, match="needs the names"):
        fit_network(made.blocks, outcome, quick(encoder="pathway"))
    with pytest.raises(InputError, match="50 columns and 1 names"):
        fit_network(made.blocks, outcome, quick(encoder="graph"), knowledge=GeneKnowledge({"expression": ["TP53"]}))
    with pytest.raises(SettingsError, match="align names"):
        fit_network(made.blocks, outcome, quick(align=("expression", "image")))
    for changes in ({"encoder": "forest"}, {"fusion": "sum"}, {"width": 7}, {"loss_weights": {"task": 1}},
                    {"fusion": "early", "align": ("a", "b")}, {"dropout": 1.0}):  # fmt: skip
        with pytest.raises(SettingsError):
            NetworkSettings(**changes)
    for changes in ({"epochs": 0}, {"folds": 1}, {"validation_share": 0.6}, {"batch_size": 1}):
        with pytest.raises(SettingsError):
            TrainingSettings(**changes)
    model = fitted("snn", "attention")
    with pytest.raises(InputError, match="allowed blocks: expression, clinical, protein"):
        model.score({"image": np.ones((2, 3))})
    with pytest.raises(InputError, match="2 patients have none"):
        model.score({"clinical": np.full((2, 3), np.nan)})
    with pytest.raises(SettingsError, match="SNN, early"):
        risk_scores("SNN")


def test_settings_survive_json() -> None:
    for settings in (*NETWORKS.values(), NetworkSettings(align=("a", "b"))):
        assert NetworkSettings.from_json(json.loads(json.dumps(settings.as_json()))) == settings


def test_a_named_network_reads_a_real_cohort(open_data: Path) -> None:
    cohort = import_cohort(open_data / "omics_survival", ImportSettings(mapping="porpoise-paad"))
    split = cohort.splits["official"][1]
    train, held = split.ids("train"), split.ids("validation")
    design = Design.fit(cohort, train)
    followed = cohort.endpoints["OS"].frame()
    score = risk_scores("pathway, attention", GeneKnowledge(design.blocks))(
        design.values(cohort, train),
        followed.loc[list(train), "followup_months"].to_numpy(),
        followed.loc[list(train), "event"].to_numpy(),
        design.values(cohort, held),
    )
    table = followed.loc[list(held)]
    assert concordance_index_censored(table.event.to_numpy(), table.followup_months.to_numpy(), score)[0] > 0.55
