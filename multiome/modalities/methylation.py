"""DNA methylation calls: methylated in ``.X``, all calls in ``layers["coverage"]``.

A site without any call is unobserved in that cell, whether ``.X`` holds 0 or NaN there.
"""

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
