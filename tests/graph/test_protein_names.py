"""Names of antibodies are read by whole words; what binds no antigen is recognised."""

from __future__ import annotations

import pytest

from multiome.graph.protein_names import antigens, kind, simplified


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("TCR α/β", "tcrab"),
        ("TCR alpha/beta", "tcrab"),
        ("FcεRIα", "fceria"),
        ("IL7Ralpha", "il7ra"),
        ("Ig light chain κ", "iglightchainkappa"),
        ("HLA-A,B,C", "hlaabc"),
        ("PD-1", "pd1"),
        ("CD16-32", "cd16.32"),
        ("CD163-2", "cd163.2"),
        ("TCRVb5.1_5.2", "tcrvb5.1.5.2"),
        ("CD45.1", "cd45.1"),
        (" cd4. ", "cd4"),
        ("!", ""),
    ],
)
def test_simplified(name, expected):
    assert simplified(name) == expected
    assert simplified(simplified(name)) == expected


@pytest.mark.parametrize(
    ("expected", "names"),
    {
        "control": (
            "IgG1", "IgG2a", "Blank", "Mouse_IgG1_TGTGTATA", "Control_Mouse_IgG2b_CATAAAGG", "Rat IgG", "ratIgG2a",
            "Mouse IgG2a Isotype", "Rat IgG2b, κ Isotype Ctrl", "isotype_MOPC-21", "Arm.ham.IgG.iso", "unmapped",
            "Armenian Hamster IgG", "ADT_Rat-IgG1-1", "anti-mouse IgG1 isotype control", "MouseIgG1_PROT", "no_match",
        ),
        "hashtag": (
            "HTO1", "HTO_B6_spl_r4_206_A0301", "Hashtag1", "hashtag_2", "anti-human_hashtag_1", "CMO301",
            "TotalSeq-C0251 anti-human Hashtag 1", "Sample_Tag_03",
        ),
        "reagent": ("anti-PE", "anti-APC", "Biotin", "Annexin V", "Streptavidin"),
        "ambiguous": ("IgG", "ADT_IgG"),
        "antigen": (
            "IgD", "IgM", "IgA", "IgE", "IgG Fc", "anti-human IgG", "CD4", "CD4 (RPA-T4, mouse IgG1)", "PE-CAM",
            "Isoform", "LMO2", "CMOS",
        ),
    }.items(),
)  # fmt: skip
def test_kind(expected, names):
    assert {name: kind(name) for name in names} == dict.fromkeys(names, expected)


KNOWN = {
    "cd3",
    "cd3e",
    "cd4",
    "cd8",
    "cd16",
    "cd16.32",
    "cd32",
    "cd40",
    "cd45",
    "cd45.1",
    "tcr",
    "tcrab",
    "hladr",
    "kit",
}


@pytest.mark.parametrize(
    ("name", "outside", "inside"),
    [
        ("CD4", ["cd4"], []),
        ("cd-4", ["cd4"], []),
        ("CD44", [], []),
        ("CD45RA", [], []),
        ("CD3_UCHT1", ["cd3"], []),
        ("CD3 (UCHT1)", ["cd3"], []),
        ("CD4.1", ["cd4"], []),
        ("CD45.1", ["cd45.1"], []),
        ("CD45.2D1", ["cd45"], []),
        ("CD16/CD32", ["cd16", "cd32"], []),
        ("CD16-32", ["cd16.32"], []),
        ("CD16/32", ["cd16.32"], []),
        ("ADT_CD16/32_A0109", ["cd16.32"], []),
        ("CD4/8", ["cd4", "cd8"], []),
        ("anti-human CD3/4/8 (clone 40)", ["cd3", "cd4", "cd8"], []),
        ("CD4/3e", ["cd4", "cd3e"], []),
        ("kit (CD4/8)", ["kit"], ["cd4", "cd8"]),
        ("CD4/44", ["cd4"], []),
        ("CD4_8", ["cd4"], []),
        ("CD4-8", ["cd4"], []),
        ("CD4 / 8", ["cd4"], []),
        ("CD4/0008", ["cd4"], []),
        ("CD4/8.1H11", ["cd4"], []),
        ("CD4/8-1H11", ["cd4"], []),
        ("kit/8", ["kit"], []),
        ("CD163-2", [], []),
        ("CD3_CD3E", ["cd3", "cd3e"], []),
        ("CD3 (CD3E)", ["cd3"], ["cd3e"]),
        ("HLA-DR|CD4|AHS0035|pAbO", ["hladr"], ["cd4"]),
        ("TotalSeq™-C0045 anti-human CD4 Antibody (clone SK3, cat 344651)", ["cd4"], []),
        ("CD4_protein_Total_SeqB", ["cd4"], []),
        ("Total_Seq_B_CD4", ["cd4"], []),
        ("ADT_CD4_A0001", ["cd4"], []),
        ("HuMsRt.CD4", ["cd4"], []),
        ("hCD4", ["cd4"], []),
        ("antiCD4-ADT", ["cd4"], []),
        ("non-human primate CD4", ["cd4"], []),
        ("soluble kit", [], []),
        ("Receptor (kit)", [], ["kit"]),
        ("CD8 (b subunit)", ["cd8"], []),
        ("CD40 Ligand", [], []),
        ("CD40-L", [], []),
        ("TCR Vb13.1", [], []),
        ("TCR-V-9", [], []),
        ("TCR-2", [], []),
        ("TCR_ab", ["tcrab"], []),
        ("", [], []),
        ("-_-", [], []),
        ("ADT_", [], []),
    ],
)
def test_antigens(name, outside, inside):
    assert antigens(name, KNOWN) == (tuple(outside), tuple(inside))
