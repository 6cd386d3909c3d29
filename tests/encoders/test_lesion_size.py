"""RECIST 1.1 measurability, and when it cannot be judged."""

from __future__ import annotations

import numpy as np
import pytest

from encoders.lesion_size import in_plane_diameters, is_node, recist_diameters, why_not_measurable
from encoders.patient import ImagingModality, ImagingSeries, IntensityUnit, Segment, SourceLocator

WHERE = SourceLocator("ct")


def series(thickness: float = 2.0, modality: ImagingModality = ImagingModality.CT, affine=None, mask=None):
    mask = np.ones((2, 3, 3), bool) if mask is None else mask
    affine = np.diag([1.0, 1.0, thickness, 1.0]) if affine is None else affine
    unit = {"CT": IntensityUnit.HU, "PT": IntensityUnit.SUVBW}.get(modality.value, IntensityUnit.ARBITRARY)
    return ImagingSeries(
        modality, "1", None, np.ones(mask.shape, np.float32), unit, (thickness, 1.0, 1.0), affine, WHERE,
        segments=(Segment("Lesion", mask, WHERE),),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("thickness", "label", "longest", "short", "why"),
    [
        (2.0, "Lesion", 10.0, 4.0, None),
        (2.0, "Lesion", 9.9, 9.0, "longest diameter is below 10 mm"),
        (5.0, "Lesion", 10.0, 4.0, None),
        (7.5, "Lesion", 14.0, 9.0, "below 15 mm for slices 7.5 mm apart"),
        (7.5, "Lesion", 15.0, 9.0, None),
        (2.0, "axillary node", 30.0, 14.0, "short axis is below 15 mm"),
        (2.0, "LN 4R", 18.0, 15.0, None),
    ],
)
def test_measurable_sizes_by_recist(thickness, label, longest, short, why) -> None:
    got = why_not_measurable(series(thickness), label, longest_mm=longest, short_axis_mm=short)
    assert got is None if why is None else why in (got or "")


def test_pet_and_slices_that_are_not_axial_are_not_measurable() -> None:
    pet = series(modality=ImagingModality.PT)
    assert "PT gives no diameter" in (why_not_measurable(pet, "Lesion", longest_mm=40, short_axis_mm=30) or "")
    sagittal = series(affine=np.array([[0, 0, 2.0, 0], [1, 0, 0, 0], [0, -1.0, 0, 0], [0, 0, 0, 1]]))
    assert "not axial" in (why_not_measurable(sagittal, "Lesion", longest_mm=40, short_axis_mm=30) or "")


@pytest.mark.parametrize("label", ["Node", "lymph node 3", "LN 4R", "GTVn1", "GTV-N", "nodal GTV", "Lymphadenopathy"])
def test_labels_of_lymph_nodes(label: str) -> None:
    assert is_node(label)


@pytest.mark.parametrize("label", ["Nodule", "lung nodule 2", "GTV-1", "Tumor_c40", "Lesion", "GTVp"])
def test_labels_that_are_not_nodes(label: str) -> None:
    assert not is_node(label)


def test_the_search_for_the_longest_slice_leaves_none_out() -> None:
    """The bound by which slices are skipped must not change the answer: compared with looking at every slice."""
    rng = np.random.default_rng(5)
    for _ in range(20):
        mask = rng.random((6, 9, 9)) < 0.08
        mask[2, 3, 3] = True
        one = series(mask=mask)
        got = in_plane_diameters(one, one.segments[0])
        cuts = [mask[z : z + 1] for z in range(6)]
        each = [in_plane_diameters(series(mask=cut), Segment("s", cut, WHERE)) for cut in cuts]
        assert got.longest_mm == max(d.longest_mm for d in each if d)
        assert recist_diameters(one, one.segments[0]) == got
