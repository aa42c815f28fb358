"""Which gene encodes the protein that an antibody binds: names of real panels, the order of rules, real data."""

from __future__ import annotations

import inspect
import random
import warnings

import mudata as md
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import multiome as mo
from multiome.errors import InvalidGraph, InvalidPairing, MultiomeError, MultiomeWarning, UnknownName
from multiome.graph.markers import TABLE, curated, look_up, marker_edges
from multiome.graph.protein_names import kind, simplified

# Names as they are in public data, and the genes of the antigens.
HUMAN = {
    "CD3D CD3E CD3G": "CD3 ; CD3_AGGATCGA ; CD3_UCHT1 ; CD3-UCHT1 ; CD3-1 ; CD3_TotalSeqB ; CD3_CTCATTGTAACTCCT",
    "CD3E": "CD3_CD3E ; CD3e ; CD3:UCHT1|CD3E|AHS0231|pAbO",
    "CD4": "CD4 ; CD4_GTCCAGGC ; CD4-1 ; CD4.1 ; adt_CD4 ; CD4_PROT ; Hu.CD4-RPA.T4 ; A0072_CD4 ; anti-human CD4",
    "CD8A": "CD8 ; CD8a ; CD8A ; CD8_GTATCGAG ; CD8-ADT ; CD8_SK1",
    "CD8B": "CD8b",
    "FCGR3A FCGR3B": "CD16 ; CD16_3G8 ; CD16_2",
    "FCGR2A": "CD32a ; CD32 (FCGR2A)",
    "FCGR3A": "CD16a ; CD16:3G8|FCGR3A",
    "ITGAL": "CD11a ; CD11a (LFA-1)",
    "ITGAL ITGB2": "CD11a.CD18 ; CD11a/CD18 (LFA-1)",
    "ITGAE": "CD103 ; CD103:ITGAE_AHS0001_pAbO ; CD103 (Integrin αE)",
    "ITGB7": "integrinB7 ; HuMs.integrin.b7 ; integrin β7",
    "MS4A1": "CD20 ; CD20_ACGCGGAA ; MS4A1_ADT",
    "PTPRC": "CD45 ; CD45RA ; CD45RO ; CD45R/B220 ; CD45-2D1 ; CD45.2D1 ; hCD45 ; CD45RA_GTGATAGT ; B220 (CD45R)",
    "CD79A": "CD79a ; CD79a (Igα) ; CD79a (Iga)",
    "IGHA1 IGHA2": "IgA",
    "IGHM": "IgM",
    "IGHG1 IGHG2 IGHG3 IGHG4": "IgG Fc ; anti-human IgG Fc ; anti-human IgG",
    "IGKC": "Ig light chain κ ; Ig light chain kappa",
    "CD274": "CD274 ; PD-L1 ; PDL1 ; CD274_CTTGTACC ; PD-L1 (CD274) ; B7-H1 (PD-L1)",
    "CD80 CD86": "CD80/86 ; CD80/CD86 ; ADT_CD80/86_A0001",
    "PDCD1": "CD279 ; PD-1 ; PD1 (CD279) ; CD279 (PD-1)",
    "HLA-DRA HLA-DRB1 HLA-DRB5": "HLA-DR ; HLA.DR ; HLA-DR_L243 ; MHCII (HLA-DR) ; HLA-DR|CD74|AHS0035|pAbO",
    "HLA-A HLA-B HLA-C": "HLA-A,B,C ; HLA-A-B-C ; HLA.A.B.C ; HLA-ABC",
    "HLA-A": "HLA-A2 ; HLA-A",
    "HLA-E": "HLA-E",
    "B2M": "β2-microglobulin ; b2-microglobulin ; Beta2 microglobulin",
    "IL7R": "CD127 ; CD127-IL7Ra ; IL7Ralpha (CD127)",
    "IFNGR1": "CD119 ; CD119 (IFN-γ R α chain)",
    "DPP4": "CD26-1 ; CD26 (Adenosine)",
    "KIR3DL1": "CD158e1 ; CD158E1_TAAGCCAC ; CD158e1 (KIR3DL1)",
    "KIR2DL2 KIR2DL3": "CD158b ; CD158b (KIR2DL2/L3, NKAT2)",
    "KIR2DL1 KIR2DS1 KIR2DS3 KIR2DS5": "CD158 ; CD158 (KIR2DL1/S1/S3/S5)",
    "CEACAM8": "CD66b ; CD66b_CGCTATCC",
    "CEACAM1 CEACAM5 CEACAM6": "CD66a/c/e ; CD66a_c_e",
    "GYPA GYPB": "CD235ab ; CD235a/b",
    "TRAC TRBC1 TRBC2": "TCR ; TCRab ; TCR_ab ; TCR α/β ; TCR a/b ; TCR alpha/beta",
    "TRDC TRGC1 TRGC2": "TCRgd ; TCR γ/δ ; TCR g/d",
    "TRBC1 TRBC2": "TCRb",
    "TRGC1 TRGC2": "TCRg",
    "TRAV1-2": "TCRVa7.2 ; TCR.Va7.2 ; TCR Vα7.2",
    "TRDV2": "TCRVd2 ; TCR Vδ2",
    "CD40LG": "CD154 ; CD40L ; CD40 Ligand",
    "TNFSF9": "4.1BBL ; CD137 Ligand (4-1BB Ligand)",
    "TNFRSF9": "4.1BB ; 4-1BB ; CD137_CCGTTATG",
    "TNFRSF4": "Ox40 ; (CD134) ; CD134",
    "CD207": "CD207.mouse ; CD207",
    "OLR1": "LOX-1",
    "FCER1A": "FceRIa ; FcεRIα",
    "LAG3": "CD223 ; LAG-3 ; CD223 (lag3)",
    "SIGLEC8": "Siglec-8",
    "MET": "anti-c-Met ; c-Met ; MET",
    "VTCN1": "B7-H4 ; B7H4",
    "A4GALT": "CD77",
    "": "CD1 ; CD11 ; CD49 ; CD158c ; TCR-2 ; TCR-V-9 ; TCR Vb8 ; SSEA-4 ; C0072 ; CTCATTGTAACTCCT ; Tau (Thr181)",
}  # fmt: skip
MOUSE = {
    "Cd3d Cd3e Cd3g": "CD3 ; ADT_CD3_A0182 ; CD3 (17A2)",
    "Fcgr3 Fcgr2b": "CD16/32 ; ADT_CD16-32_A0109 ; CD16/CD32",
    "Cr2": "ADT_CD21-CD35(CR2-CR1)_A0107 ; CD21/CD35",
    "Csf1r": "ADT_CD115(CSF-1R)_A0105",
    "Fcer2a": "ADT_CD23_A0108",
    "Cd24a": "ADT_CD24_A0212",
    "Cd274": "ADT_CD274(B7-H1_PD-L1)_A0190",
    "Cd8b1": "ADT_CD8b(Ly-3)_A0230",
    "Cd79b": "ADT_CD79b(Igb)_A0561",
    "Ptprc": "ADT_CD45.1_A0178 ; ADT_CD45R-B220_A0103 ; CD45.2 ; B220",
    "Thy1": "ADT_CD90.2_A0075",
    "Adgre1 Emr1": "ADT_F4-80_A0114 ; F4/80",
    "Ly6a": "ADT_Ly-6A-E(Sca-1)_A0130 ; Sca-1",
    "Ly6c1 Ly6c2": "ADT_Ly-6C_A0013 ; Ly-6C",
    "Ly6g": "Ly-6G",
    "Klrb1c": "ADT_NK-1.1_A0118 ; NK1.1",
    "H2-Aa H2-Ab1 H2-Ea-ps H2-Ea H2-Eb1": "ADT_I-A-I-E_A0117 ; I-A/I-E",
    "Siglecf": "CD170 ; Siglec-F ; CD170 (Siglec-F)",
    "Siglech": "ADT_SiglecH_A0119",
    "Folr2": "ADT_FolateReceptorb(FR-b)_A0564",
    "Plvap": "ADT_PanendothelialCellAntigen_A0381",
    "Trbv12-1 Trbv12-2": "ADT_TCRVb5.1_5.2_A0354",
    "Tcrg-V4 Trgv4": "ADT_TCRVr2_A0211",
    "Gypa": "ADT_TER-119-ErythroidCells_A0122",
    "P2ry12": "ADT_anti-P2RY12_A0415",
    "H2-K1 H2-D1": "H-2 ; ADT_H-2_A0119 ; H-2_M1/42 ; MHC class I",
    "": "CD1a ; H-2 Q7 ; ADT_H-2-Kx_A0001 ; ADT_H-2KbboundtoSIINFEKL_A0231",
}  # fmt: skip
# Symbols that came later or went before the releases of Ensembl that the test reads.
OTHER_RELEASES = {
    "CXCR7", "GPR77", "Cd97", "Pvrl1", "Pvrl2", "Pvrl3", "Pvrl4", "Cxcr7", "Mfi2", "Darc", "Cd244a", "4632428N05Rik",
    "Amica1", "Gpr56", "Emr1", "H2-Ea", "Trgc1", "Trgc2", "Trgc4", "Trgv4", "Trgv5",
}  # fmt: skip


