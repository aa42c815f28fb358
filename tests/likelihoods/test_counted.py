"""Values and gradients written out by hand, beside autograd of the formulas."""

import pytest
import scipy.sparse as sp
import torch

from multiome.likelihoods.counted import (
    TABLED,
    counted,
    negative_binomial_log_prob,
    negative_binomial_log_prob_of_cells,
    poisson_log_prob,
    poisson_log_prob_of_cells,
)
from multiome.types import SparseRows


@pytest.fixture
def counts():
    torch.manual_seed(0)
    return torch.poisson(torch.rand(30, 12, dtype=torch.float64) * torch.linspace(0, 6, 12))


def gradients(log_prob, weight, *inputs):
    log_prob = log_prob(*inputs)
    return log_prob, *torch.autograd.grad((weight * log_prob).sum(), [x for x in inputs if x.requires_grad])


def test_poisson_gradient(counts):
    log_rate, weight = torch.randn(30, 12, dtype=torch.float64, requires_grad=True), torch.rand(30, 1)

    def reference(log_rate, x):
        return x * log_rate - log_rate.exp() - torch.lgamma(x + 1)

    found, expected = (gradients(f, weight, log_rate, counts) for f in (poisson_log_prob, reference))
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("shape", [(), (12,), (30, 1), (30, 12)])
def test_negative_binomial_gradients(counts, shape):
    log_mean, weight = torch.randn(30, 12, dtype=torch.float64, requires_grad=True), torch.rand(30, 1)
    theta = (torch.rand(shape, dtype=torch.float64) * 40).add_(0.05).requires_grad_()

    def reference(log_mean, theta, x):
        logits = log_mean - theta.log()
        own = torch.lgamma(x + theta) - torch.lgamma(theta) - torch.lgamma(x + 1)
        return own + theta * torch.nn.functional.logsigmoid(-logits) + x * torch.nn.functional.logsigmoid(logits)

    found = gradients(negative_binomial_log_prob, weight, log_mean, theta, counts)
    expected = gradients(reference, weight, log_mean, theta, counts)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)  # Stirling's series beyond 16


def test_values_of_several_draws_and_no_gradient(counts):
    log_mean, theta = torch.randn(12, dtype=torch.float64), torch.full((12,), 2.0, dtype=torch.float64)
    both = negative_binomial_log_prob(log_mean, theta, torch.stack([counts, counts * 2]))
    torch.testing.assert_close(both[1], negative_binomial_log_prob(log_mean, theta, counts * 2))
    assert not both.requires_grad
    torch.testing.assert_close(
        poisson_log_prob(log_mean, torch.stack([counts, counts]))[0], poisson_log_prob(log_mean, counts)
    )


def test_counted_are_flat_positions_and_values():
    places, values = counted(torch.tensor([[0.0, 1.0], [2.0, 0.0]]), torch.Size([2, 2]))
    assert (places.tolist(), values.tolist()) == ([1, 2], [1, 2])


@pytest.mark.parametrize("sample", [None, [5, 0, 11, 7]])
def test_sparse_rows_are_the_same_as_their_dense_block(counts, sample):
    x = sp.csr_matrix(counts.float().numpy())
    x.data[::7] = 0  # stored zeros
    rows = SparseRows.from_scipy(x)
    features = None if sample is None else torch.tensor(sample)
    dense = rows.dense(features)
    sparse = rows if features is None else rows.sampled(features)
    log_mean = torch.randn(dense.shape, requires_grad=True)
    theta = (torch.rand(dense.shape[1]) * 40).add_(0.05).requires_grad_()
    for log_prob, inputs in ((poisson_log_prob, (log_mean,)), (negative_binomial_log_prob, (log_mean, theta))):
        torch.testing.assert_close(log_prob(*inputs, sparse), log_prob(*inputs, dense))
        one, other = (torch.autograd.grad(log_prob(*inputs, x).sum(), inputs) for x in (sparse, dense))
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("sample", [None, [5, 0, 11, 7]])
def test_whole_cells_are_the_sum_of_their_entries(counts, sample, masked):
    x = sp.csr_matrix(counts.numpy())
    x.data[::7] = 0  # stored zeros
    x.data[1::5] += TABLED - 1
    x.data[2::20] += 500
    rows = SparseRows(*(torch.from_numpy(part).long() for part in (x.indptr, x.indices)), torch.from_numpy(x.data), 12)
    if sample is not None:
        rows = rows.sampled(torch.tensor(sample))
    shape = (len(rows), rows.n_features)
    log_mean = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    theta = (torch.rand(shape[1], dtype=torch.float64) * 40).add_(0.05).requires_grad_()
    measured = torch.rand(shape) < 0.6 if masked else None
    weight = torch.rand(shape[0], dtype=torch.float64)
    for of_cells, log_prob, inputs in (
        (poisson_log_prob_of_cells, poisson_log_prob, (log_mean,)),
        (negative_binomial_log_prob_of_cells, negative_binomial_log_prob, (log_mean, theta)),
    ):
        single = log_prob(*inputs, rows)
        expected = (single if measured is None else single * measured).sum(1)
        found = of_cells(*inputs, rows, measured)
        torch.testing.assert_close(found, expected)
        one, other = (torch.autograd.grad((weight * total).sum(), inputs) for total in (found, expected))
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)  # Stirling's series beyond 16


def test_whole_cells_without_a_gradient_of_the_dispersion(counts):
    rows = SparseRows.from_scipy(sp.csr_matrix(counts.float().numpy()))
    log_mean, theta = torch.randn(counts.shape, requires_grad=True), torch.full((12,), 2.0)
    found = negative_binomial_log_prob_of_cells(log_mean, theta, rows)
    expected = negative_binomial_log_prob(log_mean, theta, rows).sum(1)
    one, other = (torch.autograd.grad(total.sum(), log_mean) for total in (found, expected))
    torch.testing.assert_close(one, other)
