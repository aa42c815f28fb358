"""DNA methylation calls: methylated in ``.X``, all calls in ``layers["coverage"]``; one without any is unobserved."""

from __future__ import annotations

from multiome.likelihoods.beta_binomial import BetaBinomial
from multiome.modalities.base import Modality, keep_everything
from multiome.nn.transform import MethylationResidual

METHYLATION = Modality(
    name="methylation",
    aliases=("met", "meth", "methylation", "dnam", "bs"),
    recipe=keep_everything,
    transform=MethylationResidual,
    likelihood=BetaBinomial,
    has_depth=False,
    coverage_layer="coverage",
)
