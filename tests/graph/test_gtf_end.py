"""GTF and GFF3 files that end without a newline: cut short, or whole."""

import warnings

import pandas as pd
import pytest

import multiome as mo
from multiome.errors import InvalidGraph, MultiomeWarning
from multiome.graph.annotation import read_genes
from multiome.graph.findings import Findings

GTF = "".join(
    f'chr1\ta\tgene\t{n}0\t{n}9\t.\t+\t.\tgene_id "E{n}"; {name}gene_type "x";\n'
    f'chr1\ta\texon\t{n}0\t{n}9\t.\t+\t.\tgene_id "E{n}"; transcript_id "T{n}";\n'
    for n, name in ((1, 'gene_name "A"; '), (2, ""), (3, 'gene_name "C"; '))
)
GFF3 = "##gff-version 3\n" + "".join(
    f"1\ta\tgene\t{n}0\t{n}9\t.\t+\t.\tID=gene:E{n};Name=GENE{n};biotype=coding\n" for n in (1, 2, 3)
)


@pytest.fixture
def read(tmp_path):
    def read_text(text: str) -> tuple[pd.DataFrame, list[str]]:
        path = tmp_path / "genes.gtf"
        path.write_text(text)
        findings = Findings()
        return read_genes(path, findings), findings.warnings

    return read_text


@pytest.mark.parametrize(
    ("text", "upto", "says"),
    [
        (GFF3, "ID=", "it lacks 'ID', 'Name', 'biotype', which the other lines of 'gene' have"),
        (GFF3, "Name=G", "it lacks 'biotype', which the other lines of 'gene' have"),
        (GFF3, "\t.\t+\t.\t", "it has no attributes"),
        (GTF, "\t.\t+\t.\t", "it has no attributes"),
        (GTF, 'gene_id "E3";', "it lacks 'transcript_id', which the other lines of 'exon' have"),
        (GTF, "gene_id ", "it lacks 'gene_id', 'transcript_id', which the other lines of 'exon' have"),
        (GTF, "transcr", "'transcr' has no value"),
        (GTF, 'transcript_id "T', "a quote is not closed"),
    ],
)
def test_a_cut_that_shows(read, text, upto, says):
    with pytest.raises(InvalidGraph, match=f"ends within a line .*: {says}. Genes are missing; download or copy it"):
        read(text[: text.rindex(upto) + len(upto)])


@pytest.mark.parametrize(
    "text", [GTF[:-1], GTF[:-1] + " ", GFF3[:-1], GFF3[:-3], GTF.rpartition("chr1")[0][:-1], GTF + "# the end"]
)
def test_a_cut_that_may_be_none_is_a_warning(read, text):
    genes, warned = read(text)
    assert len(genes) == 3
    assert len(warned) == 1
    assert "ends without a newline" in warned[0]


def test_what_only_some_genes_have_is_not_missed(read):
    unnamed_last = "".join(GTF.splitlines(keepends=True)[:3])[:-1]
    genes, _ = read(unnamed_last)
    assert genes["gene_name"].tolist() == ["A", ""]


@pytest.mark.parametrize("text", [GTF, GFF3, GTF.replace("\n", "\r\n"), GTF + "\n  ", GFF3 + "##FASTA\n>1\nACGT"])
def test_a_file_that_ends_with_a_newline_is_whole(read, text):
    assert read(text)[1] == []


def test_a_graph_warns_of_a_file_that_may_be_cut_and_keeps_that_in_its_report(genes, peaks, tmp_path):
    path = tmp_path / "genes.gtf"
    path.write_text('chr1\ta\tgene\t10001\t20000\t.\t+\t.\tgene_name "AAA";')
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        graph = mo.GuidanceGraph.from_genome(genes[:1], peaks("chr1:10000-10100"), genes=path)
    assert [warning.category for warning in caught] == [MultiomeWarning]
    assert str(caught[0].message) in graph.report