def cases(panel):
    return [(name, set(genes.split())) for genes, joined in panel.items() for name in joined.split(" ; ")]


def symbols(species):
    return {gene for genes in curated(species).values() for gene in genes}


def found(genes, proteins, **options):
    """Edges as pairs, and the sentences joined."""
    edges, notes = marker_edges(list(genes), list(proteins), **options)
    return set(zip(edges["source"], edges["target"], strict=True)), " ".join(notes)


def pairs(*rows):
    return pd.DataFrame(rows, columns=["protein", "gene"])


@pytest.mark.parametrize(("name", "genes"), cases(HUMAN))
def test_human_name(name, genes):
    assert set(look_up(name, {}, {}, curated("human"), {}).symbols) == genes


@pytest.mark.parametrize(("name", "genes"), cases(MOUSE))
def test_mouse_name(name, genes):
    assert set(look_up(name, {}, {}, curated("mouse"), {}).symbols) == genes


def test_edges_and_report():
    proteins = ["CD4_GTCCAGGC", "CD3", "CD8a", "IgG1", "HTO_1", "IgG", "anti-APC", "H-2KbX", "CD16/CD32", "MS4A4A-1"]
    genes = ["FCGR2A", "CD3E", "FCGR3A", "MS4A4A", "CD3D", "CD4", "APC"]
    edges, notes = marker_edges(genes, proteins)
    expected = [
        ("FCGR2A", "CD16/CD32"), ("FCGR3A", "CD16/CD32"), ("CD3D", "CD3"), ("CD3E", "CD3"), ("CD4", "CD4_GTCCAGGC"),
        ("MS4A4A", "MS4A4A-1"),
    ]  # fmt: skip
    assert list(zip(edges["source"], edges["target"], strict=True)) == expected
    assert list(edges) == ["source", "target", "weight", "sign"]
    assert edges["weight"].dtype == np.float32
    assert edges["sign"].dtype == np.int8
    assert (edges[["weight", "sign"]] == 1).all(axis=None)
    assert notes == (
        "4 of 10 proteins have a gene: 3 as known antibodies, 1 by the name of a gene.",
        "The genes of these proteins are known but not among those given: 'CD8a: CD8A'.",
        "No gene is known for 'H-2KbX'; pass `table=` with columns `protein` and `gene`.",
        "Left out on purpose, as controls: 'IgG1'.",
        "Left out on purpose, as hashtags: 'HTO_1'.",
        "Left out on purpose, as reagents that bind no protein of a cell: 'anti-APC'.",
        "Left out on purpose, as names of a control or of an antigen (say which by naming the antigens in `table`): "
        "'IgG'.",
        "These names stand for several antigens and have the genes of all: 'CD16/CD32'.",
    )


