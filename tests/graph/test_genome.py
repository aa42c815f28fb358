"""Edges between genes and what lies near them."""

import warnings

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import multiome as mo
from multiome.errors import InvalidGraph, MultiomeError, MultiomeWarning
from multiome.graph.genome_arguments import METHYLATION_KEYS, PLACE_KEYS, RNA_KEYS
from multiome.modalities.atac import ATAC
from multiome.modalities.methylation import METHYLATION
from multiome.modalities.rna import RNA

from_genome = mo.GuidanceGraph.from_genome


def test_body_and_upstream_promoter_by_strand(genes, peaks, linked):
    atac = peaks(
        "chr1:7999-8000",  # 1 base too far upstream of AAA
        "chr1:7990-8001",  # the first base of its promoter
        "chr1:9999-10001",  # its TSS
        "chr1:19999-25000",  # its last base
        "chr1:20000-25000",  # the base after it
        "chr1:61999-62500",  # the last base of BBB's promoter, on the other strand
        "chr1:62000-62500",
        "chr1:47000-50000",  # after BBB's end
        "chr3:10-20",
    )
    graph = from_genome(genes, atac)
    assert linked(graph) == {
        ("AAA", "chr1:7990-8001"): (1, 1, 2_000),
        ("AAA", "chr1:9999-10001"): (1, 1, 0),
        ("AAA", "chr1:19999-25000"): (1, 1, 9_999),
        ("BBB", "chr1:61999-62500"): (1, 1, 2_000),
    }
    assert graph.isolated("rna").tolist() == ["CCC", "MT-X"]
    assert len(graph.isolated("atac")) == 5
    assert graph.vertices.tolist()[:5] == [("rna", n) for n in genes.index] + [("atac", "chr1:7999-8000")]


def test_weights_decay_within_the_window(genes, peaks, linked):
    atac = peaks("chr1:19000-19100", "chr1:20999-21100", "chr1:29999-30000", "chr1:30000-30001")
    graph = from_genome(genes.iloc[:1], atac, window=10_000)
    assert linked(graph) == {
        ("AAA", "chr1:19000-19100"): (1, 1, 9_000),
        ("AAA", "chr1:20999-21100"): (pytest.approx(2**-0.75), 1, 10_999),
        ("AAA", "chr1:29999-30000"): (pytest.approx(11**-0.75), 1, 19_999),
    }


def test_methylation_silences_at_promoters_only(genes, peaks, linked):
    met = peaks("chr1:8000-8001", "chr1:12000-12001", "chr1:12001-12002", "chr1:7999-8000", "chr1:59999-60000")
    graph = from_genome(genes, met, keys=("rna", "met"))
    assert linked(graph) == {
        ("AAA", "chr1:8000-8001"): (1, -1, 2_000),
        ("AAA", "chr1:12000-12001"): (1, -1, 2_000),
        ("BBB", "chr1:59999-60000"): (1, -1, 0),
    }
    both = from_genome(genes, met, keys=("rna", "dnam_a"), signs=(-1, 1))
    assert linked(both)["AAA", "chr1:12001-12002"] == (1, 1, 2_001)
    assert linked(both)["AAA", "chr1:12000-12001"] == (1, -1, 2_000)
    body = from_genome(genes, met, keys=("rna", "met"), signs=(0, 1))
    assert list(linked(body)) == [("AAA", "chr1:12001-12002")]


def test_keys_of_methylation_are_those_that_are_recognised():
    assert set(METHYLATION.aliases) == METHYLATION_KEYS


def test_keys_of_genes_and_of_places_are_those_that_are_recognised():
    assert set(RNA.aliases) == RNA_KEYS
    assert {*METHYLATION.aliases, *ATAC.aliases} == PLACE_KEYS


@pytest.mark.parametrize("chrom", ["chr{}", "{}", "Chr{}"])
def test_chromosomes_are_spelt_in_any_way(genes, chrom):
    genes["chrom"] = ["1", "1", "2", "MT"]
    peaks = pd.DataFrame(index=[f"{chrom.format(n)}:300-10400" for n in ("1", "2", "M")])
    assert len(from_genome(genes, peaks).edges) == 3


def test_the_order_of_rows_does_not_matter(genes, peaks, linked):
    atac = peaks(*[f"chr1:{start}-{start + 500}" for start in range(1_000, 70_000, 1_000)])
    wanted = linked(from_genome(genes, atac, window=5_000))
    found = linked(from_genome(genes.iloc[::-1], atac.sample(frac=1, random_state=0), window=5_000))
    assert found == wanted


