"""Which row of an annotation is which gene."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from multiome.graph.gene_match import match_genes

ANNOTATION = pd.DataFrame(
    [
        ("chr1", 10, 90, "AAA", "ENSG00000000001.4", "+"),
        ("KI270.1", 0, 900, "BBB", "ENSG00000000002", "+"),
        ("chr2", 10, 40, "BBB", "ENSG00000000003", "+"),
        ("chr2", 50, 99, "BBB", "ENSG00000000004", "-"),
        ("chr3", 10, 90, "", "ENSG00000000005", "+"),
        ("chrY", 10, 90, "PAR", "ENSG00000000006.2_PAR_Y", "+"),
        ("chrX", 10, 90, "PAR", "ENSG00000000006.2", "+"),
    ],
    columns=["chrom", "chromStart", "chromEnd", "gene_name", "gene_id", "strand"],
)


def var(*names: str, **columns) -> pd.DataFrame:
    return pd.DataFrame(columns, index=pd.Index(names, dtype=object))


def test_by_name_by_identifier_and_without_version():
    names = ["AAA", "ENSG00000000003", "ENSG00000000001", "ENSG00000000005.12", "ENSG00000000001.4", "zzz", ""]
    found = match_genes(var(*names), ANNOTATION)
    assert found.row.tolist() == [0, 2, 0, 4, 0, -1, -1]
    assert found.n_by_id == 4


def test_of_several_the_longest_on_a_primary_chromosome():
    found = match_genes(var("BBB", "PAR", "AAA"), ANNOTATION)
    assert found.row.tolist() == [3, 6, 0]
    assert found.n_several == 2


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_rows_does_not_matter(seed):
    shuffled = ANNOTATION.sample(frac=1, random_state=seed).reset_index(drop=True)
    found = match_genes(var("BBB", "PAR"), shuffled)
    assert shuffled["gene_id"].iloc[found.row].tolist() == ["ENSG00000000004", "ENSG00000000006.2"]


@pytest.mark.parametrize("column", ["gene_id", "gene_ids"])
def test_a_column_of_identifiers_comes_first(column):
    found = match_genes(var("BBB", "AAA", **{column: ["ENSG00000000003", None]}), ANNOTATION)
    assert found.row.tolist() == [2, 0]
    assert (found.n_by_id, found.n_several) == (1, 0)


def test_a_categorical_column_of_identifiers(tmp_path):
    rna = ad.AnnData(np.ones((1, 3)), var=var("x", "y", "z", gene_ids=["ENSG00000000003", "ENSG00000000003", None]))
    rna.write_h5ad(tmp_path / "rna.h5ad")  # which makes repeated text categorical
    found = ad.read_h5ad(tmp_path / "rna.h5ad").var
    assert isinstance(found["gene_ids"].dtype, pd.CategoricalDtype)
    assert match_genes(found, ANNOTATION).row.tolist() == [2, 2, -1]


def test_a_column_of_names_helps_where_names_were_made_unique():
    found = match_genes(var("AAA", "AAA-1", gene_name=["AAA", "AAA"]), ANNOTATION)
    assert found.row.tolist() == [0, 0]


def test_a_row_without_a_place_comes_last():
    nowhere = ANNOTATION[:1].assign(chrom="", gene_id="ENSG00000000000", chromStart=0, chromEnd=10_000)
    both = pd.concat([nowhere, ANNOTATION[:1]], ignore_index=True)
    assert match_genes(var("AAA"), both).row.tolist() == [1]
