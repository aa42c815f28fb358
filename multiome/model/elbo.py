"""The evidence lower bound of a Pyro model whose latent states have an analytic Kullback–Leibler divergence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyro
from pyro import poutine
from pyro.infer import TraceMeanField_ELBO
from pyro.poutine.trace_struct import Trace
from pyro.poutine.util import prune_subsample_sites
from torch import Tensor


class AnalyticELBO(TraceMeanField_ELBO):
    """Pyro's own, of one draw, less what a training step has no use for.

    Pyro also evaluates the latent states under model and guide, which their divergence makes needless, and looks
    through every site of every step for what can only be wrong in all of them, or makes the loss NaN.
    """

    def differentiable_loss(self, model: Callable[..., Any], guide: Callable[..., Any], *args: Any) -> Tensor:
        """The negative bound, summed as the plates and scales of the model say."""
        with pyro.validation_enabled(is_validate=False):
            return super().differentiable_loss(model, guide, *args)

    def _get_trace(
        self, model: Callable[..., Any], guide: Callable[..., Any], args: Any, kwargs: Any
    ) -> tuple[Trace, Trace]:
        guided = poutine.trace(guide).get_trace(*args, **kwargs)
        told = poutine.trace(poutine.replay(model, trace=guided)).get_trace(*args, **kwargs)
        guided, told = prune_subsample_sites(guided), prune_subsample_sites(told)
        told.compute_log_prob(lambda name, site: site["is_observed"])
        return told, guided