def test_spelling_of_genes():
    assert found(["Cd3d", "Cd3e", "Fcgr3"], ["CD3", "CD16"])[0] == {("Cd3d", "CD3"), ("Cd3e", "CD3"), ("Fcgr3", "CD16")}
    assert found(["CD3D", "FCGR3A"], ["CD3", "CD16"])[0] == {("CD3D", "CD3"), ("FCGR3A", "CD16")}
    assert found(["cd4", "CD19", "CD20", "MS4A1"], ["CD4", "CD20"])[0] == {("cd4", "CD4"), ("MS4A1", "CD20")}
    assert found(["cd4", "Cd4", "CD4"], ["CD4"])[0] == {("Cd4", "CD4")}  # most are those of mouse
    assert found(["CD4", "Cd4", "CD8A", "CD19"], ["CD4"])[0] == {("CD4", "CD4")}
    assert found(["PVRL2", "CD4"], ["CD112"])[0] == {("PVRL2", "CD112")}  # what NECTIN2 was called before
    assert found(["H2-Q7", "H2-K1"], ["H2-Q7"])[0] == {("H2-Q7", "H2-Q7")}  # not every H-2
    assert found(["LY75", "LY75-CD302"], ["LY75-CD302"])[0] == {("LY75-CD302", "LY75-CD302")}
    assert found(["MT-TP", "MTTP"], ["MTTP"])[0] == {("MTTP", "MTTP")}
    assert found(["CLEC99Z"], ["clec99-Z_ACGTACGTACGTACG"])[0] == {("CLEC99Z", "clec99-Z_ACGTACGTACGTACG")}


