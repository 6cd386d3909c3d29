"""Claims about a lesion's change: what went up is not said to go down, and what was is not said to be."""

from __future__ import annotations

import pytest

from assistant.claim import Claim, Verdict
from assistant.evidence import Ledger
from assistant.grounding import check_claim

LATER, EARLIER = "2024-03-01", "2023-09-14"


@pytest.fixture(scope="module")
def ids(toy_ledger: Ledger) -> dict[str, str]:
    """Type -> id of its first evidence."""
    return {e.type: e.id for e in reversed(tuple(toy_ledger))}


def judged(text: str, kind: str, ledger: Ledger, ids: dict[str, str]) -> Verdict:
    return check_claim(Claim(text, (ids[kind],)), ledger).verdict


HONEST = (
    "The lesion has grown from 28 mm to 38 mm.",
    "The lesion on CT chest has grown: 28 mm before, 38 mm now.",
    "From 2023-09-14 to 2024-03-01 the longest diameter went from 28 mm to 38 mm, 35 % larger.",
    "The longest diameter was 28 mm on 2023-09-14 and it is 38 mm on 2024-03-01.",
    "On 2023-09-14 the longest diameter measured 28 mm, on 2024-03-01 it measured 38 mm.",
    "The longest diameter is 38 mm now and it was 28 mm before.",
    "The longest diameter increased from 28 mm to 38 mm.",
    "The lesion is 35 % larger.",
    "The lesion measured 28 mm previously.",
    "The lesion was 28 mm on 2023-09-14.",
    "{I.trend}: {I.measure} {I.before} on {I.date_before} and {I.now} on {I.date_now}.",
    "The lesion has not shrunk.",
)

LIES = (
    "The lesion has shrunk from 28 mm to 38 mm.",
    "The lesion has grown from 38 mm to 28 mm.",
    "The lesion is stable at 38 mm.",
    "The lesion has not grown.",
    "The longest diameter decreased from 28 mm to 38 mm.",
    "The lesion is 35 % smaller.",
    "The lesion is 53 % larger.",
    "The lesion has grown: 38 mm before, 28 mm now.",
    "The lesion measures 28 mm now.",
    "The lesion measures 28 mm.",
    "The lesion was 38 mm before.",
    "The longest diameter was 28 mm on 2024-03-01 and is 38 mm on 2023-09-14.",
    "The longest diameter was 38 mm on 2023-09-14 and is 28 mm on 2024-03-01.",
    "From 2024-03-01 to 2023-09-14 the lesion has grown.",
    "The lesion has grown to 28 mm.",
    "The lesion has grown from 38 mm.",
    "On 2024-03-01 the longest diameter measured 28 mm.",
    "The lesion has grown from 28 mm to 61 mm.",
    "The short axis went from 28 mm to 38 mm.",
    "The lesion has grown since 2022-09-14.",
    "There is a new lesion.",
    "The lesion has vanished.",
    "The disease is progressive by RECIST.",
    "There is a response by RECIST.",
    "38 mm before and 28 mm now.",
    "38 mm and 28 mm.",
    "The longest diameter is 28 mm (2024-03-01).",
    "{I.now} before and {I.before} now.",
)


@pytest.mark.parametrize("text", HONEST)
def test_true_sentences_about_the_change_stand(text: str, toy_ledger: Ledger, ids: dict[str, str]) -> None:
    filled = text.replace("{I.", "{" + ids["lesion_change"] + ".")
    got = check_claim(Claim(filled, (ids["lesion_change"],)), toy_ledger)
    assert got.verdict is Verdict.SUPPORTED, got.reason


@pytest.mark.parametrize("text", LIES)
def test_false_sentences_about_the_change_are_refused(text: str, toy_ledger: Ledger, ids: dict[str, str]) -> None:
    filled = text.replace("{I.", "{" + ids["lesion_change"] + ".")
    assert judged(filled, "lesion_change", toy_ledger, ids) is not Verdict.SUPPORTED


def test_the_size_now_does_not_hide_behind_the_lesion_line(toy_ledger: Ledger, ids: dict[str, str]) -> None:
    both = (ids["lesion"], ids["lesion_change"])
    lie = Claim("The lesion measures 38 mm before and 28 mm now.", both)
    assert check_claim(lie, toy_ledger).verdict is not Verdict.SUPPORTED


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("The sum of the diameters of 3 matched lesions went from 61 mm to 74 mm.", Verdict.SUPPORTED),
        ("The sum of the diameters is 21 % larger.", Verdict.SUPPORTED),
        ("The sum of the diameters of 3 matched lesions went from 74 mm to 61 mm.", Verdict.CONTRADICTED),
        ("The sum of the diameters is 21 % smaller.", Verdict.CONTRADICTED),
        ("The sum of the diameters of 5 matched lesions went from 61 mm to 74 mm.", Verdict.UNSUPPORTED),
        ("The sum of the diameters shows a response by RECIST.", Verdict.UNSUPPORTED),
    ],
)
def test_the_sum_of_diameters(text: str, verdict: Verdict, toy_ledger: Ledger, ids: dict[str, str]) -> None:
    assert judged(text, "lesion_sum", toy_ledger, ids) is verdict


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("The 10th percentile is -21 HU and the 90th percentile is 71 HU.", True),
        ("The 10th percentile is -21 HU.", True),
        ("The 10th percentile is 71 HU.", False),
        ("The 90th percentile is 34 HU.", False),
        ("The mean is -21 HU.", False),
    ],
)
def test_intensities_of_a_ct_lesion(text: str, right: bool, toy_ledger: Ledger) -> None:
    (item,) = (e for e in toy_ledger.of_type("lesion_intensity") if "p10" in e.fields)
    assert (check_claim(Claim(text, (item.id,)), toy_ledger).verdict is Verdict.SUPPORTED) is right


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("SUVpeak is 7.8 SUVbw.", True),
        ("The SUVmax is 9.7 and the SUVpeak 7.8.", True),
        ("SUVpeak is 9.7.", False),
        ("The SUVmax is 7.8.", False),
        ("The SUVmean is 7.8.", False),
        ("SUVmax is 9.7 HU.", False),
    ],
)
def test_intensities_of_a_pet_lesion(text: str, right: bool, toy_ledger: Ledger) -> None:
    (item,) = (e for e in toy_ledger.of_type("lesion_intensity") if "suv_peak" in e.fields)
    assert (check_claim(Claim(text, (item.id,)), toy_ledger).verdict is Verdict.SUPPORTED) is right


@pytest.mark.parametrize(
    ("text", "place", "right"),
    [
        ("The lesion on CT chest is measurable by RECIST 1.1.", 0, True),
        ("The lesion on FDG-PET is not measurable by RECIST 1.1.", 1, True),
        ("The lesion on FDG-PET is measurable by RECIST 1.1.", 1, False),
        ("The lesion on CT chest is not measurable by RECIST 1.1.", 0, False),
    ],
)
def test_measurability_keeps_its_negation(text: str, place: int, right: bool, toy_ledger: Ledger) -> None:
    item = toy_ledger.of_type("lesion")[place]
    assert (check_claim(Claim(text, (item.id,)), toy_ledger).verdict is Verdict.SUPPORTED) is right
