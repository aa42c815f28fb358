"""A small genome: genes, peaks and CpG sites with coordinates (0-based, half-open) and names."""

from __future__ import annotations

import numpy as np
import pandas as pd

SLOT = 1_000  # at most one peak starts in each kilobase, so peaks never overlap

# Surface proteins of common panels, protein/gene where the two names differ; and transcription factors of blood.
_PANEL = """
    CD3/CD3E CD4 CD8a/CD8A CD19 CD20/MS4A1 CD14 CD16/FCGR3A CD56/NCAM1 CD11c/ITGAX CD11b/ITGAM CD45RA/PTPRC
    CD25/IL2RA CD127/IL7R HLA-DR/HLA-DRA CD33 CD34 CD38 CD27 CD28 CD1c/CD1C CD123/IL3RA CD161/KLRB1 CD69 CD279/PDCD1
    CD197/CCR7 CD62L/SELL CD44 CD24 CD10/MME CD71/TFRC CD36 CD41/ITGA2B CD61/ITGB3 CD5 CD7 CD2 CD57/B3GAT1 CD95/FAS
    CD103/ITGAE CD183/CXCR3 CD194/CCR4 CD196/CCR6 CD185/CXCR5 CD21/CR2 CD22 CD40 CD80 CD86 CD64/FCGR1A CD32/FCGR2A
    CD163 CD226 CD314/KLRK1 CD335/NCR1 CD94/KLRD1 CD101 CD117/KIT CD135/FLT3 CD141/THBD CD303/CLEC4C
"""
_FACTORS = """
    SPI1 GATA1 GATA2 GATA3 TBX21 EOMES RUNX1 RUNX3 PAX5 EBF1 TCF7 LEF1 CEBPA CEBPB IRF4 IRF8 BCL11A BCL6 MAFB KLF4
    KLF1 TAL1 LMO2 MYB MEIS1 HOXA9 STAT1 STAT3 NFKB1 REL JUN FOS BATF ETS1 ELF1 FLI1 IKZF1 ZEB2 TCF4 RORC FOXP3
    PRDM1
"""
PROTEINS = {name.split("/")[0]: name.split("/")[-1] for name in _PANEL.split()}
TFS = _FACTORS.split()


