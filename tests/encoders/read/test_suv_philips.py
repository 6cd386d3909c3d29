"""Philips counts: the private factors to SUVbw and Bq/ml, under the corrections the QIBA pseudo-code asks for."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from encoders.patient import IntensityUnit

CREATOR = "Philips PET Private Group"


def counts(*, to_suv: str | None, to_bqml: str | None = None, creator: str = CREATOR, **changes: object):
    """Change for ``write_series``: 70 kg, 370 MBq given one half-life (6586.2 s) before the scan."""

    def change(made: Dataset, _: int) -> None:
        made.Units, made.DecayCorrection, made.CorrectedImage = "CNTS", "START", ["DECY", "ATTN", "SCAT"]
        made.PatientWeight = 70.0
        drug = Dataset()
        drug.RadionuclideTotalDose, drug.RadionuclideHalfLife = 370e6, 6586.2
        drug.RadiopharmaceuticalStartTime = "081013.8"
        made.RadiopharmaceuticalInformationSequence = [drug]
        if to_suv is not None or to_bqml is not None:
            block = made.private_block(0x7053, creator, create=True)
            for element, number in ((0x00, to_suv), (0x09, to_bqml)):
                if number is not None:
                    block.add_new(element, "DS", number)
        for tag, value in changes.items():
            setattr(made, tag, value)

    return change


STORED = [2 * n - 10 for n in (1, 2, 3)]  # rescaled counts of the three slices


def test_the_factor_to_suv_scales_the_rescaled_counts(tmp_path, write_series, one_series):
    write_series(tmp_path, modality="PT", change=counts(to_suv="0.25", to_bqml="3.0", PatientWeight=None))
    series = one_series(tmp_path)
    assert series.unit is IntensityUnit.SUVBW
    assert series.volume[:, 0, 0].tolist() == [0.25 * v for v in STORED]
    assert "Philips 7053,1000" in series.warnings[0]


@pytest.mark.parametrize("to_suv", [None, "0", "0.0"])
def test_without_it_the_factor_to_bqml_goes_through_weight_and_dose(tmp_path, write_series, one_series, to_suv):
    write_series(tmp_path, modality="PT", change=counts(to_suv=to_suv, to_bqml="1000"))
    series = one_series(tmp_path)
    assert series.unit is IntensityUnit.SUVBW
    expected = [1000 * v * 70000 * 2 / 370e6 for v in STORED]
    assert series.volume[:, 0, 0].tolist() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (counts(to_suv=None), "Units is CNTS without a Philips factor"),
        (counts(to_suv="0", to_bqml="0"), "Units is CNTS without a Philips factor"),
        (counts(to_suv="0.25", creator="SOMEBODY ELSE"), "Units is CNTS without a Philips factor"),
        (counts(to_suv="0.25", CorrectedImage=["DECY"]), "ATTN and DECY are needed"),
        (counts(to_suv="0.25", DecayCorrection="NONE"), "DecayCorrection is NONE"),
        (counts(to_suv=None, to_bqml="1000", PatientWeight=None), "PatientWeight is absent"),
    ],
)
def test_counts_that_cannot_become_suv_stay_arbitrary_with_the_reason(
    tmp_path, write_series, one_series, change, reason
):
    write_series(tmp_path, modality="PT", change=change)
    series = one_series(tmp_path)
    assert series.unit is IntensityUnit.ARBITRARY
    assert series.volume[:, 0, 0].tolist() == STORED
    assert reason in series.warnings[0]