def test_table_comes_first():
    genes = ["CD4", "CD8A", "MADE1", "IGHG1", "Tox"]
    table = pairs(("CD4", "MADE1"), ("CD4", "cd8a"), ("IgG1", "IGHG1"), ("NEW-1", "tox"))
    edges, notes = found(genes, ["CD4", "ADT_CD4_A0001", "IgG1", "new1 (clone 3)", "CD8"], table=table)
    assert edges == {
        ("MADE1", "CD4"), ("CD8A", "CD4"), ("MADE1", "ADT_CD4_A0001"), ("CD8A", "ADT_CD4_A0001"), ("IGHG1", "IgG1"),
        ("Tox", "new1 (clone 3)"), ("CD8A", "CD8"),
    }  # fmt: skip
    assert "4 by `table`, 1 as known antibodies" in notes
    assert "`table` names" not in notes


def test_exact_name_in_table_beats_the_read_one():
    table = pairs(("CD4", "A1A"), ("CD4_x", "B1B"))
    assert found(["A1A", "B1B"], ["CD4", "CD4_x"], table=table)[0] == {("A1A", "CD4"), ("B1B", "CD4_x")}


def test_what_a_table_names_and_data_lack_is_reported():
    table = pairs(("CD4", "GONE"), ("CD19", "CD19"), ("CD3", "CD3D"))
    edges, notes = found(["CD3D", "CD4"], ["CD3", "CD4"], table=table)
    assert edges == {("CD3D", "CD3")}  # a table that names a gene which is not there still decides
    assert "`table` names genes that are not among those given: 'CD19', 'GONE'." in notes
    assert "`table` names proteins that are not among those given: 'CD19'." in notes
    assert "known but not among those given: 'CD4: GONE'" in notes


@given(st.data())
def test_order_does_not_matter_and_names_are_those_given(data):
    human = sorted(symbols("human"))
    panel = [name for name, _ in cases(HUMAN)] + ["IgG1", "HTO_1", "nothing known"]
    genes = data.draw(st.lists(st.sampled_from(human), unique=True))
    genes = list(dict.fromkeys(["CD4", *genes]))
    proteins = list(dict.fromkeys(["CD4", *data.draw(st.lists(st.sampled_from(panel), unique=True))]))
    edges, notes = marker_edges(genes, proteins)
    assert set(edges["source"]) <= set(genes)
    assert set(edges["target"]) <= set(proteins)
    assert not edges.duplicated(["source", "target"]).any()
    rng = random.Random(len(genes))
    shuffled = marker_edges(rng.sample(genes, len(genes)), rng.sample(proteins, len(proteins)))
    pd.testing.assert_frame_equal(shuffled[0], edges)
    assert shuffled[1] == notes


