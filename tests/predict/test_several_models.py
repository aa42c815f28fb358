"""Several models of the same cells: predictions are averaged, all else is the first one's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import multiome as mo
from multiome.errors import MultiomeError, MultiomeWarning


@pytest.fixture(scope="module")
def both(quick_fit, small):
    return quick_fit(small.mdata, batch_key="batch", train={"n_models": 2})


@pytest.fixture(scope="module")
def each(both):
    """The two models by themselves."""
    fitted = both._fitted
    return [mo.Multiome(replace(one, others=()), both.history) for one in (fitted, *fitted.others)]


def test_the_first_is_the_one_that_is_fitted_alone(model, both, each, small):
    np.testing.assert_allclose(both.embed(small.mdata), model.embed(small.mdata), rtol=1e-5, atol=1e-6)
    assert len(each) == 2
    assert not np.allclose(each[1].embed(small.mdata), each[0].embed(small.mdata), atol=0.1)


@pytest.mark.parametrize("target", ["rna", "prot"])
def test_expected_values_are_averages(both, each, small, target):
    values = [one.impute(small.mdata, target, n_samples=1).mean for one in each]
    assert np.nanmax(np.abs(values[0] - values[1])) > 0.01
    found = both.impute(small.mdata, target, n_samples=1)
    np.testing.assert_allclose(found.mean, (values[0] + values[1]) / 2, rtol=1e-4, atol=1e-5)


def test_a_smoothed_modality_is_an_average_too(both, each, small):
    values = [one.denoise(small.mdata, "rna").mean for one in each]
    np.testing.assert_allclose(both.denoise(small.mdata, "rna").mean, (values[0] + values[1]) / 2, rtol=1e-4, atol=1e-5)


def test_draws_are_of_both(both, each, small):
    """What the models disagree on widens the interval of the expected value."""
    found = both.impute(small.mdata, "rna", n_samples=4000, scale="log_cp10k")
    means = [one.impute(small.mdata, "rna", n_samples=1, scale="log_cp10k").mean for one in each]
    apart = np.abs(means[0] - means[1]) > 0.1
    assert apart.sum() > 50
    for number, mean in enumerate(means):
        mine = found.expected_draws[number::2].mean(0)
        assert (np.abs(mine - mean) < np.abs(mine - means[1 - number]))[apart].mean() > 0.98


def test_a_saved_model_has_both(both, small, tmp_path):
    both.save(tmp_path / "both.multiome")
    again = mo.Multiome.load(tmp_path / "both.multiome")
    assert len(again._fitted.others) == 1
    assert "averaged over 2 models" in repr(again)
    for one in (both, again):
        one.predicted = one.translate(small.mdata, source="rna", target="atac").X
    np.testing.assert_allclose(again.predicted, both.predicted, rtol=1e-5, atol=1e-7)


def test_reliability_is_that_of_the_average(both, model):
    ours, alone = (one.reliability.set_index("feature")["reliability"] for one in (both, model))
    assert not ours.dropna().empty
    assert not ours.equals(alone)


@pytest.mark.parametrize(("n_paired", "n_models"), [(0, 1), (199, 1), (200, 2), (10_000, 2), (10_001, 1)])
def test_by_default_as_many_as_paired_cells_say(n_paired, n_models):
    assert mo.TrainConfig().n_averaged(n_paired) == n_models
    assert mo.TrainConfig(n_models=3).n_averaged(n_paired) == 3


@pytest.mark.parametrize(("missing", "n_models"), [(0.0, 2), (0.5, 1)])
def test_cells_without_a_partner_do_not_count(quick_fit, missing, n_models, capsys):
    cells = mo.datasets.simulate(
        n_cells=300, modalities=["rna", "atac"], n_genes=30, n_peaks=30, n_tfs=4, n_types=2, n_latent=2,
        pairing={"atac": missing}, depth={"rna": 100, "atac": 80}, seed=1,
    )  # fmt: skip
    found = quick_fit(cells.mdata, steps=2, train={"n_models": None, "progress_bar": True, "validation": 0.1})
    assert 1 + len(found._fitted.others) == n_models
    assert ("Model 2 of 2" in capsys.readouterr().err) == (n_models == 2)


@pytest.mark.parametrize("number", [0, -1])
def test_so_many_models_there_cannot_be(number):
    with pytest.raises(MultiomeError, match="n_models"):
        mo.TrainConfig(n_models=number)


@pytest.mark.parametrize(("interrupted", "kept"), [(1, 1), (2, 1), (3, 2)])
def test_an_interrupt_keeps_what_there_is(quick_fit, small, monkeypatch, interrupted, kept):
    """No further model is trained once the user has ended training, and none that was cut short is averaged."""
    from multiome.train.interrupt import StopOnInterrupt

    begun = []

    def stop_at_once(self, trainer, task):
        begun.append(1)
        self.asked = trainer.should_stop = len(begun) == interrupted

    monkeypatch.setattr(StopOnInterrupt, "on_fit_start", stop_at_once)
    with pytest.warns(MultiomeWarning, match="interrupted"):
        found = quick_fit(small.mdata, batch_key="batch", train={"n_models": 3})
    assert 1 + len(found._fitted.others) == kept
    assert len(begun) == interrupted
