"""Build the assays of a simulation: baselines, noise, batch effects and the depth of every cell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from jaxtyping import Float, Int

from multiome.datasets.assay import Assay, Cells
from multiome.datasets.assays import Antibodies, Bisulfite, Fragments, Transcripts
from multiome.datasets.regulation import Network
from multiome.datasets.settings import MODALITIES, Settings

DEPTH_SD = {"rna": 0.5, "atac": 0.6, "prot": 0.45, "met": 0.4}  # of log depth within a batch, beside the counting noise
SHIFTED = 0.3  # share of features that a batch effect touches
ENTRIES = 4_000_000  # of a dense block; a constant, so that it cannot change what a seed gives


def build_assays(
    settings: Settings, network: Network, reference: Float[np.ndarray, "cell tf"], rng: np.random.Generator
) -> dict[str, Assay]:
    """Draw the parameters of every assay; all four, so that `modalities` does not change the others' draws."""
    shift = {m: _shift(settings, len(network.var[m]), everywhere=m == "prot", rng=rng) for m in MODALITIES}
    n = {m: len(network.var[m]) for m in MODALITIES}
    promoter, context = network.var["atac"]["promoter"].to_numpy(), network.var["met"]["context"].to_numpy()

    rna = Transcripts(
        name="rna",
        effect=network.effect["rna"],
        shift=shift["rna"],
        base=rng.normal(0, 1.6, n["rna"]),
        dispersion=np.exp(rng.normal(np.log(0.4), 0.7, n["rna"])),
        dropout=settings.dropout,
    )
    atac = Fragments(
        name="atac",
        effect=network.effect["atac"],
        shift=shift["atac"],
        base=rng.normal(0, 1.3, n["atac"]) + 1.0 * promoter,
    )
    signal = reference @ network.effect["prot"]
    share = rng.uniform(0.04, 0.6, n["prot"])
    prot = Antibodies(
        name="prot",
        effect=network.effect["prot"],
        shift=shift["prot"],
        base=rng.normal(0, 1.0, n["prot"]),
        fold=np.exp(rng.normal(np.log(12), 0.8, n["prot"])).clip(2.5, 60),
        threshold=np.array([np.quantile(x, 1 - q) for x, q in zip(signal.T, share, strict=True)]),
        dispersion=np.exp(rng.normal(np.log(0.35), 0.4, n["prot"])),
    )
    middle = np.select([context == "promoter", context == "enhancer"], [-0.8, 0.5], 1.5)
    site = np.exp(rng.normal(0, 0.35, n["met"]))
    met = Bisulfite(
        name="met",
        effect=network.effect["met"],
        shift=shift["met"],
        base=middle + rng.normal(0, 0.8, n["met"]),
        share=site / site.sum(),
    )
    return {m: assay for m, assay in zip(MODALITIES, (rna, atac, prot, met), strict=True) if m in settings.modalities}


def draw_sizes(
    settings: Settings, assays: Mapping[str, Assay], cells: Cells, rng: np.random.Generator
) -> dict[str, Float[np.ndarray, " cell"]]:
    """Log-normal depth, correlated between the modalities of a cell, shifted by batch.

    Expected total counts for RNA, ATAC and methylation (coverage). For protein the capture efficiency: the total also
    grows with the proteins that a cell carries, and its median is the stated depth.
    """
    quality, own = rng.normal(size=len(cells)), rng.normal(size=(len(MODALITIES), len(cells)))
    batch = (
        settings.batch_effect * 0.5 * rng.normal(size=(len(MODALITIES), settings.n_batches)) * (settings.n_batches > 1)
    )
    sizes = {}
    for k, name in enumerate(MODALITIES):
        if name in assays:
            mixed = np.sqrt(settings.depth_correlation) * quality + np.sqrt(1 - settings.depth_correlation) * own[k]
            sizes[name] = settings.depth[name] * np.exp(DEPTH_SD[name] * mixed + batch[k, cells.batch])
    if "prot" in assays:
        sample = Cells(cells.activity, cells.lagged, cells.batch, {"prot": np.full(len(cells), 100.0)})[:4096]
        drawn = assays["prot"].without_batch().draw(sample, rng)
        sizes["prot"] = sizes["prot"] * 100 / float(np.median(np.asarray(drawn.x.sum(1))))
    return sizes


def blocks(n_cells: int, n_features: int) -> Iterator[slice]:
    """Yield runs of cells whose dense matrix stays small."""
    step = max(1, ENTRIES // max(n_features, 1))
    return (slice(i, min(i + step, n_cells)) for i in range(0, n_cells, step))


def draw_batches(settings: Settings, rng: np.random.Generator) -> Int[np.ndarray, " cell"]:
    """Equal shares, at random, so that batches do not differ in composition."""
    return rng.permutation(np.arange(settings.n_cells) % settings.n_batches)


def _shift(settings: Settings, n_features: int, *, everywhere: bool, rng: np.random.Generator) -> np.ndarray:
    shape = (settings.n_batches, n_features)
    touched = (rng.random(n_features) < SHIFTED) | everywhere
    return settings.batch_effect * rng.normal(size=shape) * touched * (settings.n_batches > 1)
