"""Embedding scores are the gradient of the log-likelihood of Poisson counts."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from multiome.likelihoods.poisson import Poisson
from multiome.nn.scores import FOLLOW, SIZE, EmbeddingScores
from multiome.types import SparseRows

X = np.random.default_rng(0).poisson(0.6, (15, 9)).astype(np.float32)
X[4] = 0
FOUND = torch.tensor([True] * 6 + [False] * 3)
EMBEDDING = torch.randn(9, 4, generator=torch.Generator().manual_seed(0))


def rows_of(x):
    return SparseRows.from_scipy(sp.csr_matrix(x))


@pytest.fixture
def scores():
    scores = EmbeddingScores(9, 4).eval()
    scores.average.copy_(torch.linspace(0.1, 1, 9))
    return scores


def test_of_poisson_counts_the_gradient_over_exposure_whatever_that_is(scores):
    likelihood = Poisson(9)
    likelihood.base.data.copy_(scores.average.log())
    exposure = torch.linspace(0.2, 5, 15)[:, None]
    h = torch.zeros(15, 4, requires_grad=True)
    likelihood(h @ EMBEDDING.T[None], exposure=exposure).log_prob(torch.from_numpy(X)).sum().backward()
    rows = rows_of(X)
    found = scores([rows.with_values(rows.values / exposure[rows.rows, 0])], EMBEDDING)
    torch.testing.assert_close(found, SIZE * h.grad / exposure, rtol=1e-4, atol=1e-5)


def test_a_missing_feature_says_nothing(scores):
    part = EmbeddingScores(6, 4).eval()
    part.average.copy_(scores.average[:6])
    other = X.copy()
    other[:, 6:] = 1000
    expected = part([rows_of(X[:, :6])], EMBEDDING[:6])
    torch.testing.assert_close(scores([rows_of(other)], EMBEDDING, FOUND), expected)


def test_the_scale_follows_the_cells_that_were_measured(scores):
    before = scores([rows_of(X)], EMBEDDING) / SIZE
    scores.train()
    present = before[np.flatnonzero(X.sum(1))]
    scores([rows_of(X)], EMBEDDING)
    expected = 1 + FOLLOW * (present.square().mean(0).sqrt() - 1)
    torch.testing.assert_close(scores.scale.data, expected)
    scores([rows_of(0 * X)], EMBEDDING)
    torch.testing.assert_close(scores.scale.data, expected)
    for _ in range(200):
        scores([rows_of(X)], EMBEDDING)
    size = scores([rows_of(X[X.sum(1) > 0])], EMBEDDING).square().mean(0).sqrt()
    torch.testing.assert_close(size, torch.full((4,), SIZE), rtol=1e-3, atol=0)


def test_the_scale_stands_still_after_training(scores):
    scores([rows_of(X)], EMBEDDING)
    assert (scores.scale == 1).all()


def test_no_gradient_reaches_the_embeddings(scores):
    embedding = EMBEDDING.clone().requires_grad_()
    assert not scores([rows_of(X)], embedding).requires_grad
    assert not scores.scale.requires_grad
