"""Surface protein counts (antibody tags)."""

from __future__ import annotations

from multiome.likelihoods.protein_mixture import ProteinMixture
from multiome.modalities.base import Modality, keep_everything
from multiome.nn.transform import CentredLogRatio

PROTEIN = Modality(
    name="protein",
    aliases=("prot", "protein", "proteins", "adt", "cite", "antibody capture"),
    recipe=keep_everything,
    transform=CentredLogRatio,
    likelihood=ProteinMixture,
    has_panels=True,
)
