"""Predicted accessibility against observed fragments."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score, roc_auc_score

from multiome.metrics import accessibility as score
from multiome.metrics import auroc


@pytest.fixture
def data(rng):
    n, p = 80, 50
    rate = rng.gamma(0.5, 0.4, p) * rng.gamma(4, 0.25, (n, 1))
    counts = rng.poisson(rate)
    counts[3] = 0  # a cell without a positive
    counts[:, 5] = 1 + counts[:, 5]  # a peak seen everywhere
    predicted = (rate * rng.lognormal(sigma=0.7, size=(n, p))).astype(np.float32)
    return predicted, sp.csr_matrix(counts)


def written_out(predicted, counts, min_cells):
    seen = counts.toarray() > 0
    n = len(seen)
    peaks = [j for j in range(seen.shape[1]) if min_cells <= seen[:, j].sum() < n]
    cells = [i for i in range(n) if 0 < seen[i].sum() < seen.shape[1]]
    depth = counts.toarray().sum(1)
    decile = np.array([(rank - 1) * 10 // n for rank in rankdata(depth, method="ordinal")])
    depth_free = []
    for j in peaks:
        x, y = predicted[:, j], seen[:, j]
        same = decile[y][:, None] == decile[~y][None]
        d = x[y][:, None] - x[~y][None]
        if same.any():
            depth_free.append((((d > 0) + 0.5 * (d == 0)) * same).sum() / same.sum())
    return {
        "cell_auroc": np.mean([roc_auc_score(seen[i], predicted[i]) for i in cells]),
        "peak_auroc": np.mean([roc_auc_score(seen[:, j], predicted[:, j]) for j in peaks]),
        "peak_auroc_depth_free": np.mean(depth_free),
        "auprc": average_precision_score(seen[:, peaks].ravel(), predicted[:, peaks].ravel()),
    }


def test_by_hand():
    # Three cells, four peaks; peaks seen in one or two cells count.
    counts = np.array([[2, 0, 0, 1], [0, 1, 0, 1], [1, 0, 0, 1]])
    predicted = np.array([[0.9, 0.1, 0.2, 0.3], [0.5, 0.4, 0.2, 0.1], [0.2, 0.3, 0.2, 0.8]])
    found = score(predicted, counts, min_cells=1)
    # Cell 1: positives .9, .3 over .1, .2: 4 of 4. Cell 2: positives .4, .1 against .5, .2: .4 wins 1, .1 none: 1 of 4.
    # Cell 3: positives .2, .8 against .3, .2: .2 ties 1, .8 wins 2: 2.5 of 4.
    assert found["cell_auroc"] == pytest.approx((4 / 4 + 1 / 4 + 2.5 / 4) / 3)
    # Peak 1: positives .9, .2 against .5: 1 of 2. Peak 2: .4 against .1, .3: 2 of 2. Peak 3 is never seen, 4 always.
    assert found["peak_auroc"] == pytest.approx((1 / 2 + 1) / 2)
    # Three cells are in three deciles: nothing to compare.
    assert np.isnan(found["peak_auroc_depth_free"])
    # Peaks 1 and 2 in order: .9 +, .5 -, .4 +, .3 -, .2 +, .1 -. Precision at the positives 1/1, 2/3, 3/5.
    assert found["auprc"] == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)


@pytest.mark.parametrize("coarse", [False, True])  # with and without ties
def test_equal_to_definition_and_protocol(data, protocol, coarse):
    predicted, counts = data
    predicted = predicted.round(1) if coarse else predicted
    found = score(predicted, counts, min_cells=5)
    assert found == pytest.approx(written_out(predicted, counts, 5), abs=1e-9)
    assert found == pytest.approx(protocol.accessibility(predicted, counts, min_cells=5), abs=1e-12)


@pytest.mark.parametrize("entries", [1, 137, 10**9])
def test_block_size_changes_nothing(data, monkeypatch, entries):
    expected = score(*data)
    monkeypatch.setattr("multiome.metrics.chromatin.ENTRIES", entries)
    assert score(*data) == pytest.approx(expected, abs=1e-12)


def test_sparse_and_dense_agree(data):
    predicted, counts = data
    thin = np.where(predicted > 0.3, predicted, 0)
    assert score(sp.csr_matrix(thin), counts.tocsc()) == score(thin, counts.toarray())


def test_constant_prediction_is_chance(data):
    _, counts = data
    found = score(np.ones(counts.shape), counts)
    assert [found[k] for k in ("cell_auroc", "peak_auroc", "peak_auroc_depth_free")] == [0.5, 0.5, 0.5]
    seen = counts.toarray() > 0
    peaks = (seen.sum(0) >= 10) & (seen.sum(0) < len(seen))
    assert found["auprc"] == pytest.approx(seen[:, peaks].mean())


def test_invariances(data, rng):
    predicted, counts = data
    expected = score(predicted, counts)
    assert score(predicted * 8, counts) == expected
    assert score(np.sqrt(predicted.astype(float)), counts) == pytest.approx(expected, abs=1e-4)
    peaks = rng.permutation(predicted.shape[1])
    assert score(predicted[:, peaks], counts[:, peaks]) == pytest.approx(expected)
    # A cell's scale does not matter within the cell.
    scaled = predicted * rng.choice([0.5, 1, 2, 4], (len(predicted), 1))
    assert score(scaled, counts)["cell_auroc"] == pytest.approx(expected["cell_auroc"])


def test_depth_alone_gains_per_peak_but_not_within_deciles(rng):
    depth = rng.lognormal(sigma=1, size=(1000, 1))
    counts = rng.poisson(depth * rng.gamma(1, 0.1, 100))
    found = score(np.repeat(depth, 100, axis=1), counts)
    assert found["peak_auroc"] > 0.65
    assert found["peak_auroc_depth_free"] < 0.56


def test_no_peak_is_seen_often_enough(data):
    predicted, counts = data
    found = score(predicted, counts, min_cells=1000)
    assert np.isnan([found["peak_auroc"], found["peak_auroc_depth_free"], found["auprc"]]).all()
    assert found["cell_auroc"] > 0.5


def test_explicit_zeros_are_zeros(data):
    predicted, counts = data
    stored = counts.copy()
    stored.data[::7] = 0
    clean = stored.copy()
    clean.eliminate_zeros()
    assert stored.nnz > clean.nnz
    assert score(predicted, stored) == score(predicted, clean)


def test_memory_is_that_of_a_block(rng, monkeypatch):
    n, p = 400, 12_500
    predicted = rng.random((n, p), dtype=np.float32)
    counts = sp.random_array((n, p), density=0.02, format="csr", rng=rng, dtype=np.float32)
    monkeypatch.setattr("multiome.metrics.chromatin.ENTRIES", n * p // 50)
    tracemalloc.start()
    found = score(predicted, counts)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found["peak_auroc"] == pytest.approx(0.5, abs=0.01)
    assert peak < 8 * n * p / 2  # ranks of the whole matrix would take twice that, and a sort of it as much again


def test_bad_input(data):
    predicted, counts = data
    with pytest.raises(ValueError, match=r"`predicted` and `counts` must have the same shape, got \(80, 49\)"):
        score(predicted[:, 1:], counts)
    holes = predicted.copy()
    holes[0, 0] = np.nan
    with pytest.raises(ValueError, match="`predicted` must be finite, but 1 entries"):
        score(holes, counts)
    with pytest.raises(ValueError, match="`counts` must be finite"):
        score(predicted, sp.csr_matrix(holes))
    with pytest.raises(ValueError, match="empty"):
        score(np.zeros((0, 3)), np.zeros((0, 3)))
    with pytest.raises(ValueError, match="must hold numbers"):
        score(np.full((2, 2), "a"), np.zeros((2, 2)))


def test_cell_score_is_the_mean_of_single_scores(data):
    predicted, counts = data
    each = [auroc(p, c > 0) for p, c in zip(predicted, counts.toarray(), strict=True)]
    assert score(predicted, counts)["cell_auroc"] == pytest.approx(np.nanmean(each))
