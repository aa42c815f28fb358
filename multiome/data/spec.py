"""What a model was built for: features, layers, depths and experimental batches, as a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from multiome.errors import UnknownName, listed, unknown
from multiome.modalities.base import Modality, keep_everything
from multiome.modalities.registry import LIKELIHOODS, MODALITIES, TRANSFORMS, recognise


@dataclass(frozen=True)
class ModalitySpec:
    """One modality of the training data."""

    kind: str
    likelihood: str
    transform: str
    features: tuple[str, ...]
    """The features that the model uses, in its order."""
    other_features: tuple[str, ...]
    """The features that count towards a cell's depth only."""
    share: tuple[float, ...]
    """Each feature's mean share of the depth, in the order of ``features + other_features``."""
    median_depth: float
    """Exposure 1: the median depth of the training cells (1 where a modality has no depth)."""
    n_cells: int
    """Training cells that have this modality; empty ones that were dropped do not count."""
    has_depth: bool
    layer: str | None
    coverage_layer: str | None
    halved: bool
    n_components: int
    notes: tuple[str, ...] = ()
    lender: str | None = None
    """The modality whose components this one's encoder is shown too, averaged along the guidance graph."""
    n_borrowed: int = 0
    """How many those are."""
    n_panels: int = 1
    """How many different panels of features the training cells were measured with."""
    lacking: tuple[tuple[tuple[int, ...], ...], ...] = ()
    """Per covariate and level, the features that none of its cells was measured in; empty with a single panel."""
    cells_per_level: tuple[tuple[int, ...], ...] = ()
    """Per covariate and level, how many training cells have this modality; empty where that was not noted."""
    largest: float | None = None
    """Of values that are no counts: the largest absolute one in training; None where that was not noted."""
    is_whole: bool | None = None
    """Of values that are no counts: whether all were whole numbers."""

    @property
    def n_own_components(self) -> int:
        """Components of this modality's own values."""
        return max(1, min(self.n_components, len(self.features)))

    @property
    def modality(self) -> Modality:
        """The modality object that this was made from."""
        known = MODALITIES[self.kind]
        return replace(
            known,
            likelihood=LIKELIHOODS[self.likelihood],
            transform=TRANSFORMS[self.transform],
            has_depth=self.has_depth,
            layer=self.layer,
            coverage_layer=self.coverage_layer,
            n_components=self.n_components,
            recipe=keep_everything,
        )


def nested(value: Sequence[Sequence[Sequence[int]]] | None) -> tuple[tuple[tuple[int, ...], ...], ...]:
    """Lists as JSON has them, as tuples; before format 8 there were none."""
    return tuple(tuple(tuple(features) for features in levels) for levels in value or ())


@dataclass(frozen=True)
class Covariate:
    """One experimental batch variable: its levels and how many training cells each has."""

    name: str
    levels: tuple[str, ...]
    n_cells: tuple[int, ...]


@dataclass(frozen=True)
class DataSpec:
    """Modalities by their key in the `MuData`, and covariates."""

    modalities: Mapping[str, ModalitySpec]
    covariates: tuple[Covariate, ...]
    n_cells: int

    def key(self, name: str) -> str:
        """An exact key, else the one modality of that kind, else an error that lists the keys.

        Raises
        ------
        UnknownName
            If nothing, or more than one modality, fits ``name``, or it is no name.
        """
        if not isinstance(name, str):
            raise UnknownName(f"A modality is named by a word ({listed(self.modalities)}), got {name!r}.")
        if name in self.modalities:
            return name
        kind = recognise(name)
        fitting = [k for k, s in self.modalities.items() if kind is not None and s.kind == kind.name]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            several = f" (several are of kind {self.modalities[fitting[0]].kind!r})"
            raise unknown("modality", name, list(self.modalities), where=several)
        raise unknown("modality", name, list(self.modalities))

    def to_json(self) -> dict[str, Any]:
        """A value of plain lists, strings and numbers."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> DataSpec:
        """The inverse of `to_json`."""
        sequences = ("features", "other_features", "share", "notes")
        return cls(
            {
                key: ModalitySpec(
                    **{
                        **spec,
                        **{name: tuple(spec[name]) for name in sequences},
                        "lacking": nested(spec.get("lacking")),
                        "cells_per_level": tuple(tuple(levels) for levels in spec.get("cells_per_level", ())),
                    }
                )
                for key, spec in value["modalities"].items()
            },
            tuple(Covariate(c["name"], tuple(c["levels"]), tuple(c["n_cells"])) for c in value["covariates"]),
            value["n_cells"],
        )

    def average_batch(self, covariate: int) -> np.ndarray:
        """Share of training cells per level of one covariate."""
        n = np.asarray(self.covariates[covariate].n_cells, dtype=np.float32)
        return n / n.sum()
