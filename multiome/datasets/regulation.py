"""The regulatory network: TF -> peak -> gene -> protein, and gene or peak -| methylation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp
from jaxtyping import Float

from multiome.datasets.genome import PROTEINS, TFS, in_window, place_genes, place_peaks, place_sites
from multiome.datasets.settings import Settings

WINDOW = 100_000
ANTIBODY = "_TotalSeqB"  # as 10x names antibodies; keeps the protein CD4 and the gene CD4 apart
COLUMNS = ["source_modality", "source", "target_modality", "target", "sign", "weight", "distance"]


@dataclass(frozen=True, eq=False)
class Network:
    """Features, and how much one standard deviation of each TF's activity moves them."""

    tfs: pd.Index
    var: Mapping[str, pd.DataFrame]
    effect: Mapping[str, Float[np.ndarray, "tf feature"]]
    """On log openness (atac), log rate (rna), standardised log rate of the gene (prot) and logit fraction (met)."""
    loading: Float[np.ndarray, "latent tf"]
    centre: Float[np.ndarray, " tf"]
    mean: Float[np.ndarray, " tf"]
    sd: Float[np.ndarray, " tf"]
    edges: pd.DataFrame
    decoys: pd.DataFrame

    def activity(self, z: Float[np.ndarray, "cell latent"]) -> Float[np.ndarray, "cell tf"]:
        """Linear, then saturating; zero mean and unit variance over the cells that the network was built for."""
        return (_sigmoid(z @ self.loading + self.centre) - self.mean) / self.sd


def build_network(settings: Settings, z: Float[np.ndarray, "cell latent"], rng: np.random.Generator) -> Network:
    """Draw a network whose effects have stated sizes on the reference cells ``z``."""
    s = settings
    tfs = pd.Index([*TFS, *(f"TF{i + 1}" for i in range(len(TFS), s.n_tfs))][: s.n_tfs])
    loading = rng.normal(size=(s.n_latent, s.n_tfs))
    loading *= 2 / np.maximum((z @ loading).std(0), 1e-9)
    centre = rng.normal(0, 1, s.n_tfs) - (z @ loading).mean(0)
    raw = _sigmoid(z @ loading + centre)
    mean, sd = raw.mean(0), np.maximum(raw.std(0), 1e-9)
    a = (raw - mean) / sd

    genes, n_slots = place_genes(n_genes=s.n_genes, n_peaks=s.n_peaks, rng=rng)
    peaks = place_peaks(genes, n_peaks=s.n_peaks, n_slots=n_slots, rng=rng)
    sites = place_sites(genes, peaks, n_sites=s.n_sites, n_slots=n_slots, rng=rng)

    motif = _motifs(peaks["promoter"].to_numpy(), a, rng)
    pairs = in_window(genes, peaks, WINDOW)
    link = _links(pairs, (motif != 0).any(0), rng)
    on_gene = motif @ sp.csr_matrix((link, (pairs["peak"], pairs["gene"])), shape=(s.n_peaks, s.n_genes))
    wanted = np.exp(rng.normal(np.log(0.7), 0.55, s.n_genes)).clip(0.1, 2.0)
    scale = wanted * _inverse(_sd(a, on_gene))
    on_gene, link = on_gene * scale, link * scale[pairs["gene"]]

    chosen = rng.permutation(s.n_genes)
    chosen = chosen[np.argsort(scale[chosen] == 0, kind="stable")][: s.n_proteins]  # regulated genes first
    genes, proteins = _name_proteins(genes, chosen)
    unit_gene, unit_peak = _inverse(_sd(a, on_gene)), _inverse(_sd(a, motif))
    sites, on_site, pull = _methylation(sites, on_gene * unit_gene, motif * unit_peak, a, rng)

    tf, peak = np.nonzero(motif)
    true = link != 0
    from_gene = ((pull != 0) & (sites["context"] == "promoter")).to_numpy()
    from_peak = ((pull != 0) & (sites["context"] == "enhancer")).to_numpy()
    near = sites["near"].to_numpy(dtype=int)
    distance = pairs["distance"].to_numpy()
    edges = [
        _table(("tf", "atac"), tfs[tf], peaks.index[peak], motif[tf, peak]),
        _table(
            ("atac", "rna"),
            peaks.index[pairs["peak"][true]],
            genes.index[pairs["gene"][true]],
            link[true],
            distance[true],
        ),
        _table(("rna", "prot"), genes.index[chosen], proteins.index, unit_gene[chosen]),
        _table(
            ("rna", "met"),
            genes.index[near[from_gene]],
            sites.index[from_gene],
            pull[from_gene] * unit_gene[near[from_gene]],
        ),
        _table(
            ("atac", "met"),
            peaks.index[near[from_peak]],
            sites.index[from_peak],
            pull[from_peak] * unit_peak[near[from_peak]],
        ),
    ]
    decoys = _table(
        ("atac", "rna"), peaks.index[pairs["peak"][~true]], genes.index[pairs["gene"][~true]], 0.0, distance[~true]
    )
    return Network(
        tfs=tfs,
        var={"rna": genes, "atac": peaks, "prot": proteins, "met": sites},
        effect={"rna": on_gene, "atac": motif, "prot": (on_gene * unit_gene)[:, chosen], "met": on_site},
        loading=loading,
        centre=centre,
        mean=mean,
        sd=sd,
        edges=pd.concat([table[table["weight"] != 0] for table in edges], ignore_index=True),
        decoys=decoys,
    )


