"""A loss that stops being finite ends training with an error that says which, and through which modality."""

from __future__ import annotations

import pytest
import torch

from multiome.errors import TrainingDiverged
from multiome.predict import models

# pyro: says which site was NaN, before the error that this is about.
pytestmark = pytest.mark.filterwarnings("ignore:Encountered NaN:UserWarning")


def poison(monkeypatch, key: str, name: str) -> None:
    """Training begins with NaN in one parameter."""
    begin = models.begin

    def begin_poisoned(*args, **kwargs):
        vae = begin(*args, **kwargs)
        with torch.no_grad():
            dict(vae.channel(key).named_parameters())[name].fill_(torch.nan)
        return vae

    monkeypatch.setattr("multiome.predict.models.begin", begin_poisoned)


@pytest.mark.parametrize("key", ["rna", "atac", "prot", "met"])
def test_a_broken_decoder_is_blamed(quick_fit, small, monkeypatch, key):
    poison(monkeypatch, key, "head.embedding")
    with pytest.raises(TrainingDiverged, match=rf"step 0: loss .*'elbo'.* through modality '{key}'\. .*learning_rate"):
        quick_fit(small.mdata)


@pytest.mark.parametrize("key", ["rna", "prot"])
def test_a_broken_encoder_is_blamed(quick_fit, small, monkeypatch, key):
    poison(monkeypatch, key, "encoder.network.linear.weight")
    with pytest.raises(TrainingDiverged, match=rf"through modality '{key}'\."):
        quick_fit(small.mdata)


@pytest.mark.parametrize("validation", [0.0, 0.2])
def test_an_absurd_learning_rate_is_an_error_and_no_model(quick_fit, small, validation):
    with pytest.raises(
        TrainingDiverged, match=r"not finite, through modality '.*lower `train.learning_rate` \(now 1e\+12\)"
    ):
        quick_fit(small.mdata, steps=200, train={"learning_rate": 1e12, "validation": validation})