@pytest.mark.parametrize(
    ("genes", "proteins", "error", "message"),
    [
        ([], ["CD4"], MultiomeError, "`genes` is empty"),
        (["CD4"], [], MultiomeError, "`proteins` is empty"),
        ("CD4", ["CD4"], MultiomeError, "`genes` must be a list of names, got 'CD4'"),
        (["CD4"], ["CD4", 3], MultiomeError, "`proteins` must be a list of names, got 3"),
        ([float("nan")], ["CD4"], MultiomeError, "`genes` must be a list of names, got nan"),
        (["CD4", "CD4"], ["CD4"], InvalidPairing, "`genes` names 'CD4' more than once"),
        (["CD4"], ["CD3", "CD3"], InvalidPairing, "`proteins` names 'CD3' more than once"),
        (
            ["MYC", "TP53"],
            ["xyz", "IgG1"],
            UnknownName,
            "None of the 2 proteins .'xyz', 'IgG1'. has a gene among the 2 ",
        ),
        (["MYC", "TP53"], ["xyz"], UnknownName, "genes .'MYC', 'TP53'.*pass `table=`"),
        (["ENSG00000010610"], ["CD4"], UnknownName, "The genes are Ensembl ids; name them by gene symbols"),
        (["ENSMUSG00000023274.4"], ["CD4"], UnknownName, "Ensembl ids"),
    ],
)
def test_names_that_will_not_do(genes, proteins, error, message):
    with pytest.raises(error, match=message):
        inspect.unwrap(marker_edges)(genes, proteins)  # without the checks of types that tests add


def test_swapped_genes_and_proteins():
    with pytest.raises(InvalidGraph, match=r"'rna', are named as proteins are \('CD3', 'CD20'\).*Swap them: genes"):
        mo.GuidanceGraph.from_markers(["CD3", "CD20"], ["CD3D", "MS4A1", "MYC"])
    with pytest.raises(InvalidGraph, match="Swap them"):  # CD4 is a gene, too
        mo.GuidanceGraph.from_markers(["CD3", "CD20", "CD4"], ["CD3D", "MS4A1", "MYC", "CD4"])


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"CD4": "CD4"}, "`table` must be a DataFrame, got dict"),
        (pd.DataFrame({"protein": ["CD4"], "symbol": ["CD4"]}), "and has 'protein', 'symbol': no 'gene'"),
        (pd.DataFrame({"a": [1]}), "needs the columns 'protein' and 'gene', and has 'a': no 'protein'"),
        (pairs(("CD4", "CD4"), ("CD8", None)), "rows '1' lack a protein or gene"),
        (pairs((float("nan"), "CD4")), "rows '0' lack"),
        (pairs(("CD4", " ")), "rows '0' lack"),
        (pairs((4, "CD4")), "rows '0' lack"),
    ],
)
def test_tables_that_will_not_do(table, message):
    with pytest.raises(MultiomeError, match=message):
        inspect.unwrap(marker_edges)(["CD4"], ["CD4"], table=table)


def test_a_column_of_a_table_that_occurs_twice():
    twice = pd.concat([pairs(("CD4", "CD4")), pairs(("CD4", "CD8A"))[["gene"]]], axis=1)
    with pytest.raises(MultiomeError, match="`table` has several columns of the name 'gene'; drop or rename"):
        marker_edges(["CD4"], ["CD4"], table=twice)


@pytest.mark.parametrize("column", ["weight", "Sign", "weigth"])
def test_a_table_of_proteins_has_no_weights_or_signs(column):
    table = pairs(("CD4", "CD4")).assign(**{column: -1})
    with pytest.warns(
        MultiomeWarning, match=rf"`table`: the column '{column}' is not read\. .*GuidanceGraph\.from_table"
    ) as caught:
        graph = mo.GuidanceGraph.from_markers(["CD4"], ["CD4"], table=table)
    assert str(caught[0].message) in graph.report


