"""Learned offsets carried back to the spectrogram, against the receptive fields of a network of means."""

import numpy as np
import pytest
import torch
from torch import nn

from reprise.models.oblong import OblongCNN
from reprise.papers.singing_technique import offsets

KERNELS = {1: (4, 1), 2: (16, 1), 3: (1, 4)}
LAYERS = {"all": (1, 2, 3, 4), "early": (1, 2), "late": (3, 4), "last": (4,)}
POOLS = {1: 4, 2: 4, 3: 3}


def centre_of_receptive_field(layer: int, cell: tuple[int, int]) -> np.ndarray:
    """Centre of mass of what one input cell of a layer sees, by back-propagation through averages."""
    steps = []
    for number in range(1, layer):
        conv = nn.Conv2d(1, 1, KERNELS[number], padding=tuple(k // 2 for k in KERNELS[number]), bias=False)
        nn.init.ones_(conv.weight)
        steps += [conv, nn.AvgPool2d(POOLS[number])]
    x = torch.zeros(1, 1, 1025, 259, requires_grad=True)
    nn.Sequential(*steps)(x)[0, 0, *cell].backward()
    weight = x.grad[0, 0].numpy()
    rows, columns = np.indices(weight.shape)
    return np.array([(rows * weight).sum(), (columns * weight).sum()]) / weight.sum()


@pytest.mark.parametrize(("layer", "cell"), [(1, (40, 30)), (2, (40, 30)), (3, (20, 8)), (4, (8, 2))])
def test_a_cell_is_drawn_where_its_receptive_field_is_centred(layer, cell):
    ours = offsets._to_spectrogram(np.array(cell, dtype=float), layer)
    np.testing.assert_allclose(ours, centre_of_receptive_field(layer, cell), atol=1e-3)


@pytest.mark.parametrize("placement", ["all", "early", "late", "last"])
def test_an_untrained_network_samples_its_grid(placement):
    model = OblongCNN(deformable=placement).eval()
    spectrogram = torch.rand(1, 3, 257, 130)
    learned = offsets.learned_offsets(model, spectrogram)
    assert tuple(learned) == LAYERS[placement]
    points = offsets.kernel_points(learned, spectrogram[0, 1].numpy(), n_places=2)
    np.testing.assert_allclose(points["bin"], points["bin_deformed"])
    np.testing.assert_allclose(points["frame"], points["frame_deformed"])
    np.testing.assert_allclose(points["weight"], 1.0)


def test_a_constant_offset_moves_every_point_by_its_cells():
    model = OblongCNN(deformable="last").eval()
    layer = next(module for module in model.modules() if isinstance(module, offsets.DeformConv2d))
    with torch.no_grad():
        for parameter in layer.parameters():
            if parameter.shape == (32,):
                parameter[0::2], parameter[1::2] = 1.0, -2.0
    learned = offsets.learned_offsets(model, torch.rand(1, 3, 257, 130))
    (field,) = offsets.mean_fields(learned).values()
    np.testing.assert_allclose(field[0], 1.0)
    np.testing.assert_allclose(field[1], -2.0)
    points = offsets.kernel_points(learned, np.ones((257, 130)), n_places=1)
    np.testing.assert_allclose(points["bin_deformed"] - points["bin"], 48.0)
    np.testing.assert_allclose(points["frame_deformed"] - points["frame"], -96.0)
