"""Batch effects enter by level; a level that training did not have is the cell-weighted average."""

import numpy as np
import torch

from multiome.nn.decoder import Head, Trunk

SHARES = [np.array([0.25, 0.75], dtype=np.float32), np.array([0.5, 0.3, 0.2], dtype=np.float32)]


def trunk(shares=SHARES):
    return Trunk(4, 6, shares=shares, n_batch_latent=5, n_hidden=8, dropout=0.0)


def test_levels_pick_their_embedding():
    network = trunk()
    effect = network.batch_effect(torch.tensor([[0, 2], [1, 0]]))
    a, b = network.batch_effects
    torch.testing.assert_close(effect, torch.stack([torch.cat([a[0], b[2]]), torch.cat([a[1], b[0]])]))


def test_unseen_level_is_the_weighted_average():
    network = trunk()
    effect = network.batch_effect(torch.tensor([[-1, -1], [1, -1]]))
    a, b = network.batch_effects
    mean_a, mean_b = 0.25 * a[0] + 0.75 * a[1], 0.5 * b[0] + 0.3 * b[1] + 0.2 * b[2]
    torch.testing.assert_close(effect, torch.stack([torch.cat([mean_a, mean_b]), torch.cat([a[1], mean_b])]))


def test_without_covariates():
    network = trunk([])
    effect = network.batch_effect(torch.zeros(3, 0, dtype=torch.int64))
    assert effect.shape == (3, 0)
    assert network(torch.randn(3, 4), effect).shape == (3, 6)


def test_starts_linear_in_z_and_batch():
    network = trunk()
    z, effect = torch.randn(3, 4), network.batch_effect(torch.tensor([[0, 1], [1, 1], [-1, 0]]))
    linear = network.network.linear
    torch.testing.assert_close(network(z, effect), linear(torch.cat([z, effect], 1)))


def test_draws_share_the_batch_effect():
    network = trunk()
    effect = network.batch_effect(torch.tensor([[0, 1], [1, 1], [-1, 0]]))
    draws = torch.randn(7, 3, 4)
    h = network(draws, effect)
    assert h.shape == (7, 3, 6)
    torch.testing.assert_close(h[5], network(draws[5], effect))


def test_head():
    head = Head(9, 6, n_outputs=2)
    h = torch.randn(3, 6)
    expected = torch.einsum("ch,ofh->ocf", h, head.embedding)
    torch.testing.assert_close(head(h), expected)
    some = torch.tensor([7, 2])
    torch.testing.assert_close(head(h, some), expected[:, :, some])
    weight = torch.randn(2, 3, 2)
    found, wanted = (
        torch.autograd.grad((weight * x).sum(), head.embedding) for x in (head(h, some), expected[:, :, some])
    )
    torch.testing.assert_close(found, wanted)


def test_shares_are_saved():
    network = trunk()
    again = trunk([np.array([0.5, 0.5], dtype=np.float32), np.full(3, 1 / 3, dtype=np.float32)])
    again.load_state_dict(network.state_dict())
    unseen = torch.tensor([[-1, -1]])
    assert torch.equal(again.batch_effect(unseen), network.batch_effect(unseen))
