"""Pairing is what the obs map says, for a MuData and for every view of it."""

import warnings

import mudata as md
import numpy as np
import pytest
from anndata import concat

from multiome.data.cells import cells_of, check_pairing
from multiome.errors import InvalidPairing, MultiomeWarning


@pytest.fixture(autouse=True)
def _pull_nothing():
    with md.set_options(pull_on_update=False):
        yield


def claims(cells):
    """Per modality, the names of the rows that the map points to, None where a cell was not measured."""
    return {
        key: [str(adata.obs_names[row]) if row >= 0 else None for row in cells.rows[key]]
        for key, adata in cells.mods.items()
    }


def check(cells):
    """Every row that a cell points to bears the cell's name, and every row is pointed to."""
    for key, names in claims(cells).items():
        assert all(there in (None, name) for there, name in zip(names, cells.obs_names, strict=True))
        assert sorted(filter(None, names)) == sorted(cells.mods[key].obs_names)


def test_mosaic(mosaic):
    cells = cells_of(mosaic)
    assert list(cells.obs_names) == ["c1", "c2", "c3", "c4", "c5", "c6", "c8", "c9"]
    assert cells.rows["rna"].tolist() == [0, 1, 2, 3, 4, 5, -1, -1]
    assert cells.rows["atac"].tolist() == [-1, 3, -1, 2, -1, 1, 0, 4]
    assert cells.observed("atac").tolist() == [False, True, False, True, False, True, True, True]
    check(cells)


@pytest.mark.parametrize(
    "index",
    [
        slice(2, 6),
        slice(None, None, -1),
        np.array([True, False] * 4),
        np.array([7, 3, 0, 1]),
        ["c9", "c6", "c1"],
        ["c1", "c3"],
        [],
    ],
    ids=["slice", "reversed", "mask", "integers", "names", "without atac", "none"],
)
@pytest.mark.parametrize("form", [lambda v: v, lambda v: v[::-1], lambda v: v.copy()], ids=["view", "view²", "copy"])
def test_views(mosaic, index, form):
    part = form(mosaic[index])
    cells = cells_of(part)
    assert list(cells.obs_names) == list(part.obs_names)
    whole = {key: dict(zip(mosaic.obs_names, names, strict=True)) for key, names in claims(cells_of(mosaic)).items()}
    assert claims(cells) == {key: [whole[key][name] for name in part.obs_names] for key in whole}
    check(cells)


def test_view_of_features(mosaic):
    cells = cells_of(mosaic[:, ["g2", "p1"]])
    assert {key: a.shape for key, a in cells.mods.items()} == {"rna": (6, 1), "atac": (5, 1)}
    check(cells)


def test_anndata_is_one_modality(make_adata):
    adata = make_adata(["c2", "c1"])
    cells = cells_of(adata, "rna")
    assert claims(cells) == {"rna": ["c2", "c1"]}
    with pytest.raises(TypeError, match="say which"):
        cells_of(adata)
    with pytest.raises(TypeError):
        cells_of(adata.X.toarray(), "rna")


def test_nested_modality_is_refused(make_adata):
    nested = md.MuData({"rna": md.MuData({"x": make_adata(["c1"])}), "atac": make_adata(["c1"], ["p1"])})
    with pytest.raises(TypeError, match="'rna' must be an AnnData, got MuData"):
        cells_of(nested)


def test_both_axes_shared(make_adata):
    cells = ["c1", "c2"]
    check(cells_of(md.MuData({"rna": make_adata(cells), "prot": make_adata(cells)}, axis=-1)))


def test_axis_1_pairs_no_cells(make_adata):
    apart = md.MuData({"rna": make_adata(["c1", "c2"]), "atac": make_adata(["c3", "c4"])}, axis=1)
    check(cells_of(apart))
    with pytest.raises(InvalidPairing, match="share no cell"):
        check_pairing(cells_of(apart))
    with pytest.warns(UserWarning, match="obs_names are not unique"):
        same = md.MuData({"rna": make_adata(["c1", "c2"]), "atac": make_adata(["c1", "c4"])}, axis=1)
    with pytest.raises(InvalidPairing, match=r"axis=1.*'c1'"):
        cells_of(same)


def reverse(mdata, make_adata):
    mdata.mod["rna"] = mdata["rna"][::-1].copy()


def shorten(mdata, make_adata):
    mdata.mod["rna"] = mdata["rna"][:3].copy()


def lengthen(mdata, make_adata):
    mdata.mod["atac"] = concat([mdata["atac"], make_adata(["c3", "c10"], ["p1", "p2", "p3"])])


def rename(mdata, make_adata):
    mdata["rna"].obs_names = [f"c{i}" for i in range(11, 17)]


@pytest.mark.parametrize("change", [reverse, shorten, lengthen, rename])
def test_stale_obs_map(mosaic, make_adata, change):
    change(mosaic, make_adata)
    with pytest.raises(InvalidPairing, match=r"call mdata.update\(\) first"):
        cells_of(mosaic)
    check(cells_of(md.MuData(mosaic.mod)))


def test_modality_added_later(mosaic, make_adata):
    mosaic.mod["prot"] = make_adata(["c1"], ["t1"])
    with pytest.raises(InvalidPairing, match=r"'prot' was added.*mdata.update\(\)"):
        cells_of(mosaic)


@pytest.mark.parametrize("axis", ["obs", "var"])
@pytest.mark.filterwarnings("ignore:.*names are not unique:UserWarning", "ignore:Duplicated obs_names:UserWarning")
def test_duplicates(make_adata, axis):
    names = {"obs": (["c1", "c2", "c1"], ["g1", "g2"]), "var": (["c1", "c2", "c3"], ["g2", "g2"])}[axis]
    twice = make_adata(*names)
    with pytest.raises(InvalidPairing, match=rf"'rna': {axis}_names are not unique.*{axis}_names_make_unique"):
        cells_of(twice, "rna")
    with pytest.raises(InvalidPairing, match=rf"'rna': {axis}_names are not unique"):
        cells_of(md.MuData({"rna": twice, "atac": make_adata(["c1", "c2"], ["p1"])}))


def mdata_of(make_adata, **ranges):
    features = {"rna": "g1", "atac": "p1", "prot": "t1", "met": "s1"}
    return md.MuData({key: make_adata([f"c{i}" for i in r], [features[key]]) for key, r in ranges.items()})


def test_chain_of_modalities_is_connected(make_adata):
    """RNA and protein share no cell, but both share some with ATAC."""
    chain = mdata_of(make_adata, rna=range(10), atac=range(8, 18), prot=range(15, 25))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_pairing(cells_of(chain))


def test_unconnected_modalities(make_adata):
    apart = mdata_of(make_adata, rna=range(10), prot=range(10), atac=range(10, 20), met=range(15, 25))
    with pytest.raises(InvalidPairing, match=r"'prot', 'rna' and 'atac', 'met' share no cell.*guidance graph"):
        check_pairing(cells_of(apart))


def test_few_shared_names_look_like_collisions(make_adata):
    with pytest.warns(MultiomeWarning, match=r"share only 4 of 100 cell names \(4.0%; first: 'c96'.*collide"):
        check_pairing(cells_of(mdata_of(make_adata, rna=range(100), atac=range(96, 250))))
    check_pairing(cells_of(mdata_of(make_adata, rna=range(100), atac=range(95, 250))))
