"""Genes and peaks that were measured."""

import warnings

import mudata as md
import numpy as np
import pandas as pd
import pytest

import multiome as mo
from multiome.errors import MultiomeWarning

from_genome = mo.GuidanceGraph.from_genome


def read(path) -> md.MuData:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what mudata says while it reads
        return md.read_h5mu(path)


@pytest.fixture(scope="module")
def embryonic(bench_data) -> md.MuData:
    """Human embryonic stem cells, peaks of GRCh38."""
    return read(bench_data("chen2018_hesc_rna_atac.h5mu"))


def test_mouse_cortex_peaks_were_chosen_in_their_genes(bench_data):
    mdata = read(bench_data("snareseq_mouse_cortex_rna_atac.h5mu"))
    graph = from_genome(mdata["rna"], mdata["atac"])
    assert len(graph.isolated("atac")) < 0.001 * mdata["atac"].n_vars
    assert len(graph.isolated("rna")) < 0.01 * mdata["rna"].n_vars
    assert (graph.edges["weight"] == 1).all()
    near = from_genome(mdata["rna"], mdata["atac"], window=150_000)
    assert len(near.edges) > len(graph.edges)
    assert near.edges["weight"].min() >= np.float32(151**-0.75)
    assert (near.edges["weight"] == 1).sum() == len(graph.edges)


def test_an_annotation_says_what_the_columns_say(bench_data, embryonic):
    own = from_genome(embryonic["rna"], embryonic["atac"])
    table = bench_data("genes_human_GRCh38_ensembl109.tsv.gz")
    read_in = from_genome(embryonic["rna"], embryonic["atac"], genes=table)
    pd.testing.assert_frame_equal(own.edges, read_in.edges)
    assert len(own.isolated("rna")) < 0.15 * embryonic["rna"].n_vars


def test_genes_of_an_older_assembly_are_noticed(bench_data, embryonic):
    older = bench_data("genes_human_GRCh37.tsv.gz")
    with pytest.warns(MultiomeWarning, match=r"transcription start site, and hardly fewer .*GRCh38, not GRCh37"):
        from_genome(embryonic["rna"], embryonic["atac"], genes=older)


def test_enhancers_found_by_crispr_are_near_their_genes(bench_data):
    found = pd.read_csv(bench_data("enhancer_gene_crispr_K562_hg38.tsv.gz"), sep="\t")
    found = found[found["Regulated"]].assign(
        peak=lambda t: t["chrom"] + ":" + t["chromStart"].astype(str) + "-" + t["chromEnd"].astype(str)
    )
    genes, peaks = pd.Index(found["gene_name"].unique()), pd.Index(found["peak"].unique())
    table = bench_data("genes_human_GRCh38_ensembl109.tsv.gz")
    graph = from_genome(genes, peaks, genes=table, window=150_000)
    linked = set(graph.table()[["source", "target"]].apply(tuple, axis=1))
    share = np.mean([pair in linked for pair in zip(found["gene_name"], found["peak"], strict=True)])
    assert share > 0.8


def test_methylated_promoters_of_mouse_stem_cells(bench_data):
    mdata = read(bench_data("scmt_mesc_rna_met.h5mu"))
    graph = from_genome(mdata["rna"], mdata["met"], keys=("rna", "met"))
    assert (graph.edges["sign"] == -1).all()
    assert graph.edges["distance"].max() <= 2_000
    context = mdata["met"].var.loc[graph.table()["target"], "context"]
    assert (context == "promoter").sum() > (context == "enhancer").sum()
