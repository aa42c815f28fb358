"""Simulate single-cell multi-omics data whose truth is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp
from mudata import MuData, set_options

from multiome.datasets.assay import Assay, Cells, Draw
from multiome.datasets.measure import blocks, build_assays, draw_batches, draw_sizes
from multiome.datasets.pairing import Pairing, measured
from multiome.datasets.regulation import build_network
from multiome.datasets.settings import MODALITIES, Number, Settings
from multiome.datasets.states import draw_states
from multiome.datasets.truth import Truth
from multiome.errors import check_seed


@dataclass(frozen=True, eq=False)
class Simulation:
    """What a laboratory would hand over, and what is true."""

    mdata: MuData
    truth: Truth


def simulate(
    *,
    n_cells: int = 2_000,
    modalities: Sequence[str] = MODALITIES,
    n_types: int = 6,
    n_genes: int = 500,
    n_peaks: int = 2_000,
    n_proteins: int = 30,
    n_sites: int = 600,
    n_tfs: int = 30,
    n_batches: int = 2,
    n_latent: int = 10,
    batch_effect: Number = 0.3,
    trajectory: bool = True,
    pairing: Pairing = "full",
    depth: Mapping[str, Number] | None = None,
    depth_correlation: Number = 0.4,
    dropout: Number = 0.1,
    seed: int = 0,
) -> Simulation:
    """Simulate RNA, ATAC, surface protein and DNA methylation of the same cells, with everything known.

    **States.** Cell types are leaves of a random tree in latent space; the first type branches into the next two along
    a smooth curve, on which pseudotime runs from 0 to 1. A cell's z scatters normally around its type or its place on
    the curve.

    **Regulation.** TF activities are sigmoids of linear functions of z. A peak's log openness is its baseline plus the
    activities of up to three TFs whose motif it has. A gene's log rate is its baseline plus the log openness of up to
    four peaks within 100 kb, nearer ones likelier and stronger; the other peaks of the window are decoys. A protein
    follows its gene as it was 0.1 pseudotime earlier: the probability to carry it rises with the gene's log rate, and
    the level saturates. The methylated fraction of a CpG site falls with the gene whose promoter, or the peak, it lies
    in, and shares a cell-wide level.

    **Observation.** Depths are log-normal and correlated between the modalities of a cell. RNA is negative binomial
    with dropout, ATAC Poisson fragments, protein a negative binomial around an ambient background plus the foreground,
    methylation beta-binomial calls at Poisson coverage. A batch shifts the log rates of 30 % of the features, the
    depth, and every protein's ambient level. A cell whose counts in a modality all come out 0 gets one count, placed
    by its expected counts.

    Parameters
    ----------
    n_cells, n_types, n_genes, n_peaks, n_proteins, n_sites, n_tfs, n_batches, n_latent
        Sizes; sites are CpG sites, ``n_latent`` the dimensions of z.
    modalities
        Any of ``"rna"``, ``"atac"``, ``"prot"``, ``"met"``. Leaving one out does not change the counts of the others.
    batch_effect
        Standard deviation of the batch effects on log scale (half of it for depth); 0 makes batches exchangeable.
    trajectory
        Whether some types are joined; without, pseudotime is NaN everywhere.
    pairing
        ``"full"``; ``"unpaired"``: every modality in its own cells; ``{"atac": 0.5, "prot": 1 / 3}``: shares of cells
        that lack a modality, at random; ``{("rna", "atac"): 0.2, ("rna",): 0.4, ("atac",): 0.4}``: shares of cells
        with exactly these modalities (a list of groups: equal shares); a boolean table, or mapping to masks, with a
        column per modality and a row per cell. A cell without a modality is absent there. The pairing does not change
        the counts.
    depth
        Median total counts of a cell per modality (methylation: reads over all sites) before dropout and batch
        effects, instead of the usual ones.
    depth_correlation
        Correlation between the log depths of two modalities of a cell.
    dropout
        Probability that a transcript with few molecules is missed altogether.
    seed
        Same seed, same data, bit for bit.

    Returns
    -------
    `Simulation` with ``mdata`` and ``truth``; rows of ``truth`` are all cells, in the order of ``mdata``.

    Examples
    --------
    >>> sim = simulate(n_cells=300, pairing={"prot": 0.5})
    >>> sim.mdata["prot"].n_obs
    150
    >>> sim.truth.expected("prot", sim.truth.withheld("prot"), scale="clr").shape
    (150, 30)
    """
    settings = Settings(
        n_cells=n_cells,
        modalities=(modalities,) if isinstance(modalities, str) else tuple(modalities),
        n_types=n_types,
        n_genes=n_genes,
        n_peaks=n_peaks,
        n_proteins=n_proteins,
        n_sites=n_sites,
        n_tfs=n_tfs,
        n_batches=n_batches,
        n_latent=n_latent,
        batch_effect=batch_effect,
        trajectory=trajectory,
        depth=depth or {},
        depth_correlation=depth_correlation,
        dropout=dropout,
        seed=seed,
    )
    # one stream per step, so that changing one step leaves the others' draws alone
    seed = check_seed(seed)
    streams = np.random.default_rng(seed).spawn(6 + len(MODALITIES))
    for_states, for_network, for_batches, for_assays, for_sizes, for_pairing, *for_counts = streams
    pattern = measured(pairing, n_cells=n_cells, modalities=settings.modalities, rng=for_pairing)

    states = draw_states(n_cells=n_cells, n_types=n_types, n_latent=n_latent, trajectory=trajectory, rng=for_states)
    network = build_network(settings, states.z[:4096], for_network)
    cells = Cells(
        network.activity(states.z), network.activity(states.z_lagged), draw_batches(settings, for_batches), {}
    )
    assays = build_assays(settings, network, cells.lagged[:4096], for_assays)
    cells = Cells(cells.activity, cells.lagged, cells.batch, draw_sizes(settings, assays, cells, for_sizes))
    draws = {m: _observe(assays[m], cells, for_counts[MODALITIES.index(m)]) for m in assays}

    names = pd.Index([f"cell{i + 1:0{len(str(n_cells))}d}" for i in range(n_cells)])
    types, batches = [f"type{k + 1}" for k in range(n_types)], [f"batch{k + 1}" for k in range(n_batches)]
    obs = pd.DataFrame(
        {
            "cell_type": pd.Categorical.from_codes(states.cell_type, types),
            "pseudotime": states.pseudotime,
            "batch": pd.Categorical.from_codes(cells.batch, batches),
        },
        index=names,
    )
    var = {m: network.var[m].drop(columns=["tss", "near"], errors="ignore") for m in settings.modalities}
    counts = {m: _anndata(draws[m], obs, var[m]) for m in settings.modalities}
    truth = Truth(
        obs=obs,
        measured=pattern.set_axis(names, axis=0),
        z=states.z,
        tf_activity=pd.DataFrame(cells.activity, index=names, columns=network.tfs),
        size=pd.DataFrame({m: cells.size[m] for m in settings.modalities}, index=names),
        foreground=draws["prot"].foreground if "prot" in draws else None,
        edges=network.edges,
        decoys=network.decoys,
        counts=counts,
        assays=assays,
        cells=cells,
    )
    return Simulation(_mudata(counts, truth), truth)


def _observe(assay: Assay, cells: Cells, rng: np.random.Generator) -> Draw:
    parts = [assay.draw(cells[rows], rng) for rows in blocks(len(cells), len(assay.base))]
    return Draw(
        sp.vstack([part.x for part in parts], format="csr"),
        None if parts[0].coverage is None else sp.vstack([part.coverage for part in parts], format="csr"),
        None if parts[0].foreground is None else np.concatenate([part.foreground for part in parts]),
    )


def _anndata(draw: Draw, obs: pd.DataFrame, var: pd.DataFrame) -> ad.AnnData:
    layers = {} if draw.coverage is None else {"coverage": draw.coverage}
    return ad.AnnData(draw.x, obs=obs.copy(), var=var.copy(), layers=layers)


def _mudata(counts: Mapping[str, ad.AnnData], truth: Truth) -> MuData:
    """Only the measured cells of every modality, rows in the order of the truth."""
    with set_options(pull_on_update=False):
        mdata = MuData({m: a[truth.measured[m].to_numpy()].copy() for m, a in counts.items()})
        mdata = mdata[truth.obs.index].copy()
    for name in truth.obs:
        mdata.obs[name] = truth.obs[name]
    return mdata