def test_other_columns_of_a_table_of_proteins_are_not_mentioned():
    table = pairs(("CD4", "CD4")).assign(clone="RPA-T4", lot=1)
    assert len(mo.GuidanceGraph.from_markers(["CD4"], ["CD4"], table=table).report) == 1


def test_a_single_name_is_no_list_of_names():
    with pytest.raises(InvalidGraph, match=r"rna: got the text 'CD4'.* a list of them, such as \['CD4'\]"):
        mo.GuidanceGraph.from_markers("CD4", ["CD4"])


def test_table_without_rows_changes_nothing():
    assert found(["CD4"], ["CD4"], table=pairs()) == found(["CD4"], ["CD4"])


def test_no_alias_has_two_meanings():
    rows = pd.read_csv(TABLE, sep="\t", keep_default_na=False)
    assert list(rows) == ["alias", "genes_human", "genes_mouse"]
    for species in ("human", "mouse"):
        seen: dict[str, str] = {}
        for alias, genes in zip(rows["alias"], rows[f"genes_{species}"], strict=True):
            for short in {simplified(one) for one in alias.split(";")} if genes else ():
                assert short
                assert seen.setdefault(short, genes) == genes, (species, alias)
    assert len(rows) > 500
    assert not rows.duplicated().any()


def test_no_alias_is_a_control():
    rows = pd.read_csv(TABLE, sep="\t", keep_default_na=False)
    aliases = [alias for joined in rows["alias"] for alias in joined.split(";")]
    assert [alias for alias in aliases if kind(alias) != "antigen"] == ["IgG"]


def test_symbols_of_the_table_look_like_symbols():
    assert all(symbol == symbol.upper() for symbol in symbols("human") - {"C10orf54"})
    assert {symbol for symbol in symbols("mouse") if symbol == symbol.upper()} == {"F3", "H2-D1", "H2-K1"}
    assert not [symbol for symbol in symbols("human") | symbols("mouse") if symbol != symbol.strip() or " " in symbol]


@pytest.mark.parametrize("species", ["human", "mouse"])
def test_symbols_of_the_table_exist(species, bench_data):
    """In a release of Ensembl, but for the names that came later, went before, or lie on other haplotypes."""
    files = {"human": ["human_GRCh38_ensembl109", "human_GRCh37"], "mouse": ["mouse_GRCm38_ensembl90"]}
    tables = [pd.read_csv(bench_data(f"genes_{name}.tsv.gz"), sep="\t") for name in files[species]]
    known = set(pd.concat(tables)["gene_name"])
    absent = symbols(species) - known
    assert not {symbol for symbol in absent if not symbol.startswith("KIR")} - OTHER_RELEASES


@pytest.mark.parametrize(
    ("file", "species", "n_edges", "n_left_out", "unknown"),
    [
        ("reapseq_pbmc_rna_protein.h5mu", "human", 44, 4, []),
        ("eccite_pbmc_small.h5mu", "human", 47, 2, []),
        ("bmmc_cite_small.h5mu", "human", 13, 0, []),
        ("spleen_lymph_mouse_cite_small.h5mu", "mouse", 27, 2, ["ADT_H-2KbboundtoSIINFEKL_A0231"]),
    ],
)
def test_real_panel(file, species, n_edges, n_left_out, unknown, bench_data):
    """Every protein that is no control is known, but for one that binds a peptide which no mouse has."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what mudata says while it reads
        mdata = md.read_h5mu(bench_data(file))
    genes, proteins = list(mdata["rna"].var_names), list(mdata["prot"].var_names)
    panel = [protein for protein in proteins if kind(protein) == "antigen"]
    assert len(proteins) - len(panel) == n_left_out
    known = [protein for protein in panel if look_up(protein, {}, {}, curated(species), {}).rule == "curated"]
    assert sorted(set(panel) - set(known)) == unknown
    assert len(known) / len(panel) > 0.99
    edges, _ = marker_edges(genes, proteins)
    assert len(edges) == n_edges
