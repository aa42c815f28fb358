import numpy as np
import pytest
import scipy.sparse as sp
import torch

from multiome.nn.product import ROWS, centred_product, weighted_sum
from multiome.types import SparseRows


@pytest.mark.parametrize("n_features", [1, 7, ROWS, 2 * ROWS + 30])
def test_a_weighted_sum_is_a_product(n_features):
    matrix, weight = torch.randn(n_features, 5, dtype=torch.float64), torch.rand(n_features, dtype=torch.float64)
    torch.testing.assert_close(weighted_sum(matrix, weight), weight @ matrix)


@pytest.mark.parametrize("found", [None, torch.rand(2 * ROWS + 30) < 0.8, torch.rand(6, 2 * ROWS + 30) < 0.8])
def test_rows_of_several_views_less_what_is_usual(found):
    rng = np.random.default_rng(0)
    views = [sp.random(6, 2 * ROWS + 30, density=0.01, format="csr", dtype=np.float32, rng=rng) for _ in range(2)]
    centre, matrix = torch.rand(2 * ROWS + 30), torch.randn(2 * ROWS + 30, 4)
    dense = torch.cat([(torch.from_numpy(x.toarray()) - centre) * (1 if found is None else found) for x in views])
    told = centred_product([SparseRows.from_scipy(x) for x in views], centre, matrix, found)
    torch.testing.assert_close(told, dense @ matrix, rtol=1e-4, atol=1e-4)
