"""Names of one antigen match across panels; forms of it, parts of complexes and controls do not."""

from __future__ import annotations

import mudata as md
import pandas as pd
import pytest

import multiome as mo
from multiome.errors import InvalidPairing, MultiomeError, UnknownName


def pairs(names, others, **given):
    found = mo.match_proteins(names, others, **given)
    return list(zip(found["name"], found["other"], strict=True))


@pytest.mark.parametrize(
    ("name", "other", "antigen"),
    [
        ("CD279", "PD-1 (CD279)", "PDCD1"),
        ("CD197", "CCR7", "CCR7"),
        ("CD4_GTCCAGGC", "CD4", "CD4"),
        ("CD127_TGGGAGCT", "IL7Ralpha (CD127)", "IL7R"),
        ("CD274_CTTGTACC", "B7-H1 (PD-L1)", "CD274"),
        ("HLA-DRA_TAGACGAC", "MHCII (HLA-DR)", "HLA-DRA;HLA-DRB1;HLA-DRB5"),
        ("CD3", "CD3e", "CD3D;CD3E;CD3G"),
        ("PDCD1", "ADT_CD279(PD-1)_A0004", "PDCD1"),
        ("CD45R-B220", "B220 (CD45R)", "PTPRC (CD45R)"),
        ("CD45 (HI100)", "CD45RA", "PTPRC (CD45RA)"),
    ],
)
def test_same_antigen(name, other, antigen):
    for one, two in ((name, other), (other, name)):
        found = mo.match_proteins([one, "CD19"], [two, "CD22"])
        assert found.to_dict("records") == [
            {"name": one, "other": two, "antigen": antigen, "n_names": 1, "n_others": 1}
        ]


def test_forms_of_one_gene_are_several_antigens():
    forms = ["CD45", "CD45RA", "CD45RB", "CD45RO", "B220", "CD45.1", "CD45.2", "CD44", "CD44v6", "CD162", "CLA"]
    forms += ["HLA-A2", "HLA-A3", "HLA-A,B,C"]
    assert pairs(forms, forms) == [(form, form) for form in forms]
    assert mo.match_proteins(forms, forms)["antigen"].is_unique
    mouse = ["CD21", "CD35", "CD90.1", "CD90.2"]
    assert pairs(mouse, mouse, species="mouse") == [(form, form) for form in mouse]


def test_parts_are_not_the_whole():
    assert pairs(["CD18", "CD11a", "CD66b", "TCR b"], ["LFA-1", "CD66", "TCR a/b"]) == []


def test_what_binds_no_antigen_matches_nothing():
    names = ["IgG1", "HTO_1", "Rat IgG2b, κ Isotype Ctrl", "Blank", "Biotin", "IgG", "!", "Hashtag1"]
    assert pairs(names, names) == []


def test_unknown_names_match_only_as_they_are():
    found = mo.match_proteins(["Novel-7", "Novel 8a"], ["novel_7", "Novel-8b", "Novel8α"])
    assert list(zip(found["name"], found["other"], strict=True)) == [("Novel-7", "novel_7"), ("Novel 8a", "Novel8α")]
    assert found["antigen"].isna().all()
    assert pairs(["Novel-7"], ["Novel-7 (clone 1)"]) == []


def test_candidates_of_both_sides_in_the_order_given():
    found = mo.match_proteins(["CD8_ACGT", "CD19", "CD4_ACGT", "CD8a_TTGC"], ["PD1 (CD279)", "CD8", "CD4_TTGC", "CD4"])
    assert list(found.itertuples(index=False, name=None)) == [
        ("CD8_ACGT", "CD8", "CD8A", 2, 1),
        ("CD4_ACGT", "CD4_TTGC", "CD4", 1, 2),
        ("CD4_ACGT", "CD4", "CD4", 1, 2),
        ("CD8a_TTGC", "CD8", "CD8A", 2, 1),
    ]


def test_nothing_in_common_has_the_same_columns():
    found, none = mo.match_proteins(["CD4"], ["CD4"]), mo.match_proteins(["CD4"], ["CD8"])
    assert none.empty
    assert list(none.columns) == list(found.columns) == ["name", "other", "antigen", "n_names", "n_others"]


def test_species():
    assert mo.match_proteins(["CD25"], ["IL-2Ra"], species="mouse")["antigen"].tolist() == ["Il2ra"]
    assert pairs(["Ly-6C"], ["Ly6C"], species="mouse") == [("Ly-6C", "Ly6C")]
    with pytest.raises(UnknownName, match=r"Unknown species 'humans'; there is 'human', 'mouse'.*'human'"):
        mo.match_proteins(["CD4"], ["CD4"], species="humans")


@pytest.fixture(scope="module")
def model(small, quick_fit):
    return quick_fit(small.mdata, steps=1)


def test_the_proteins_of_a_model(model):
    proteins = model.spec.modalities["prot"].features
    found = mo.match_proteins([f"ADT_{name}" for name in proteins], model)
    assert pd.Series(found["other"]).isin(proteins).all()
    pd.testing.assert_frame_equal(found, mo.match_proteins([f"ADT_{name}" for name in proteins], proteins))


@pytest.mark.filterwarnings("ignore::multiome.MultiomeWarning")
def test_a_model_without_proteins(small, quick_fit):
    rna = quick_fit(small.mdata["rna"], steps=1)
    with pytest.raises(UnknownName, match=r"0 modalities of proteins \(it knows 'rna'\).*Pass names"):
        mo.match_proteins(["CD4"], rna)


def test_too_few_proteins_by_name_point_here(small, model):
    other = small.mdata["prot"].copy()
    other.var_names = [f"{name}-2" for name in other.var_names]
    with pytest.raises(mo.SpecMismatch, match=r"none of the .* multiome\.match_proteins\(mdata\['prot'\]\.var_names"):
        model.embed(other, modality="prot")
    rna = small.mdata["rna"]
    with pytest.raises(mo.SpecMismatch, match=r"match_proteins"):
        model.evaluate(md.MuData({"rna": rna, "prot": other}))
    other.var_names = [*small.mdata["prot"].var_names[:2], *other.var_names[2:]]
    with pytest.raises(mo.SpecMismatch, match=r"min_features=.* to accept that\. Panels .*match_proteins"):
        model.embed(other, modality="prot")
    genes = rna.copy()
    genes.var_names = [f"{name}-2" for name in genes.var_names]
    with pytest.raises(mo.SpecMismatch) as told:
        model.embed(genes, modality="rna")
    assert "match_proteins" not in str(told.value)


def test_nonsense():
    for argument, call in {
        "names": lambda wrong: mo.match_proteins(wrong, ["CD4"]),
        "others": lambda wrong: mo.match_proteins(["CD4"], wrong),
    }.items():
        with pytest.raises(MultiomeError, match=rf"`{argument}` must be a list of names, got 'CD4'"):
            call("CD4")
        with pytest.raises(MultiomeError, match=rf"`{argument}` is empty"):
            call([])
        with pytest.raises(InvalidPairing, match=rf"`{argument}` names 'CD4' more than once"):
            call(["CD4", "CD4"])


@pytest.mark.parametrize("names", [{"CD3": 1}, pd.DataFrame({"CD3": [1]}), mo.Multiome])
def test_names_are_a_list(names):
    with pytest.raises(MultiomeError, match="must be a list of names of antibodies"):
        mo.match_proteins(["CD3"], names)
