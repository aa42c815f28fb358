"""Small files in the layout of Cell Ranger, written with h5py, whose content is known."""

from itertools import pairwise

import anndata as ad
import h5py
import mudata as md
import numpy as np
import pytest
import scipy.sparse as sp

from multiome.data.readers import read_10x
from multiome.errors import MultiomeError, MultiomeWarning

BARCODES = ["AAAC-1", "AAAG-1", "AAAT-1"]
# identifier, name, type, genome, interval
FEATURES = [
    ("ENSG1", "TBCE", "Gene Expression", "GRCh38", "chr1:100-200"),
    ("ENSG2", "CD4", "Gene Expression", "GRCh38", "GL000194.1:5-6"),
    ("chr1:100-200", "chr1:100-200", "Peaks", "GRCh38", "chr1:100-200"),
    ("TS1", "CD4", "Antibody Capture", "", "NA"),
    ("guide1", "guide1", "CRISPR Guide Capture", "", ""),
    ("ENSG3", "TBCE", "Gene Expression", "GRCh38", "NA"),
    ("HLA-A*01:01:1-20", "HLA-A*01:01:1-20", "Peaks", "GRCh38", "HLA-A*01:01:1-20"),
    ("guide2", "guide2", "CRISPR Guide Capture", "", ""),
    ("tag1", "tag1", "Multiplexing Capture", "", ""),
    ("ENSG4", "TBCE", "Gene Expression", "GRCh38", ""),
]
# cells x features; the second cell has no protein count, the third no RNA count
COUNTS = np.array(
    [
        [1, 0, 2, 40, 7, 0, 0, 1, 9, 3],
        [0, 5, 4, 0, 0, 6, 2, 0, 0, 0],
        [0, 0, 0, 80, 1, 0, 8, 0, 3, 0],
    ]
)


def write(path, features=FEATURES, counts=COUNTS, barcodes=BARCODES, fields=("genome", "interval")):
    x = sp.csr_matrix(counts)
    with h5py.File(path, "w") as file:
        matrix = file.create_group("matrix")
        matrix["barcodes"] = np.array(barcodes, dtype="S")
        matrix["data"] = x.data.astype(np.int32)
        matrix["indices"] = x.indices.astype(np.int64)
        matrix["indptr"] = x.indptr.astype(np.int64)
        matrix["shape"] = np.array([len(features), len(barcodes)], dtype=np.int32)
        group = matrix.create_group("features")
        names = ("id", "name", "feature_type", "genome", "interval")
        for name, values in zip(names, zip(*features, strict=True), strict=True):
            if name in ("id", "name", "feature_type", *fields):
                group[name] = np.array(values, dtype="S")
    return path


def only(kinds):
    chosen = [i for i, feature in enumerate(FEATURES) if feature[2] in kinds]
    return {"features": [FEATURES[i] for i in chosen], "counts": COUNTS[:, chosen]}


KNOWN = only({"Gene Expression", "Peaks", "Antibody Capture"})


def test_split(tmp_path):
    path = write(tmp_path / "filtered_feature_bc_matrix.h5")
    with pytest.warns(MultiomeWarning, match="left out: 2 of type 'CRISPR Guide.*, 1 of type 'Multiplexing") as warned:
        mdata = read_10x(path)
    assert len(warned) == 1
    assert list(mdata.mod) == ["rna", "atac", "prot"]
    assert list(mdata.obs_names) == BARCODES
    for key, columns in {"rna": [0, 1, 5, 9], "atac": [2, 6], "prot": [3]}.items():
        adata = mdata[key]
        assert isinstance(adata.X, sp.csr_matrix)
        assert adata.X.dtype == np.float32
        assert adata.X.has_canonical_format
        np.testing.assert_array_equal(adata.X.toarray(), COUNTS[:, columns])
        assert list(adata.obs_names) == BARCODES  # also the cells without a count