def test_an_annotation_of_any_kind_says_the_same(genes, gene_table, peaks, tmp_path):
    atac, bare = peaks("chr1:10500-10600", "chr2:11000-11100"), pd.DataFrame(index=genes.index)
    wanted = from_genome(genes, atac).edges
    gene_table.to_csv(tmp_path / "genes.tsv.gz", sep="\t", index=False)
    line = 'chr{}\tx\tgene\t{}\t{}\t.\t{}\t.\tgene_id "{}.3"; gene_name "{}";\n'
    rows = gene_table.assign(chrom=gene_table["chrom"].str[3:], chromStart=gene_table["chromStart"] + 1)
    rows = rows[["chrom", "chromStart", "chromEnd", "strand", "gene_id", "gene_name"]]
    (tmp_path / "genes.gtf").write_text("".join(line.format(*row) for row in rows.to_numpy()))
    for annotation in (gene_table, tmp_path / "genes.tsv.gz", str(tmp_path / "genes.gtf")):
        pd.testing.assert_frame_equal(from_genome(bare, atac, genes=annotation).edges, wanted)
    by_id = from_genome(pd.DataFrame(index=gene_table["gene_id"] + ".7"), atac, genes=gene_table)
    pd.testing.assert_frame_equal(by_id.edges, wanted)
    assert "rna: 4 of 4 (100.0 %) genes have coordinates, from `genes`; 4 by identifier." in by_id.report


def test_anndata_and_missing_coordinates(genes, peaks):
    genes.loc["CCC", ["chrom", "chromStart", "chromEnd"]] = ["", -1, -1]
    rna = ad.AnnData(np.ones((2, 4), dtype=np.float32), var=genes)
    atac = ad.AnnData(np.ones((2, 2), dtype=np.float32), var=peaks("chr1:10000-10100", "elsewhere"))
    graph = from_genome(rna, atac)
    assert len(graph.edges) == 1
    assert "rna: 3 of 4 (75.0 %) genes have coordinates, from `.var`." in graph.report
    assert "atac: 1 of 2 (50.0 %) features have no coordinates ('elsewhere'), and no edge." in graph.report
    assert graph.report[-1].startswith("1 of 3 (33.3 %) genes with coordinates have a feature of 'atac' near; 1 of 2")


def test_unknown_strands_count_both_ends(genes, peaks, linked):
    genes.loc["AAA", "strand"] = "."
    atac = peaks("chr1:8500-8600", "chr1:21500-21600")
    graph = from_genome(genes, atac)
    assert linked(graph) == {
        ("AAA", "chr1:8500-8600"): (1, 1, 1_401),
        ("AAA", "chr1:21500-21600"): (1, 1, 1_501),
    }
    assert "rna: 1 of 4 (25.0 %) genes are on an unknown strand; both their ends count as TSS." in graph.report
    with pytest.warns(MultiomeWarning, match=r"4 of 4 .* unknown strand.*Add a column `strand`.*or pass `genes=`"):
        from_genome(genes.drop(columns="strand"), atac)


def test_no_edge_says_both_shares(genes, peaks):
    with pytest.raises(
        InvalidGraph, match=r"No edge: 0 of 4 \(0.0 %\) genes .*; 0 of 1 .*same species.*larger `window`"
    ):
        from_genome(genes, peaks("chr1:100000-100100"))


def test_no_coordinates_anywhere(genes, peaks):
    atac = peaks("chr1:10000-10100")
    with pytest.raises(
        InvalidGraph, match=r"no gene has coordinates\. `\.var` has the columns 'x', .*'AAA'.*Pass `genes=`"
    ):
        from_genome(pd.DataFrame({"x": 1}, index=genes.index), atac)
    with pytest.raises(InvalidGraph, match=r"no feature has coordinates\. `\.var` has the columns none, .*'peak1'"):
        from_genome(genes, peaks("peak1"))


def test_columns_without_a_place_are_told_though_names_have_one(genes, peaks):
    atac = peaks("chr1:10000-10100").assign(chrom="chr1", chromStart=-1, chromEnd=-1)
    says = r"atac: no feature has coordinates: in each row of `\.var`, `chrom` is empty, or .* is NaN or -1.*\. Fill"
    with pytest.raises(InvalidGraph, match=says):
        from_genome(genes, atac)


def test_columns_of_genes_without_a_place_are_told(genes, peaks):
    with pytest.raises(InvalidGraph, match=r"rna: no gene has coordinates: in each row of `\.var`, `chrom` is"):
        from_genome(genes.assign(chromStart=np.nan), peaks("chr1:10000-10100"))


