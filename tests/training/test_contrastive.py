"""NT-Xent against the formula pair by pair, groups against separate devices, and a step that learns."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from reprise.models.clmr import Projector
from reprise.models.tune import TUNe
from reprise.training.contrastive import ContrastiveModel, chance_loss, contrastive_step, nt_xent, pair_accuracy
from reprise.training.loop import fit


def pairs(n, d=6, *, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, n, d, generator=generator, dtype=dtype).unbind()


def term_by_term(z_a, z_b, temperature):
    """The definition, one anchor after another."""
    z = [row.double() for row in (*z_a, *z_b)]
    n, total = len(z_a), 0.0
    for i, anchor in enumerate(z):
        similar = [float(anchor @ other / anchor.norm() / other.norm()) / temperature for other in z]
        others = [math.exp(value) for k, value in enumerate(similar) if k != i]
        total -= math.log(math.exp(similar[(i + n) % (2 * n)]) / sum(others))
    return total / (2 * n)


@settings(max_examples=20)
@given(st.integers(2, 9), st.integers(0, 1000), st.sampled_from([0.1, 0.5, 2.0]))
def test_equals_the_definition(n, seed, temperature):
    z_a, z_b = pairs(n, seed=seed)
    assert nt_xent(z_a, z_b, temperature=temperature).item() == pytest.approx(
        term_by_term(z_a, z_b, temperature), rel=1e-5
    )


@pytest.mark.parametrize("groups", [1, 2, 3])
def test_groups_are_devices_that_do_not_see_each_other(groups):
    z_a, z_b = pairs(12)
    parts = [term_by_term(a, b, 0.5) for a, b in zip(z_a.chunk(groups), z_b.chunk(groups), strict=True)]
    assert nt_xent(z_a, z_b, groups=groups).item() == pytest.approx(sum(parts) / groups, rel=1e-5)


def test_gradients_are_those_of_the_definition():
    z_a, z_b = (z.clone().requires_grad_() for z in pairs(5))
    nt_xent(z_a, z_b).backward()
    step = 1e-3
    for index in ((0, 0), (4, 3)):
        moved = z_a.detach().clone()
        moved[index] += step
        higher = term_by_term(moved, z_b.detach(), 0.5)
        moved[index] -= 2 * step
        slope = (higher - term_by_term(moved, z_b.detach(), 0.5)) / (2 * step)
        assert z_a.grad[index].item() == pytest.approx(slope, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("n", [96, 48, 32])
def test_unrelated_vectors_cost_what_chance_says(n):
    assert chance_loss(n) == math.log(2 * n - 1)
    # the spread of cosines of d features adds about 1 / (2 d τ²)
    z_a, z_b = pairs(n, 512)
    assert nt_xent(z_a, z_b).item() == pytest.approx(chance_loss(n), abs=0.02)


def test_equal_vectors_cost_exactly_chance_and_perfect_pairs_far_less():
    same = torch.ones(8, 4)
    assert nt_xent(same, same).item() == pytest.approx(chance_loss(8), rel=1e-6)
    apart = torch.eye(8)
    assert nt_xent(apart, apart, temperature=0.1).item() == pytest.approx(math.log(1 + 14 * math.exp(-10)), rel=1e-3)


def test_scale_and_order_of_clips_do_not_matter():
    z_a, z_b = pairs(7)
    order = torch.randperm(7, generator=torch.Generator().manual_seed(1))
    expected = nt_xent(z_a, z_b)
    torch.testing.assert_close(nt_xent(3 * z_a[order], 0.1 * z_b[order]), expected)
    torch.testing.assert_close(nt_xent(z_b, z_a), expected)


def test_half_precision_and_autocast_lose_only_the_projections_own_digits():
    z_a, z_b = pairs(8)
    exact = nt_xent(z_a.bfloat16().float(), z_b.bfloat16().float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = nt_xent(z_a.bfloat16(), z_b.bfloat16())
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, exact)


def test_pairs_found_are_counted():
    apart = torch.eye(4)
    assert pair_accuracy(apart, apart).item() == 1
    # the second pair's views look like each other's neighbours
    other = apart.clone()
    other[[0, 1]] = other[[1, 0]]
    assert pair_accuracy(apart, other).item() == 0.5
    assert pair_accuracy(apart, other, groups=2).item() == 0.5


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"temperature": 0}, "temperature"),
        ({"groups": 4}, "6 clips .* into 4"),
        ({"groups": 6}, "at least 2"),
    ],
)
def test_impossible_settings_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        nt_xent(*pairs(6), **options)


def test_views_of_different_batches_are_refused():
    with pytest.raises(ValueError, match="same shape"):
        nt_xent(torch.ones(4, 3), torch.ones(5, 3))


def tiny(seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return ContrastiveModel(TUNe(filters=2, n_tail=4, plus=True, representation=16), Projector(16, output=8))


def crops(n):
    generator = torch.Generator().manual_seed(3)
    return torch.randn(2, n, 729, generator=generator).unbind()


def test_a_group_sees_only_its_own_batch_norm():
    first, second = crops(8)
    model = tiny()
    alone = [nt_xent(model(first[part]), model(second[part])) for part in (slice(0, 4), slice(4, 8))]
    loss = contrastive_step(groups=2)(model, (first, second))
    torch.testing.assert_close(loss, (alone[0] + alone[1]) / 2)
    shared = contrastive_step(groups=2, split_norms=False)(model, (first, second))
    torch.testing.assert_close(shared, nt_xent(model(first), model(second), groups=2))
    assert abs(shared - loss) > 1e-4


def test_a_batch_that_does_not_split_is_refused():
    with pytest.raises(ValueError, match="7 clips"):
        contrastive_step(groups=2)(tiny(), crops(7))


def test_training_finds_the_pairs():
    time = torch.arange(729) / 729
    pitches = torch.linspace(20, 120, 8)
    clean = torch.sin(2 * torch.pi * pitches[:, None] * time)

    def batches(epoch):
        noise = torch.randn(2, *clean.shape, generator=torch.Generator().manual_seed(epoch))
        return [(clean + 0.05 * noise[0], -clean + 0.05 * noise[1])]

    model = tiny()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    curves = fit(model, batches, loss_fn=contrastive_step(temperature=0.2), optimizer=optimizer, epochs=25, seed=0)
    assert curves["loss"].iloc[0] > chance_loss(8) - 0.5
    assert curves["loss"].iloc[-1] < chance_loss(8) - 1
    views = batches(99)[0]
    with torch.no_grad():
        assert pair_accuracy(model(views[0]), model(views[1])) > 0.6


def test_the_model_is_projector_after_encoder():
    model = tiny().eval()
    audio = crops(4)[0]
    assert isinstance(model.encoder, nn.Module)
    torch.testing.assert_close(model(audio), model.projector(model.encoder(audio)))