def test_tables(tmp_path):
    mdata = read_10x(write(tmp_path / "m.h5", **KNOWN))
    rna, atac, prot = (mdata[key].var for key in ("rna", "atac", "prot"))
    assert list(rna.index) == ["TBCE", "CD4", "TBCE-1", "TBCE-2"]
    assert rna["gene_name"].tolist() == ["TBCE", "CD4", "TBCE", "TBCE"]
    assert rna["gene_id"].tolist() == ["ENSG1", "ENSG2", "ENSG3", "ENSG4"]
    assert rna["chrom"].tolist() == ["chr1", "GL000194.1", "", ""]
    assert rna["chromStart"].tolist() == [100, 5, -1, -1]
    assert rna["chromEnd"].tolist() == [200, 6, -1, -1]
    assert rna["genome"].tolist() == ["GRCh38"] * 4
    assert list(atac.index) == ["chr1:100-200", "HLA-A*01:01:1-20"]
    assert atac["chrom"].tolist() == ["chr1", "HLA-A*01:01"]
    assert atac["chromStart"].tolist() == [100, 1]
    assert atac["chromEnd"].tolist() == [200, 20]
    assert atac["chromStart"].dtype == rna["chromEnd"].dtype == np.int64
    assert prot.to_dict("list") == {"protein_id": ["TS1"], "protein_name": ["CD4"]}


def test_without_intervals(tmp_path):
    mdata = read_10x(str(write(tmp_path / "m.h5", **only({"Gene Expression"}), fields=())))
    assert list(mdata.mod) == ["rna"]
    assert list(mdata["rna"].var) == ["gene_id", "gene_name"]


@pytest.mark.filterwarnings("ignore:var_names are not unique:UserWarning")  # the gene CD4 and the protein CD4
def test_result_can_be_written(tmp_path):
    mdata = read_10x(write(tmp_path / "m.h5", **KNOWN))
    with md.set_options(pull_on_update=False):
        mdata.write(tmp_path / "m.h5mu")
        again = md.read_h5mu(tmp_path / "m.h5mu")
    for key in mdata.mod:
        assert (mdata[key].X != again[key].X).nnz == 0
        assert mdata[key].var.equals(again[key].var.astype(mdata[key].var.dtypes))


def test_unsorted_entries(tmp_path):
    """Cell Ranger does not promise that the features of a barcode are in order."""
    path = write(tmp_path / "m.h5", **KNOWN)
    with h5py.File(path, "a") as file:
        ends = file["matrix/indptr"][:]
        for name in ("data", "indices"):
            old = file["matrix"][name][:]
            file["matrix"][name][:] = np.concatenate([old[a:b][::-1] for a, b in pairwise(ends)])
    mdata = read_10x(path)
    np.testing.assert_array_equal(mdata["rna"].X.toarray(), COUNTS[:, [0, 1, 5, 9]])
    assert mdata["rna"].X.has_sorted_indices


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file .*absent\.h5"):
        read_10x(tmp_path / "absent.h5")


def test_folder(tmp_path):
    folder = tmp_path / "filtered_feature_bc_matrix"
    folder.mkdir()
    write(tmp_path / "filtered_feature_bc_matrix.h5")
    with pytest.raises(MultiomeError, match=r"is a folder.*near it: '.*filtered_feature_bc_matrix\.h5'"):
        read_10x(folder)


def test_no_hdf5(tmp_path):
    (tmp_path / "m.h5").write_text("%%MatrixMarket matrix coordinate integer general")
    with pytest.raises(MultiomeError, match=r"not an HDF5 file; expected a 10x"):
        read_10x(tmp_path / "m.h5")


def test_truncated(tmp_path):
    path = write(tmp_path / "m.h5")
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(MultiomeError, match=r"cannot be read .*only part of the file"):
        read_10x(path)