def _motifs(promoter: np.ndarray, a: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """TFs x peaks: one to three TFs for most distal peaks, for few promoters; one in five represses."""
    n_tfs, n_peaks = a.shape[1], len(promoter)
    n_bound = rng.integers(1, 4, n_peaks) * (rng.random(n_peaks) < np.where(promoter, 0.35, 0.7))
    bound = rng.random((n_peaks, n_tfs)).argsort(1).argsort(1) < n_bound[:, None]
    motif = (bound * rng.choice([1.0, -1.0], bound.shape, p=[0.8, 0.2]) * rng.gamma(4, 0.25, bound.shape)).T
    return motif * np.exp(rng.normal(np.log(0.7), 0.4, n_peaks)) * _inverse(_sd(a, motif))


def _links(pairs: pd.DataFrame, regulated: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Weight of every pair in the window: at most four true peaks per gene, nearer is likelier and stronger; else 0."""
    distance = pairs["distance"].to_numpy()
    true = (rng.random(len(pairs)) < 0.8 * np.exp(-distance / 50_000)) & regulated[pairs["peak"]]
    rank = pairs[true].sort_values(["gene", "distance"], kind="stable").groupby("gene").cumcount()
    true[np.flatnonzero(true)[(rank >= 4).reindex(pairs.index[true]).to_numpy()]] = False
    sign = rng.choice([1.0, -1.0], len(pairs), p=[0.9, 0.1])
    return true * sign * np.exp(-distance / 50_000) * rng.gamma(4, 0.25, len(pairs))


def _name_proteins(genes: pd.DataFrame, chosen: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give the genes of the proteins the names of real ones."""
    names, symbols = genes.index.to_numpy(dtype=object, copy=True), []
    for row, (protein, gene) in zip(chosen, PROTEINS.items(), strict=False):
        names[row] = gene
        symbols.append(protein + ANTIBODY)
    symbols += [f"{names[row]}{ANTIBODY}" for row in chosen[len(symbols) :]]
    genes = genes.set_axis(pd.Index(names.astype(str)), axis=0)
    genes.insert(0, "gene_name", genes.index)
    return genes, pd.DataFrame({"gene": genes.index[chosen]}, index=pd.Index(symbols))


def _methylation(
    sites: pd.DataFrame, on_gene: np.ndarray, on_peak: np.ndarray, a: np.ndarray, rng: np.random.Generator
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Logit fractions fall with the gene or peak near the site, and share a cell-wide level as real cells do."""
    near, context = sites["near"].to_numpy(dtype=int), sites["context"].to_numpy()
    pull = -rng.gamma(6, 1.2 / 6, len(sites))
    on_site = np.zeros((a.shape[1], len(sites)))
    on_site[:, context == "promoter"] = on_gene[:, near[context == "promoter"]]
    on_site[:, context == "enhancer"] = on_peak[:, near[context == "enhancer"]]
    pull = pull * (on_site != 0).any(0)
    level = rng.normal(size=a.shape[1])
    level *= 0.4 / max((a @ level).std(), 1e-9)
    return sites, on_site * pull + level[:, None], pull


def _table(
    between: tuple[str, str],
    source: pd.Index,
    target: pd.Index,
    weight: np.ndarray | float,
    distance: np.ndarray | float = np.nan,
) -> pd.DataFrame:
    weight = np.broadcast_to(weight, len(source))
    values = (between[0], source, between[1], target, np.sign(weight).astype(int), np.abs(weight), distance)
    return pd.DataFrame(dict(zip(COLUMNS, values, strict=True)), index=range(len(source)))


def _sd(a: np.ndarray, effect: np.ndarray) -> np.ndarray:
    """Compute the standard deviation of ``a @ effect`` per column without forming that product; ``a`` is centred."""
    return np.sqrt(np.maximum((a.T @ a / len(a) @ effect * effect).sum(0), 0))


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(x / 2))


def _inverse(sd: np.ndarray) -> np.ndarray:
    """1 / sd, and 0 where nothing varies."""
    return np.where(sd > 1e-9, 1 / np.maximum(sd, 1e-9), 0.0)
