"""Which cell has which modality: exactly what was asked for."""

import numpy as np
import pandas as pd
import pytest

from multiome.datasets.pairing import measured
from multiome.errors import InvalidPairing, UnknownName

MODALITIES = ("rna", "atac", "prot")


def pattern(pairing, n_cells=90, seed=0):
    return measured(pairing, n_cells=n_cells, modalities=MODALITIES, rng=np.random.default_rng(seed))


def test_full_measures_everything():
    assert pattern("full").to_numpy().all()


def test_unpaired_gives_every_modality_its_own_cells():
    table = pattern("unpaired")
    assert (table.sum(axis=1) == 1).all()
    assert table.sum().tolist() == [30, 30, 30]


def test_missing_shares_are_exact():
    table = pattern({"atac": 0.5, "prot": 1 / 3})
    assert (~table).sum().to_dict() == {"rna": 0, "atac": 45, "prot": 30}
    assert (~table["atac"] & ~table["prot"]).any()  # missing independently of each other


def test_missing_in_all_modalities_leaves_every_cell_one():
    table = pattern({"rna": 0.6, "atac": 0.6, "prot": 0.6})
    assert (~table).sum().tolist() == [54, 54, 54]
    assert table.any(axis=1).all()


def test_groups_with_shares_are_exact_and_add_up():
    shares = {("rna", "atac"): 0.2, ("rna",): 0.3, ("atac", "prot"): 0.5}
    table = pattern(shares, n_cells=101)
    found = table.apply(lambda row: tuple(row.index[row]), axis=1).value_counts()
    assert found.to_dict() == {("rna", "atac"): 20, ("rna",): 30, ("atac", "prot"): 51}


def test_list_of_groups_shares_equally():
    assert pattern([("rna", "atac"), ("rna",), ("prot",)]).sum().tolist() == [60, 30, 30]


@pytest.mark.parametrize("form", [dict, pd.DataFrame])
def test_masks_are_taken_as_they_are(form):
    masks = {m: np.arange(90) % 3 != k for k, m in enumerate(MODALITIES)}
    pd.testing.assert_frame_equal(pattern(form(masks)), pd.DataFrame(masks))


@pytest.mark.parametrize(
    ("pairing", "error", "message"),
    [
        ("half", InvalidPairing, "'half'"),
        ({"met": 0.5}, UnknownName, "'met'.*'rna'"),
        ({"atac": 1.5}, InvalidPairing, r"'atac'.*1\.5"),
        ({"rna": 0.9, "atac": 0.9, "prot": 0.9}, InvalidPairing, "without any modality"),
        ({"atac": 1.0}, InvalidPairing, r"\['atac'\] in no cell"),
        ([("rna",), ("atac",)], InvalidPairing, r"\['prot'\] in no cell"),
        ({("rna", "atac", "prot"): 0.7}, InvalidPairing, r"sum to 1.*0\.7"),
        ({m: np.ones(3, dtype=bool) for m in MODALITIES}, InvalidPairing, r"\(90,\)"),
        ({m: np.arange(90) > 0 for m in MODALITIES}, InvalidPairing, r"1 cells without any modality \(first: \[0\]"),
        (pd.DataFrame({"rna": np.ones(90, dtype=bool)}), InvalidPairing, r"\['atac', 'prot'\] is missing"),
        (pd.DataFrame({m: np.ones(90) for m in MODALITIES}), InvalidPairing, "boolean.*float64"),
    ],
)
def test_errors_name_what_was_given(pairing, error, message):
    with pytest.raises(error, match=message):
        pattern(pairing)