def test_legacy_layout(tmp_path):
    with h5py.File(tmp_path / "m.h5", "w") as file:
        for genome in ("hg19", "mm10"):
            for name in ("barcodes", "data", "genes", "gene_names", "indices", "indptr", "shape"):
                file[f"{genome}/{name}"] = [0]
    with pytest.raises(MultiomeError, match=r"legacy layout of Cell Ranger 2 .*'hg19', 'mm10'.*expected.*Ranger 3"):
        read_10x(tmp_path / "m.h5")


def test_incomplete_matrix(tmp_path):
    path = write(tmp_path / "m.h5")
    with h5py.File(path, "a") as file:
        del file["matrix/features/feature_type"]
    with pytest.raises(MultiomeError, match=r"lacks 'features/feature_type'"):
        read_10x(path)
    with h5py.File(path, "a") as file:
        del file["matrix/indptr"], file["matrix/features"]
    with pytest.raises(MultiomeError, match=r"lacks 'indptr', 'features'"):
        read_10x(path)


@pytest.mark.parametrize(("name", "value"), [("shape", [10, 4]), ("indptr", [0, 1, 2, 90]), ("indices", [99] * 15)])
def test_contradictions(tmp_path, name, value):
    path = write(tmp_path / "m.h5")
    with h5py.File(path, "a") as file:
        old = file["matrix"][name]
        assert old.shape == np.shape(value)
        old[:] = value
    with pytest.raises(MultiomeError, match="cannot be read"):
        read_10x(path)


def test_other_formats(tmp_path, make_adata):
    adata = make_adata(["c1", "c2"])
    adata.write(tmp_path / "a.h5ad")
    with pytest.raises(MultiomeError, match=r"holds 'X'.*expected.*anndata\.read_h5ad"):
        read_10x(tmp_path / "a.h5ad")
    with md.set_options(pull_on_update=False):
        md.MuData({"rna": adata}).write(tmp_path / "m.h5mu")
    with pytest.raises(MultiomeError, match=r"mudata\.read_h5mu"):
        read_10x(tmp_path / "m.h5mu")
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["weights"] = [1.0]
    with pytest.raises(MultiomeError, match=r"holds 'weights' at its top; expected"):
        read_10x(tmp_path / "x.h5")


def test_nothing_to_split(tmp_path):
    with pytest.raises(MultiomeError, match=r"holds no cells \(0 barcodes, 10 features\)"):
        read_10x(write(tmp_path / "none.h5", barcodes=[], counts=COUNTS[:0]))
    guides = only({"CRISPR Guide Capture"})
    with pytest.raises(MultiomeError, match=r"type 'CRISPR Guide Capture'; expected any of 'Gene Expression'"):
        read_10x(write(tmp_path / "guides.h5", **guides))


@pytest.mark.filterwarnings("ignore:var_names are not unique:UserWarning")
@pytest.mark.parametrize("name", ["pbmc_multiome_tiny.h5mu", "bmmc_cite_small.h5mu"])
def test_real_counts_survive(tmp_path, bench_data, name):
    """A slice of real data, written in the layout of 10x and read again, is the same MuData."""
    with md.set_options(pull_on_update=False):
        real = md.read_h5mu(bench_data(name))[:50]
    kinds = {"rna": "Gene Expression", "atac": "Peaks", "prot": "Antibody Capture"}
    features, parts = [], []
    for key, adata in real.mod.items():
        ids = adata.var.get("gene_id", adata.var_names)
        features += [(i or "?", n, kinds[key], "GRCh38", "") for i, n in zip(ids, adata.var_names, strict=True)]
        parts.append(adata.X.toarray())
    mdata = read_10x(write(tmp_path / "m.h5", features, np.hstack(parts), list(real.obs_names)))
    assert list(mdata.obs_names) == list(real.obs_names)
    for key, adata in real.mod.items():
        assert isinstance(mdata[key], ad.AnnData)
        assert list(mdata[key].var_names) == list(adata.var_names)
        assert (mdata[key].X != adata.X).nnz == 0
        if key == "atac":
            columns = ["chrom", "chromStart", "chromEnd"]
            assert (mdata[key].var[columns].to_numpy() == adata.var[columns].to_numpy()).all()
