"""Same seed, same result, bit for bit; and nobody else's random numbers are touched."""

from __future__ import annotations

import numpy as np
import pytest
import torch


def weights(model) -> dict[str, torch.Tensor]:
    return model._fitted.vae.state_dict()


@pytest.fixture(scope="module")
def again(quick_fit, small):
    """A second model fitted as `model` was, in another state of the global random numbers."""
    torch.manual_seed(123)
    np.random.seed(123)  # noqa: NPY002
    return quick_fit(small.mdata, batch_key="batch")


def test_same_seed_gives_the_same_weights(model, again):
    assert weights(model).keys() == weights(again).keys()
    for name, value in weights(model).items():
        assert torch.equal(value, weights(again)[name]), name


def test_same_seed_gives_the_same_results(model, again, small):
    np.testing.assert_array_equal(model.embed(small.mdata), again.embed(small.mdata))
    one, two = (m.impute(small.mdata, "atac", n_samples=3) for m in (model, again))
    np.testing.assert_array_equal(one.mean, two.mean)
    np.testing.assert_array_equal(one.draws, two.draws)
    assert model.history.equals(again.history)


def test_another_seed_gives_another_model(model, quick_fit, small):
    other = quick_fit(small.mdata, batch_key="batch", seed=1)
    assert not np.allclose(model.embed(small.mdata), other.embed(small.mdata), atol=1e-3)


def test_another_seed_gives_other_draws(model, small):
    one, two = (model.impute(small.mdata, "atac", n_samples=3, seed=seed) for seed in (0, 1))
    assert not np.array_equal(one.draws, two.draws)


def global_states() -> tuple:
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002
    return torch.get_rng_state().tolist(), kind, keys.tolist(), rest


def test_global_random_numbers_are_left_alone(quick_fit, small):
    before = global_states()
    model = quick_fit(small.mdata, batch_key="batch")
    assert global_states() == before
    model.embed(small.mdata)
    model.translate(small.mdata, source="rna", target="prot", scale="clr")
    model.impute(small.mdata, "met", n_samples=2)
    assert global_states() == before


def test_global_random_numbers_are_left_alone_by_a_failure(quick_fit, small, monkeypatch):
    def fail(*_, **__):
        torch.rand(3)
        raise RuntimeError("stop")

    before = global_states()
    monkeypatch.setattr("multiome.predict.models.train", fail)
    with pytest.raises(RuntimeError, match="stop"):
        quick_fit(small.mdata)
    assert global_states() == before


def test_settings_of_torch_are_left_alone(quick_fit, small):
    def settings() -> tuple:
        return (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled(), torch.get_default_dtype(),
                torch.is_grad_enabled())  # fmt: skip

    before = settings()
    quick_fit(small.mdata["rna"])
    assert settings() == before
