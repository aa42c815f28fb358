"""What a simulation is asked for, checked before anything is drawn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from multiome.errors import MultiomeError, check_whole, unknown

MODALITIES = ("rna", "atac", "prot", "met")
Number: TypeAlias = float | int  # checkers of types at run time do not take an int for a float


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The arguments of `simulate`, with every default filled in."""

    n_cells: int
    modalities: tuple[str, ...]
    n_types: int
    n_genes: int
    n_peaks: int
    n_proteins: int
    n_sites: int
    n_tfs: int
    n_batches: int
    n_latent: int
    batch_effect: Number
    trajectory: bool
    depth: Mapping[str, Number] = field(default_factory=dict)
    """Median of the expected total count of a cell, per modality."""
    depth_correlation: Number
    dropout: Number
    seed: int

    def __post_init__(self) -> None:
        for name in (
            "n_cells",
            "n_types",
            "n_genes",
            "n_peaks",
            "n_proteins",
            "n_sites",
            "n_tfs",
            "n_batches",
            "n_latent",
        ):
            check_whole(name, getattr(self, name))
        if self.n_types > self.n_cells:
            raise MultiomeError(
                f"`n_types` must not exceed `n_cells`, got {self.n_types} types for {self.n_cells} cells."
            )
        if self.n_proteins > self.n_genes:
            raise MultiomeError(
                f"Every protein has its own gene: `n_proteins` must not exceed `n_genes`, "
                f"got {self.n_proteins} proteins for {self.n_genes} genes."
            )
        if not self.modalities or len(set(self.modalities)) != len(self.modalities):
            raise MultiomeError(
                f"`modalities` must be a sequence of distinct keys out of {MODALITIES}, got {self.modalities!r}."
            )
        check_keys("modalities", self.modalities, MODALITIES)
        check_keys("depth", self.depth, MODALITIES)
        for name, value in self.depth.items():
            if not value > 0:
                raise MultiomeError(
                    f"`depth[{name!r}]` must be positive (the median total count of a cell), got {value!r}."
                )
        if not self.batch_effect >= 0:
            raise MultiomeError(
                f"`batch_effect` is a standard deviation and must be at least 0, got {self.batch_effect!r}."
            )
        for name in ("depth_correlation", "dropout"):
            if not 0 <= getattr(self, name) <= 1:
                raise MultiomeError(f"`{name}` must lie in [0, 1], got {getattr(self, name)!r}.")
        object.__setattr__(self, "depth", {**self._usual_depth(), **self.depth})

    def _usual_depth(self) -> dict[str, float]:
        """Take counts per feature as in real sets with that many, levelling off at genome-wide sizes."""
        return {
            "rna": min(0.7 * self.n_genes, 2_500.0),
            "atac": min(0.1 * self.n_peaks, 5_000.0),
            "prot": 30.0 * self.n_proteins,
            "met": 0.2 * self.n_sites,
        }


def check_keys(argument: str, given: Iterable[str], known: Sequence[str]) -> None:
    """Name the first modality that does not exist, and those that do."""
    for key in given:
        if key not in known:
            raise unknown("modality", key, known, where=f" in `{argument}`")
