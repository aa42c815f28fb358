"""A fresh network is its linear map; later it is more."""

import torch

from multiome.nn.mlp import ResidualMLP


def test_starts_linear():
    network = ResidualMLP(5, 3, n_hidden=16, dropout=0.5)
    x = torch.randn(7, 5)
    torch.testing.assert_close(network(x), x @ network.linear.weight.T + network.linear.bias)
    torch.testing.assert_close(network(x[:2] + x[2:4]), network(x[:2]) + network(x[2:4]) - network.linear.bias)


def test_the_nonlinear_part_learns():
    network = ResidualMLP(5, 3, n_hidden=16, dropout=0.0)
    network(torch.randn(7, 5)).square().sum().backward()
    assert network.mlp[-1].weight.grad.abs().sum() > 0


def test_leading_dimensions():
    network = ResidualMLP(5, 3, n_hidden=16, dropout=0.0)
    x = torch.randn(2, 7, 5)
    torch.testing.assert_close(network(x)[1], network(x[1]))