def test_genes_that_are_found_but_have_no_place(genes, gene_table, peaks):
    says = r"rna: 4 of the 4 genes \('AAA', .*\) are in `genes`, but none of them has a place there"
    with pytest.raises(InvalidGraph, match=says):
        from_genome(genes, peaks("chr1:10000-10100"), genes=gene_table.assign(chromStart=np.nan))


def test_genes_of_another_species(genes, gene_table, peaks):
    mouse = gene_table.assign(gene_name=gene_table["gene_name"].str.lower(), gene_id=["M1", "M2", "M3", "M4"])
    bare = pd.DataFrame(index=genes.index)
    with pytest.raises(
        InvalidGraph, match=r"none of the 4 genes \('AAA'.* names such as 'aaa'.*'M1'.*Check the species"
    ):
        from_genome(bare, peaks("chr1:10000-10100"), genes=mouse)
    mouse.loc[0, "gene_name"] = "AAA"
    with pytest.warns(MultiomeWarning, match=r"1 of 4 \(25.0 %\) genes have coordinates.*Not found: 'BBB', 'CCC'"):
        from_genome(bare, peaks("chr1:10000-10100"), genes=mouse)


def test_a_warning_is_also_in_the_report_and_points_at_the_call(genes):
    atac = pd.DataFrame(
        {"chrom": "chr1", "chromStart": [10_000, 11_000], "chromEnd": [10_100, 11_100]},
        index=["chr1:10001-10100", "chr1:11001-11100"],
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        graph = from_genome(genes, atac)
    assert len(caught) == 1
    assert "the names of 2 of 2 (100.0 %) differ by one base" in str(caught[0].message)
    assert str(caught[0].message) in graph.report


def test_duplicated_names(genes, peaks):
    with pytest.raises(InvalidGraph, match=r"1 features occur more than once .*'AAA'.*var_names_make_unique"):
        from_genome(pd.concat([genes, genes[:1]]), peaks("chr1:10000-10100"))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"window": -1}, "`window` must be a whole number of at least 0, got -1"),
        ({"promoter": -5}, "`promoter` must be a whole number of at least 0, got -5"),
        ({"keys": ("rna", "rna")}, r"`keys` must be the two keys in the MuData.*got \('rna', 'rna'\)"),
        ({"signs": (0, 0)}, r"`signs` must be two of -1, 0 and 1 .*got \(0, 0\)"),
        ({"signs": (2, 1)}, r"`signs` must be two of -1, 0 and 1 .*got \(2, 1\)"),
    ],
)
def test_impossible_arguments(genes, peaks, given, says):
    with pytest.raises(MultiomeError, match=says):
        from_genome(genes, peaks("chr1:10000-10100"), **given)


@pytest.mark.parametrize("value", [10**8 + 1, 10**15, 2**63])
@pytest.mark.parametrize(("name", "usual"), [("window", "150_000"), ("promoter", "2_000")])
def test_more_bases_than_chromosomes_have(genes, peaks, name, usual, value):
    says = rf"`{name}` must be at most 100,000,000 base pairs.*got {value:,}; a usual one is {usual}"
    with pytest.raises(InvalidGraph, match=says):
        from_genome(genes, peaks("chr1:10000-10100"), **{name: value})


def test_the_widest_window_joins_all_on_a_chromosome(genes, peaks):
    assert len(from_genome(genes, peaks("chr1:10000-10100", "chr2:900000-900100"), window=10**8).edges) == 3


def test_swapped_genes_and_peaks(genes, gene_table, peaks):
    atac = peaks("peak 1", "chr1:10000-10100", "chr2:11000-11500")
    says = r"of 'rna', are named as peaks are \('chr1:10000-10100'\), the second, of 'atac', as genes are \('AAA'\)"
    for given in ({}, {"genes": gene_table}):
        with pytest.raises(InvalidGraph, match=says):
            from_genome(atac, genes, **given)
    loci = genes.set_axis(["chr1:1-2", "chr1:3-4", "chr2:1-2", "chrM:1-2"])  # genes without a name, on known strands
    named = atac.assign(chrom="chr1", chromStart=10_000, chromEnd=10_100).set_axis(["a", "b", "c"])
    with pytest.warns(MultiomeWarning, match="rna: the names of 4 of 4"):  # names that say other places than columns
        assert len(from_genome(loci, named).edges) == 3


