"""Occlusion on a stand-in whose answer is known by hand, and every form of Grad-CAM beside it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from encoders.explain.grad_cam import CamWeights, grad_cam
from encoders.explain.occlusion import occlusion_map, occlusion_maps, surroundings

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


def test_several_targets_at_once_are_each_their_own():
    crops = bright_corner()
    both = occlusion_maps(Brightness(), crops, KIND, [target, lambda rows: -2 * rows[0, 0]])
    assert torch.allclose(both[0], occlusion_map(Brightness(), crops, KIND, target))
    assert torch.allclose(both[1], -2 * both[0])


@pytest.mark.parametrize("form", list(CamWeights))
def test_every_form_of_grad_cam_marks_the_corner(form):
    cam = grad_cam(Brightness(), bright_corner(), KIND, target, form=form)[0]
    z, y, x = np.unravel_index(int(cam.argmax()), cam.shape)
    assert z < 10 and y >= 22 and 6 <= x < 18
