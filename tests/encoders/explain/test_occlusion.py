"""Occlusion and image gradients on a stand-in whose answer is known by hand, and Grad-CAM++ beside them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from encoders.errors import ContractError
from encoders.explain.grad_cam import CamWeights, grad_cam
from encoders.explain.occlusion import image_gradients, occlusion_map, surroundings

KIND = torch.zeros(1, dtype=torch.long)


class Brightness(nn.Module):
    """Embedding = mean of a crop's positive part, two numbers that are the same."""

    def stem(self, crops):
        return torch.nn.functional.avg_pool3d(torch.relu(crops), 4)

    def trunk(self, activations, kind):
        return activations.mean(dim=(2, 3, 4)).expand(-1, 2)

    def forward(self, crops, kind):
        return self.trunk(self.stem(crops), kind)


def target(rows):
    return rows[0, 0]


def bright_corner():
    crops = torch.full((1, 1, 32, 32, 32), -1.0)
    crops[0, 0, 0:8, 24:32, 8:16] = 2.0
    return crops


def test_surroundings_are_the_median_of_the_faces():
    assert surroundings(bright_corner()).tolist() == [-1.0]


def test_hiding_the_bright_corner_lowers_the_target_by_all_of_it():
    found = occlusion_map(Brightness(), bright_corner(), KIND, target)[0]
    whole = 2.0 * 8**3 / 32**3
    # two cubes cover this voxel: the corner itself, and one that holds half of it
    assert float(found[1, 30, 9]) == pytest.approx((whole + whole / 2) / 2, rel=1e-5)
    assert float(found[20, 4, 25]) == 0.0
    z, y, x = np.unravel_index(int(found.argmax()), found.shape)
    assert z < 8 and y >= 24 and 8 <= x < 16


def test_image_gradients_are_complete_and_stay_in_the_corner():
    values, error = image_gradients(Brightness(), bright_corner(), KIND, target)
    whole = 2.0 * 8**3 / 32**3
    assert error < 0.05 * whole  # the kink of the positive part costs the quadrature a little
    assert float(values.sum()) == pytest.approx(whole, abs=error + 1e-6)
    assert float(values[0, 20:].abs().max()) == 0.0


def test_no_series_is_refused():
    with pytest.raises(ContractError, match="no series"):
        image_gradients(Brightness(), torch.zeros(0, 1, 32, 32, 32), KIND[:0], target)


@pytest.mark.parametrize("form", list(CamWeights))
def test_every_form_of_grad_cam_marks_the_corner(form):
    cam = grad_cam(Brightness(), bright_corner(), KIND, target, form=form)[0]
    z, y, x = np.unravel_index(int(cam.argmax()), cam.shape)
    assert z < 10 and y >= 22 and 6 <= x < 18