def test_swapped_peaks_with_a_strand_column_that_knows_none(genes, peaks):
    atac = peaks("chr1:10000-10100", "chr2:11000-11500").assign(strand=".")
    with pytest.raises(InvalidGraph, match="Swap them: genes come first"):
        from_genome(atac, genes)


def test_columns_of_other_names_are_offered(genes, peaks):
    atac = pd.DataFrame({"seqnames": "chr1", "start": [10_000], "end": [10_100]}, index=["peak1"])
    renamed = (
        r"rename them: `\.var\.rename\(columns=\{'seqnames': 'chrom', 'start': 'chromStart', 'end': 'chromEnd'\}\)`"
    )
    with pytest.raises(InvalidGraph, match=f"atac: no feature has coordinates.*{renamed}"):
        from_genome(genes, atac)
    rna = genes.rename(columns={"chrom": "Chromosome", "chromStart": "Start", "chromEnd": "End"})
    with pytest.raises(InvalidGraph, match=r"rna: no gene has coordinates.*\{'Chromosome': 'chrom', 'Start': "):
        from_genome(rna, peaks("chr1:10000-10100"))
    with pytest.raises(InvalidGraph, match=r"not like chr1:100-200\. Add chrom"):
        from_genome(genes, atac[["start", "end"]])


@pytest.mark.parametrize("keys", [("atac", "rna"), ("met", "RNA"), ("peaks", "mine"), ("mine", "GEX")])
def test_keys_tell_genes_and_peaks_that_are_swapped(genes, keys):
    atac = pd.DataFrame({"chrom": "chr1", "chromStart": [10_000], "chromEnd": [10_100], "strand": "+"}, index=["a"])
    with pytest.raises(InvalidGraph, match=r"so peaks or sites come first and genes second\. Swap them"):
        from_genome(atac, genes, keys=keys)


@pytest.mark.parametrize("keys", [("mine", "atac"), ("rna", "mine"), ("rna", "gene"), ("peaks", "atac")])
def test_keys_that_do_not_tell_an_order_are_taken(genes, peaks, keys):
    assert len(from_genome(genes, peaks("chr1:10000-10100"), keys=keys).edges) == 1


@pytest.mark.parametrize("column", ["chrom", "chromStart", "strand", "gene_ids"])
def test_a_column_of_genes_that_occurs_twice(genes, gene_table, peaks, column):
    genes["gene_ids"] = gene_table["gene_id"].to_numpy()
    twice = pd.concat([genes, genes[[column]]], axis=1)
    with pytest.raises(InvalidGraph, match=rf"rna: `\.var` has several columns of the name '{column}'"):
        from_genome(twice, peaks("chr1:10000-10100"), genes=gene_table)


def test_a_column_of_peaks_that_occurs_twice(genes, peaks):
    atac = peaks("chr1:10000-10100").assign(chrom="chr1", chromStart=10_000, chromEnd=10_100)
    with pytest.raises(InvalidGraph, match=r"atac: `\.var` has several columns of the name 'chrom'"):
        from_genome(genes, pd.concat([atac, atac[["chrom"]]], axis=1))


def test_a_column_that_is_not_read_may_occur_twice(genes, peaks):
    twice = pd.concat([genes.assign(note="a"), genes.assign(note="b")[["note"]]], axis=1)
    assert len(from_genome(twice, peaks("chr1:10000-10100")).edges) == 1


def test_what_is_no_modality(genes, small):
    with pytest.raises(InvalidGraph, match=r"rna: give one modality, as in mdata\['rna'\], not the whole MuData"):
        from_genome(small.mdata, genes)
    with pytest.raises(InvalidGraph, match=r"got the path 'a\.h5mu'; read it first"):
        from_genome("a.h5mu", genes)
    with pytest.raises(InvalidGraph, match=r"rna: expected AnnData, its `\.var`, or names of features, got int"):
        from_genome(3, genes)
    with pytest.raises(InvalidGraph, match="atac: there are no features"):
        from_genome(genes, genes[:0])


def test_simulated_peaks_lie_at_their_genes(small):
    mdata = small.mdata
    graph = from_genome(mdata["rna"], mdata["atac"], window=150_000)
    table = graph.table()
    rna, atac = mdata["rna"].var.loc[table["source"]], mdata["atac"].var.loc[table["target"]]
    assert (rna["chrom"].to_numpy() == atac["chrom"].to_numpy()).all()
    assert len(from_genome(mdata["rna"], mdata["met"], keys=("rna", "met")).edges)
    assert ((table["weight"] == 1) == (np.isclose(table["weight"], 1))).all()
