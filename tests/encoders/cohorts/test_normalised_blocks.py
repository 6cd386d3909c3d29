"""log2 and z at import, batch correction fitted on training patients alone; what was done stands in unit and card."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from encoders.cohort_models.design import Design
from encoders.cohorts.cohort import Block, BlockKind, Cohort, ColumnSpec, ColumnType
from encoders.cohorts.combat import fit_combat
from encoders.cohorts.import_cohort import ImportSettings, import_cohort
from encoders.cohorts.normalised_blocks import with_batch, with_log2, with_z
from encoders.cohorts.store import read_cohort_folder, write_cohort_folder
from encoders.errors import InputError, SettingsError


def cohort(prefix: str = "P", n: int = 24, shift: float = 3.0) -> Cohort:
    """n patients in two sites; site B reads ``shift`` higher; gene C never varies."""
    rng = np.random.default_rng(len(prefix) + n)
    ids = tuple(f"{prefix}{i:02d}" for i in range(n))
    site = ["A" if i % 2 else "B" for i in range(n)]
    x = 10 + rng.normal(0, 1, (n, 5)) * np.arange(1, 6) / 3 + shift * (np.array(site) == "B")[:, None]
    x[:, 4] = 7
    block = Block(BlockKind.EXPRESSION, ids, ("G1", "G2", "G3", "G4", "C"), x.astype(np.float32), "TPM")
    clinical = pd.DataFrame({"site": site, "sex": ["f", "m", "m"] * (n // 3)}, index=pd.Index(ids, name="patient_id"))
    columns = {c: ColumnSpec(ColumnType.CATEGORY) for c in clinical}
    return Cohort(f"made {prefix}", "made", clinical, columns, {"expression": block})


def test_log2_of_amounts_is_taken_once_and_stands_in_the_unit() -> None:
    made = cohort()
    done = with_log2(made, ("expression",))
    np.testing.assert_allclose(
        done.blocks["expression"].values, np.log2(made.blocks["expression"].values + 1), rtol=1e-6
    )
    assert done.blocks["expression"].unit == "log2(TPM + 1)"
    assert [n.kind for n in done.notes] == ["normalised"]
    with pytest.raises(SettingsError, match=r"its unit is 'log2\(TPM \+ 1\)'; log2\(x \+ 1\) is for amounts"):
        with_log2(done, ("expression",))


def test_z_is_against_another_cohort_by_name_and_not_by_order() -> None:
    made, reference = cohort(), cohort("R", 12)
    found = reference.blocks["expression"]
    turned = replace(found, features=found.features[::-1], values=np.ascontiguousarray(found.values[:, ::-1]))
    done = with_z(made, {"expression": replace(reference, blocks={"expression": turned})})
    block = done.blocks["expression"]
    assert block.features == ("G1", "G2", "G3", "G4")  # C does not vary in the reference
    mean, sd = found.values[:, 1].mean(), found.values[:, 1].std(ddof=1)
    np.testing.assert_allclose(block.values[:, 1], (made.blocks["expression"].values[:, 1] - mean) / sd, rtol=1e-4)
    assert block.unit == "z-score of TPM against made R (12 patients)"
    assert any("were left out (C)" in n.text() for n in done.notes)
    with pytest.raises(SettingsError, match="24 patients are in the reference made P too"):
        with_z(made, {"expression": made})


def test_a_batch_is_fitted_on_the_training_patients_alone() -> None:
    made = with_batch(cohort(), {"expression": "site"})
    train, held = made.patient_ids[:16], made.patient_ids[16:]
    design = Design.fit(made, train)
    block = made.blocks["expression"]
    site = made.clinical["site"]
    by_hand = fit_combat(block.values[:16, :4], block.features[:4], list(site[list(train)]), "train")
    found = design.values(made, held)["expression"]
    np.testing.assert_allclose(found[:, :4], by_hand.apply(block.values[16:, :4], list(site[list(held)])), rtol=1e-6)
    np.testing.assert_array_equal(found[:, 4], block.values[16:, 4])  # a constant gene stays as it is
    loud = block.values.copy()
    loud[16:] *= 100
    other = replace(made, blocks={"expression": replace(block, values=loud)})
    assert Design.fit(other, train).to_inputs() == design.to_inputs()


def test_the_column_of_the_batches_is_no_feature() -> None:
    assert "clinical" in Design.fit(cohort(), cohort().patient_ids).blocks
    made = with_batch(cohort(), {"expression": "site"})
    assert Design.fit(made, made.patient_ids).categories == {"sex": ("f", "m")}


def test_a_design_reads_back_from_its_card_and_corrects_alike() -> None:
    made = with_batch(with_log2(cohort(), ("expression",)), {"expression": "site"})
    design = Design.fit(made, made.patient_ids[:16])
    card = json.loads(json.dumps(design.to_inputs()))
    again = Design.from_inputs(card)
    assert card["units"] == {"expression": "log2(TPM + 1)"}
    assert card["batches"]["expression"]["not_corrected"] == 1
    assert card["batches"]["expression"]["reference"] == "made P, 16 fitted patients"
    ids = made.patient_ids[16:]
    np.testing.assert_array_equal(again.values(made, ids)["expression"], design.values(made, ids)["expression"])


def test_values_in_another_unit_or_of_an_unknown_batch_are_refused() -> None:
    made = with_batch(with_log2(cohort(), ("expression",)), {"expression": "site"})
    design = Design.fit(made, made.patient_ids)
    raw = cohort("Q", 6)
    with pytest.raises(InputError, match=r"is in 'TPM', the model was fitted on 'log2\(TPM \+ 1\)'"):
        design.values(raw, raw.patient_ids)
    new = with_log2(raw, ("expression",))
    with pytest.raises(InputError, match="batch 'Z' was not among the fitted ones"):
        design.values(replace(new, clinical=new.clinical.assign(site="Z")), new.patient_ids)


def test_a_batch_request_needs_a_batch_of_every_patient_and_survives_the_folder(tmp_path: Path) -> None:
    made = cohort()
    with pytest.raises(SettingsError, match="no such clinical column of words; it has site, sex"):
        with_batch(made, {"expression": "centre"})
    gap = replace(made, clinical=made.clinical.assign(site=made.clinical["site"].mask(made.clinical.index == "P03")))
    with pytest.raises(SettingsError, match=r"1 patients of the block have no site \(P03\)"):
        with_batch(gap, {"expression": "site"})
    write_cohort_folder(with_batch(made, {"expression": "site"}), tmp_path / "out")
    assert read_cohort_folder(tmp_path / "out").batch_columns == {"expression": "site"}


def test_the_import_takes_the_options(gdc: Path) -> None:
    settings = ImportSettings(log2=("expression",))
    np.testing.assert_allclose(import_cohort(gdc, settings).blocks["expression"].values[0], np.log2([2, 4]), rtol=1e-6)
    with pytest.raises(SettingsError, match="has no such block; it has expression, mutations"):
        import_cohort(gdc, ImportSettings(log2=("protein",)))
