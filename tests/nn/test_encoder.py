"""The projection is a sparse matrix product; what is missing adds nothing to it."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from multiome.nn.encoder import MIN_SCALE, CellEncoder, Projection
from multiome.types import SparseRows

X = np.random.default_rng(0).poisson(0.6, (15, 9)).astype(np.float32)
X[4] = 0
X[-1] = 0
FOUND = torch.tensor([True] * 6 + [False] * 3)


@pytest.fixture
def projection():
    return Projection(torch.randn(9, 4), torch.rand(9))


def rows_of(x):
    return SparseRows.from_scipy(sp.csr_matrix(x))


def test_sparse_product(projection):
    expected = (torch.from_numpy(X) - projection.centre) @ projection.loadings
    torch.testing.assert_close(projection([rows_of(X)]), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(projection([rows_of(X)], torch.ones(9, dtype=torch.bool)), projection([rows_of(X)]))


def test_empty_row_is_minus_the_centre(projection):
    expected = -projection.centre @ projection.loadings
    torch.testing.assert_close(projection([rows_of(0 * X)])[0], expected)
    torch.testing.assert_close(projection([rows_of(X)])[4], expected)


def test_missing_feature_contributes_nothing(projection):
    """Neither its values nor its centre: the result is that of a projection of the other features alone."""
    part = Projection(projection.loadings[FOUND], projection.centre[FOUND])
    expected = part([rows_of(X[:, FOUND.numpy()])])
    torch.testing.assert_close(projection([rows_of(X)], FOUND), expected, rtol=1e-4, atol=1e-5)
    other = X.copy()
    other[:, 6:] = 1000
    torch.testing.assert_close(projection([rows_of(other)], FOUND), expected, rtol=1e-4, atol=1e-5)


def test_average_cell_projects_to_zero(projection):
    centre = projection.centre[None].numpy()
    torch.testing.assert_close(projection([rows_of(centre)]), torch.zeros(1, 4), rtol=0, atol=1e-5)


def test_loadings_are_fixed_and_saved(projection):
    assert not list(projection.parameters())
    assert set(projection.state_dict()) == {"loadings", "centre"}


def test_expert_is_never_too_sure():
    encoder = CellEncoder(4, 3, n_hidden=8, dropout=0.0)
    expert = encoder(torch.randn(50, 4) * 1000)
    assert expert.loc.shape == expert.scale.shape == (50, 3)
    assert expert.scale.min() >= MIN_SCALE
    assert torch.isfinite(expert.variance.reciprocal()).all()


def test_an_encoder_may_start_as_another_of_its_last_inputs():
    theirs, mine = (CellEncoder(n, 4, n_hidden=8, dropout=0.0) for n in (3, 5))
    torch.nn.init.normal_(theirs.network.mlp[-1].weight)
    mine.start_as(theirs, n_shared=3)
    own, shared = torch.randn(6, 2), torch.randn(6, 3)
    torch.testing.assert_close(mine(torch.cat([own, shared], 1)).loc, theirs(shared).loc)
    mine(torch.cat([own, shared], 1)).loc.square().sum().backward()
    assert mine.network.linear.weight.grad[:, :2].abs().max() > 0, "what it is blind to at first it can learn"


def test_muted_inputs_say_nothing_and_the_others_start_as_if_they_were_alone():
    torch.manual_seed(0)
    alone, more = (CellEncoder(n, 40, n_hidden=400, dropout=0.0) for n in (20, 100))
    more.mute(80)
    mine, other = torch.randn(6, 80), torch.randn(300, 20)
    torch.testing.assert_close(more(torch.cat([mine, other[:6]], 1)).loc, more(torch.cat([0 * mine, other[:6]], 1)).loc)
    size = [
        encoder(x).loc.std() for encoder, x in ((alone, other), (more, torch.cat([mine[:1].expand(300, -1), other], 1)))
    ]
    torch.testing.assert_close(size[1], size[0], rtol=0.1, atol=0)
