"""Genes of GTF, GFF3 and tables."""

import gzip

import pandas as pd
import pytest

from multiome.errors import InvalidGraph
from multiome.graph import annotation
from multiome.graph.annotation import GENE_COLUMNS
from multiome.graph.findings import Findings

GTF = """#!genome-build GRCh38
chr1\tHAVANA\tgene\t11869\t14409\t.\t+\t.\tgene_id "ENSG00000290825.1"; gene_type "lncRNA"; gene_name "DDX11L2";
chr1\tHAVANA\texon\t11869\t12227\t.\t+\t.\tgene_id "ENSG00000290825.1"; gene_name "DDX11L2";
chrM\tENSEMBL\tgene\t577\t647\t.\t-\t.\tgene_id "ENSG00000210049.1"; gene_name "MT-TF; a";
"""
GFF3 = """##gff-version 3
1\tensembl\tgene\t11869\t14409\t.\t+\t.\tID=gene:ENSG00000290825;Name=DDX11L2;gene_id=ENSG00000290825
1\tensembl\tncRNA_gene\t577\t647\t.\t-\t.\tID=gene:ENSG00000210049;Name=MIR1
1\tensembl\tmRNA\t577\t600\t.\t-\t.\tID=transcript:ENST1;Parent=gene:ENSG00000210049
##FASTA
>1
ACGT
"""
TABLE = "chrom\tchromStart\tchromEnd\tgene_name\tgene_id\tstrand\nchr1\t11868\t14409\tDDX11L2\tENSG00000290825\t+\n"


def read_genes(genes) -> pd.DataFrame:
    """The genes, with nothing found to warn of."""
    findings = Findings()
    table = annotation.read_genes(genes, findings)
    assert not findings.sentences
    return table


@pytest.fixture
def file(tmp_path):
    def write(text: str, name: str = "genes.gtf", *, keep: int | None = None):
        path = tmp_path / name
        content = text.encode()
        path.write_bytes((gzip.compress(content) if name.endswith("gz") else content)[:keep])
        return path

    return write


@pytest.mark.parametrize("name", ["genes.gtf", "genes.gtf.gz", "genes.txt"])
def test_gtf_becomes_zero_based_and_half_open(file, name):
    found = read_genes(file(GTF, name))
    assert list(found.columns) == GENE_COLUMNS
    assert found.iloc[0].tolist() == ["chr1", 11868, 14409, "DDX11L2", "ENSG00000290825.1", "+"]
    assert found.iloc[1].tolist() == ["chrM", 576, 647, "MT-TF; a", "ENSG00000210049.1", "-"]
    assert len(found) == 2


def test_gff3_with_sequences_at_its_end(file):
    found = read_genes(str(file(GFF3, "genes.gff3")))
    assert found["gene_name"].tolist() == ["DDX11L2", "MIR1"]
    assert found["gene_id"].tolist() == ["ENSG00000290825", "ENSG00000210049"]
    assert found["chromStart"].tolist() == [11868, 576]


def test_genes_of_a_file_with_transcripts_only_span_them(file):
    line = 'chr1\tucsc\ttranscript\t{}\t{}\t.\t-\t.\tgene_id "A"; transcript_id "t";\n'
    found = read_genes(file(line.format(50, 90) + line.format(11, 60)))
    assert found.iloc[0].tolist() == ["chr1", 10, 90, "", "A", "-"]
    assert len(found) == 1


@pytest.mark.parametrize(("name", "separator"), [("g.tsv", "\t"), ("g.csv", ","), ("g.tsv.gz", "\t")])
def test_tables_are_taken_as_they_are(file, name, separator):
    found = read_genes(file(TABLE.replace("\t", separator), name))
    assert found.iloc[0].tolist() == ["chr1", 11868, 14409, "DDX11L2", "ENSG00000290825", "+"]


def test_a_data_frame_may_lack_what_is_optional():
    found = read_genes(pd.DataFrame({"chrom": ["1"], "chromStart": [5], "chromEnd": [9], "gene_id": ["A"]}))
    assert found.iloc[0].tolist() == ["1", 5, 9, "", "A", "."]


def test_categorical_columns_are_read_as_text():
    table = pd.DataFrame(
        {"chrom": ["1", "2"], "chromStart": 5, "chromEnd": 9, "gene_id": ["A", None], "gene_name": "B"}
    )
    found = read_genes(table.astype({"chrom": "category", "gene_id": "category", "gene_name": "category"}))
    assert found[["gene_name", "gene_id"]].to_numpy().tolist() == [["B", "A"], ["B", ""]]


def test_a_column_that_occurs_twice(gene_table):
    twice = pd.concat([gene_table, gene_table[["chromStart"]]], axis=1)
    with pytest.raises(InvalidGraph, match="`genes` has several columns of the name 'chromStart'; drop or rename"):
        read_genes(twice)


