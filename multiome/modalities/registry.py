"""The modalities and likelihoods that exist, by name: for recognising keys and for reading saved models."""

from __future__ import annotations

from multiome.likelihoods.base import Likelihood
from multiome.likelihoods.bernoulli import Bernoulli
from multiome.likelihoods.beta_binomial import BetaBinomial
from multiome.likelihoods.negative_binomial import NegativeBinomial
from multiome.likelihoods.normal import Normal
from multiome.likelihoods.poisson import Poisson
from multiome.likelihoods.protein_mixture import ProteinMixture
from multiome.modalities.atac import ATAC
from multiome.modalities.base import Modality
from multiome.modalities.methylation import METHYLATION
from multiome.modalities.protein import PROTEIN
from multiome.modalities.rna import RNA
from multiome.nn.transform import CentredLogRatio, Identity, InputTransform, LogNormalise, MethylationResidual, TfIdf

MODALITIES: dict[str, Modality] = {m.name: m for m in (RNA, ATAC, PROTEIN, METHYLATION)}
LIKELIHOODS: dict[str, type[Likelihood]] = {
    c.__name__: c for c in (NegativeBinomial, Poisson, Bernoulli, ProteinMixture, BetaBinomial, Normal)
}
TRANSFORMS: dict[str, type[InputTransform]] = {
    c.__name__: c for c in (LogNormalise, TfIdf, CentredLogRatio, MethylationResidual, Identity)
}


def recognise(key: str) -> Modality | None:
    """The modality that a key of a `MuData` stands for, or None."""
    return next((m for m in MODALITIES.values() if key.lower() in m.aliases), None)