def place_genes(*, n_genes: int, n_peaks: int, rng: np.random.Generator) -> tuple[pd.DataFrame, int]:
    """Genes at about one per 150 kb, and the length of a chromosome in slots; genes of known proteins are named so."""
    n_chrom = int(np.clip(-(-n_genes // 100), 1, 22))
    n_slots = max(150 * n_genes, 15 * n_peaks, 1_000) // n_chrom
    place = np.sort(rng.choice(n_slots * n_chrom, n_genes, replace=False))
    strand = rng.choice(["+", "-"], n_genes)
    tss = place % n_slots * SLOT + SLOT // 2
    length = np.exp(rng.normal(np.log(15_000), 0.8, n_genes)).astype(int).clip(500, 400_000)
    start = np.where(strand == "+", tss, np.maximum(tss - length, 0))
    stop = np.where(strand == "+", np.minimum(tss + length, n_slots * SLOT), tss + 1)
    genes = pd.DataFrame(
        {
            "chrom": [f"chr{c + 1}" for c in place // n_slots],
            "chromStart": start,
            "chromEnd": stop,
            "strand": strand,
            "tss": tss,
        },
        index=pd.Index([f"GENE{i + 1:05d}" for i in range(n_genes)]),
    )
    return genes, n_slots


def place_peaks(genes: pd.DataFrame, *, n_peaks: int, n_slots: int, rng: np.random.Generator) -> pd.DataFrame:
    """Promoters of most genes, elements around genes (nearer is likelier), the rest anywhere."""
    chrom, tss = _number(genes["chrom"]), genes["tss"].to_numpy()
    at = chrom * n_slots + tss // SLOT
    taken = rng.permutation(at)[: min(int(0.6 * len(genes)), n_peaks // 4)]
    promoters = set(taken.tolist())
    while len(taken) < n_peaks:
        gene = rng.integers(len(genes), size=n_peaks)
        near = tss[gene] // SLOT + rng.choice([-1, 1], n_peaks) * (1 + rng.exponential(30, n_peaks).astype(int))
        slot = np.where(rng.random(n_peaks) < 0.65, near, rng.integers(n_slots, size=n_peaks))
        inside = (slot >= 0) & (slot < n_slots)
        more = rng.permutation(np.setdiff1d((chrom[gene] * n_slots + slot)[inside], taken))
        taken = np.concatenate([taken, more[: n_peaks - len(taken)]])
    taken = np.sort(taken)
    width = rng.integers(150, 450, n_peaks) * 2
    centre = taken % n_slots * SLOT + SLOT // 2
    peaks = pd.DataFrame(
        {
            "chrom": [f"chr{c + 1}" for c in taken // n_slots],
            "chromStart": centre - width // 2,
            "chromEnd": centre + width // 2,
            "strand": ".",
            "promoter": [slot in promoters for slot in taken.tolist()],
        }
    )
    peaks.index = pd.Index(peaks["chrom"] + ":" + peaks["chromStart"].astype(str) + "-" + peaks["chromEnd"].astype(str))
    return peaks


def place_sites(
    genes: pd.DataFrame, peaks: pd.DataFrame, *, n_sites: int, n_slots: int, rng: np.random.Generator
) -> pd.DataFrame:
    """CpG sites: 40 % near promoters, 40 % inside peaks, 20 % anywhere; ``near`` is the row of that gene or peak."""
    sites = pd.DataFrame(columns=["chrom", "chromStart", "context", "near"])
    end = n_slots * SLOT
    while len(sites) < n_sites:
        context = rng.choice(["promoter", "enhancer", "other"], n_sites, p=[0.4, 0.4, 0.2])
        gene, peak = rng.integers(len(genes), size=n_sites), rng.integers(len(peaks), size=n_sites)
        inside = peaks["chromStart"].to_numpy()[peak] + rng.integers(0, 300, n_sites)
        around = np.clip(genes["tss"].to_numpy()[gene] + rng.integers(-1_500, 1_500, n_sites), 0, end - 1)
        position = np.select(
            [context == "promoter", context == "enhancer"], [around, inside], rng.integers(end, size=n_sites)
        )
        chrom = np.where(context == "enhancer", peaks["chrom"].to_numpy()[peak], genes["chrom"].to_numpy()[gene])
        near = np.select([context == "promoter", context == "enhancer"], [gene, peak], -1)
        more = pd.DataFrame({"chrom": chrom, "chromStart": position, "context": context, "near": near})
        sites = (more if sites.empty else pd.concat([sites, more])).drop_duplicates(["chrom", "chromStart"])
    sites = sites.iloc[:n_sites]
    sites = sites.iloc[np.lexsort([sites["chromStart"].to_numpy(), _number(sites["chrom"])])]
    sites = sites.assign(chromEnd=sites["chromStart"] + 1, strand=".")
    sites = sites[["chrom", "chromStart", "chromEnd", "strand", "context", "near"]]
    sites.index = pd.Index(sites["chrom"] + ":" + sites["chromStart"].astype(str))
    return sites


def in_window(genes: pd.DataFrame, peaks: pd.DataFrame, window: int) -> pd.DataFrame:
    """List every gene and peak whose centre lies within ``window`` of the gene's start, with their distance."""
    far = 10**10  # keeps chromosomes apart on one axis
    centre = _number(peaks["chrom"]) * far + (peaks["chromStart"] + peaks["chromEnd"]).to_numpy() // 2
    tss = _number(genes["chrom"]) * far + genes["tss"].to_numpy()
    first, last = np.searchsorted(centre, tss - window), np.searchsorted(centre, tss + window, side="right")
    gene = np.repeat(np.arange(len(genes)), last - first)
    peak = np.arange(len(gene)) - np.repeat(np.cumsum(last - first) - last, last - first)
    return pd.DataFrame({"gene": gene, "peak": peak, "distance": np.abs(centre[peak] - tss[gene])})


def _number(chrom: pd.Series) -> np.ndarray:
    return chrom.str.removeprefix("chr").astype(int).to_numpy() - 1