@pytest.mark.parametrize(
    "columns", [["chrom", "start", "end", "gene_name"], ["chrom", "chromStart", "chromEnd", "symbol"]]
)
def test_missing_columns_are_named_with_those_that_exist(columns):
    with pytest.raises(InvalidGraph, match="lacks the columns") as error:
        read_genes(pd.DataFrame(columns=columns))
    missing = "'chromStart', 'chromEnd'" if "start" in columns else "'gene_name (or gene_id)'"
    assert f"lacks the columns {missing}; it has {', '.join(map(repr, columns))}" in str(error.value)


def test_a_bed_file_without_header_is_told_to_name_its_columns(file):
    with pytest.raises(InvalidGraph, match=r"g\.bed lacks the columns 'chrom', .*of a BED file, name the columns"):
        read_genes(file("chr1\t5\t9\tAAA\nchr1\t50\t90\tBBB\n", "g.bed"))


def test_a_file_without_header_is_not_offered_its_first_line_as_names(file):
    with pytest.raises(InvalidGraph, match="Its first line holds data, no names") as error:
        read_genes(file("chr1\t5\t9\tAAA\nchr1\t50\t90\tBBB\n", "g.bed"))
    assert "Did you mean" not in str(error.value)


def test_a_misspelt_column_is_offered():
    with pytest.raises(InvalidGraph, match="Did you mean 'chrom_start'"):
        read_genes(pd.DataFrame(columns=["chrom", "chrom_start", "chromEnd", "gene_name"]))


def test_a_table_without_rows(file):
    with pytest.raises(InvalidGraph, match="has columns, but no gene"):
        read_genes(file(TABLE.partition("\n")[0] + "\n", "g.tsv"))


@pytest.mark.parametrize("keep", [60, 150, -9])
@pytest.mark.parametrize("name", ["genes.gtf.gz", "genes.tsv.gz"])
def test_a_gzip_that_ends_early(file, name, keep):
    text = GTF if "gtf" in name else TABLE + "".join(f"chr1\t{i}\t{i + 9}\tG{i}\tE{i}\t+\n" for i in range(99))
    with pytest.raises(InvalidGraph, match=r"is cut short or damaged .*download or copy it again"):
        read_genes(file(text, name, keep=keep))


@pytest.mark.parametrize(
    ("keep", "says"), [(GTF.index("ENSEMBL") + 12, "line 4: 3 of 9 fields"), (-5, "ends within a line")]
)
def test_a_last_line_that_is_cut(file, keep, says):
    with pytest.raises(InvalidGraph, match=rf"genes\.gtf.*{says}.*download or copy it again"):
        read_genes(file(GTF, keep=keep))


def test_a_last_line_that_is_cut_between_two_attributes(file):
    line = 'chr1\ta\tgene\t{}\t90\t.\t+\t.\tgene_id "{}"; gene_name "B";\n'
    with pytest.raises(InvalidGraph, match=r"ends within a line"):
        read_genes(file((line.format(5, "A") + line.format(50, "C")).removesuffix('ne_name "B";\n')))


def test_positions_that_count_from_0(file):
    with pytest.raises(InvalidGraph, match=r"line 1: a feature starts at 0, but .* count from 1"):
        read_genes(file('chr1\ta\tgene\t0\t9\t.\t+\t.\tgene_id "A";\n'))


@pytest.mark.parametrize("text", [GTF.partition("\n")[2], TABLE, TABLE.replace("\t", ",")], ids=["gtf", "tsv", "csv"])
def test_a_byte_order_mark_is_no_part_of_the_first_name(file, text):
    assert read_genes(file("\ufeff" + text)).loc[0, "chrom"] == "chr1"


def test_no_file_a_folder_nothing_in_it(file, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no file .*none\.gtf; `genes` must be a GTF"):
        read_genes(tmp_path / "none.gtf")
    with pytest.raises(FileNotFoundError, match="There is no file"):
        read_genes(tmp_path)
    for text in ("", "#only\n# comments\n"):
        with pytest.raises(InvalidGraph, match="holds no genes: it is empty, or has comments only"):
            read_genes(file(text))


def test_a_gtf_without_genes(file):
    with pytest.raises(InvalidGraph, match="none is a gene and none has a `gene_id`"):
        read_genes(file("chr1\tx\tregion\t1\t90\t.\t.\t.\tID=chr1\n"))


def test_what_is_no_path_and_no_table():
    with pytest.raises(InvalidGraph, match=r"must be the path of a GTF.* or a DataFrame, got list"):
        read_genes(["AAA"])


def test_a_file_that_is_no_text(tmp_path):
    path = tmp_path / "genes.bam"
    path.write_bytes(bytes(range(128, 256)) * 9)
    with pytest.raises(InvalidGraph, match=r"genes\.bam is not text .*must be a GTF, GFF3, TSV or CSV file"):
        read_genes(path)
