"""Random views of a minibatch: thinned counts, hidden features, hidden modalities."""

from __future__ import annotations

import pytest
import scipy.sparse as sp
import torch

from multiome.train.views import hide_features, part_of, thin, thin_counts
from multiome.types import Batch, SparseRows

N_CELLS = 400
COUNTS = {"rna": True, "met": True, "score": False}


@pytest.fixture
def batch() -> Batch:
    values = {key: torch.poisson(torch.full((N_CELLS, 5), 3.0)) for key in COUNTS}
    coverage = SparseRows.from_scipy(sp.csr_matrix((values["met"] + 1).numpy()))
    rows = {key: SparseRows.from_scipy(sp.csr_matrix(value.numpy())) for key, value in values.items()}
    rows["met"] = coverage.with_values(values["met"].reshape(-1))
    everything = torch.ones(N_CELLS, dtype=torch.bool)
    return Batch(
        torch.arange(N_CELLS),
        rows,
        dict.fromkeys(COUNTS, everything),
        {key: torch.full((N_CELLS, 1), 2.0) for key in COUNTS},
        torch.zeros(N_CELLS, 0, dtype=torch.long),
        {"met": coverage},
    )


@pytest.mark.parametrize("keep", [0.2, 0.5, 0.9])
def test_thinning_keeps_each_count_with_the_same_probability(batch, keep):
    whole, part = batch.counts["rna"].dense(), thin(batch, keep, counts=COUNTS).counts["rna"].dense()
    assert (part <= whole).all()
    assert torch.equal(part, part.round())
    for value in range(1, 6):  # binomial: mean and variance of what is left of counts of this size
        left = part[whole == value]
        error = 5 * (value * keep * (1 - keep) / len(left)) ** 0.5
        assert float(left.mean()) == pytest.approx(value * keep, abs=error)
        assert float(left.var()) == pytest.approx(value * keep * (1 - keep), rel=0.35)


def test_large_counts_are_thinned_alike():
    sizes = torch.tensor([1.0, 15, 16, 17, 18, 5000])
    rows = SparseRows.from_scipy(sp.csr_matrix(sizes.repeat(N_CELLS, 1).numpy()))
    left = thin_counts(rows, 0.7).dense()
    assert (left <= sizes).all()
    assert torch.equal(left, left.round())
    error = 5 * (sizes * 0.7 * 0.3 / N_CELLS).sqrt()
    assert ((left.mean(0) - sizes * 0.7).abs() < error).all()
    torch.testing.assert_close(left.var(0), sizes * 0.7 * 0.3, rtol=0.4, atol=0)


def test_stored_zeros_stay_zeros():
    sizes = torch.tensor([0.0, 1, 0, 3, 0, 40]).repeat(N_CELLS)
    rows = SparseRows(torch.arange(N_CELLS + 1) * 6, torch.arange(6).repeat(N_CELLS), sizes, 6)
    left = thin_counts(rows, 0.7).values
    assert not left[sizes == 0].any()
    assert left[sizes > 0].any()


def test_the_exposure_shrinks_with_what_was_kept(batch):
    thinned = thin(batch, 0.5, counts=COUNTS)
    share = thinned.counts["rna"].sum() / batch.counts["rna"].sum().clamp_min(1)
    torch.testing.assert_close(thinned.exposure["rna"], batch.exposure["rna"] * share)
    torch.testing.assert_close(thinned.exposure["score"], batch.exposure["score"])


def test_calls_of_a_site_are_kept_or_dropped_with_its_coverage(batch):
    thinned = thin(batch, 0.5, counts=COUNTS)
    coverage, whole = thinned.coverage["met"].values, batch.coverage["met"].values
    calls = thinned.counts["met"].values
    kept = coverage > 0
    assert 0.4 < float(kept.float().mean()) < 0.6
    assert torch.equal(coverage[kept], whole[kept])
    assert torch.equal(calls[kept], batch.counts["met"].values[kept])
    assert not calls[~kept].any()


def test_values_that_are_no_counts_are_not_thinned(batch):
    assert torch.equal(thin(batch, 0.5, counts=COUNTS).counts["score"].values, batch.counts["score"].values)


def test_keeping_everything_changes_nothing(batch):
    found = thin(batch, 1.0, counts=COUNTS)
    for key, rows in batch.counts.items():
        assert torch.equal(found.counts[key].values, rows.values)
        assert torch.equal(found.exposure[key], batch.exposure[key])


def test_the_original_is_not_changed(batch):
    before = {key: rows.values.clone() for key, rows in batch.counts.items()}
    thin(batch, 0.5, counts=COUNTS)
    assert all(torch.equal(batch.counts[key].values, values) for key, values in before.items())


def test_a_part_is_never_empty_strict_and_observed():
    observed = {key: torch.rand(5000) < share for key, share in {"a": 0.9, "b": 0.5, "c": 0.6, "d": 0.3}.items()}
    whole, part = torch.stack(list(observed.values())), torch.stack(list(part_of(observed).values()))
    n_whole, n_part = whole.sum(0), part.sum(0)
    assert not (part & ~whole).any()
    assert (n_part[n_whole > 0] > 0).all()
    assert (n_part[n_whole > 1] < n_whole[n_whole > 1]).all()
    assert torch.equal(n_part[n_whole == 1], n_whole[n_whole == 1])


def test_every_strict_part_occurs():
    observed = {key: torch.ones(3000, dtype=torch.bool) for key in "abc"}
    parts = {tuple(column) for column in torch.stack(list(part_of(observed).values())).T.tolist()}
    assert len(parts) == 6  # of 8 subsets neither none nor all


def test_hidden_features_are_a_share_of_all():
    assert hide_features({"rna": 50}, 0.0) is None
    for share in (0.2, 0.8):
        seen = torch.stack([hide_features({"rna": 200}, share)["rna"] for _ in range(300)]).float()
        assert float(1 - seen.mean()) == pytest.approx(share, abs=0.03)
