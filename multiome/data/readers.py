"""A 10x Genomics count matrix, split by what was measured."""

from __future__ import annotations

import warnings
from pathlib import Path

import anndata as ad
import h5py
import mudata as md
import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata.utils import make_index_unique

from multiome.errors import MultiomeError, MultiomeWarning, listed

MODALITY_OF = {"Gene Expression": "rna", "Peaks": "atac", "Antibody Capture": "prot"}
"""Feature types of 10x, and the keys that they get."""

CELL_RANGER_3 = ("barcodes", "data", "indices", "indptr", "shape", "features")
CELL_RANGER_2 = {"barcodes", "data", "genes", "gene_names", "indices", "indptr", "shape"}
FEATURES = ("id", "name", "feature_type")
COORDINATES = r"^(?P<chrom>.+):(?P<chromStart>\d+)-(?P<chromEnd>\d+)$"


def read_10x(path: str | Path) -> md.MuData:
    """Counts of a 10x ``filtered_feature_bc_matrix.h5`` as a `MuData` of ``rna``, ``atac`` and ``prot``.

    Gene Expression becomes ``rna``, Peaks ``atac`` and Antibody Capture ``prot``. Other features (CRISPR guides,
    multiplexing tags, custom ones) are left out, with a warning that counts them. ``.X`` is CSR float32.

    Every cell of the file was measured in every modality, so all of them are kept, also a cell without a single count
    in one modality. `fit` takes such a row of zeros for an error; with ``drop_empty=True``, for a cell that was not
    measured there. Peak counts of Cell Ranger ARC are cut sites; `fit` halves them to fragments.

    Parameters
    ----------
    path
        The ``.h5`` file of Cell Ranger 3 or later, Cell Ranger ARC or Cell Ranger ATAC 2. Not the ``raw`` matrix: it is
        read as well, but most of its barcodes are empty droplets.

    Returns
    -------
    ``var_names`` are gene symbols, peak names and antibody names. Where one occurs more than once in a modality, the
    second becomes ``NAME-1``, the third ``NAME-2`` and so on; ``gene_name`` (``protein_name``) keeps the name as it
    stands in the file and ``gene_id`` (``protein_id``) the identifier. ``chrom``, ``chromStart`` and ``chromEnd`` of a
    peak are read from its name ``chr1:100-200``; a gene has them where the file gives an interval (Cell Ranger ARC
    does: the span of the gene's transcription start sites, not its body). Where nothing says, they are ``""`` and -1.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    MultiomeError
        If the file is not a 10x matrix of that layout, or holds no cell or none of the three kinds of features.

    Examples
    --------
    >>> import multiome as mo
    >>> mdata = mo.read_10x("filtered_feature_bc_matrix.h5")  # doctest: +SKIP
    >>> mdata["rna"].var_names = mdata["rna"].var["gene_id"]  # identifiers instead of symbols  # doctest: +SKIP
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"There is no file {str(path)!r}.")
    if path.is_dir():
        inside = sorted(path.glob("*matrix.h5")) or sorted(path.parent.glob("*matrix.h5"))
        raise MultiomeError(f"{str(path)!r} is a folder, but the .h5 file is expected (near it: {listed(inside)}).")
    if not h5py.is_hdf5(path):
        raise MultiomeError(f"{str(path)!r} is not an HDF5 file; expected a 10x filtered_feature_bc_matrix.h5.")
    try:
        with h5py.File(path, "r") as file:
            check_layout(path, file)
            counts, barcodes, features = read_matrix_group(file["matrix"])
    except (OSError, ValueError) as error:
        if isinstance(error, MultiomeError):
            raise
        raise MultiomeError(f"{str(path)!r} cannot be read ({error}); is it only part of the file?") from error
    return split_features(path, counts, barcodes, features)


def check_layout(path: Path, file: h5py.File) -> None:
    """The file must hold what Cell Ranger 3 and later write; say what it is instead."""
    expected = "expected the layout of Cell Ranger 3 or later, /matrix with /matrix/features"
    found = f"{str(path)!r} holds {listed(file)} at its top; {expected}."
    if "matrix" in file and isinstance(file["matrix"], h5py.Group):
        matrix = file["matrix"]
        absent = [name for name in CELL_RANGER_3 if name not in matrix]
        if not absent:
            absent = [f"features/{name}" for name in FEATURES if name not in matrix["features"]]
        if absent:
            raise MultiomeError(f"{str(path)!r} is no complete 10x matrix: /matrix lacks {listed(absent)}; {expected}.")
        return
    legacy = [name for name, group in file.items() if isinstance(group, h5py.Group) and set(group) >= CELL_RANGER_2]
    if legacy:
        raise MultiomeError(
            f"{str(path)!r} has the legacy layout of Cell Ranger 2 (a group per genome: {listed(legacy)}); {expected}. "
            "It holds genes only: read it with scanpy.read_10x_h5 and pass the AnnData."
        )
    if "mod" in file:
        raise MultiomeError(f"{found} It looks like a .h5mu file: read it with mudata.read_h5mu.")
    if {"X", "obs", "var"} <= set(file):
        raise MultiomeError(f"{found} It looks like an .h5ad file: read it with anndata.read_h5ad.")
    raise MultiomeError(found)


def read_matrix_group(group: h5py.Group) -> tuple[sp.csr_matrix, pd.Index, pd.DataFrame]:
    """Counts (cells x features), barcodes, and the table of features."""
    n_features, n_cells = (int(n) for n in group["shape"][:])
    barcodes = pd.Index(group["barcodes"].asstr()[:], dtype=object)
    columns = [name for name in (*FEATURES, "genome", "interval") if name in group["features"]]
    features = pd.DataFrame({name: group["features"][name].asstr()[:] for name in columns})
    if (len(features), len(barcodes)) != (n_features, n_cells):
        raise ValueError(f"{len(features)} features and {len(barcodes)} barcodes for a {n_features} x {n_cells} matrix")
    index_type = np.int32 if n_features < np.iinfo(np.int32).max else np.int64
    parts = group["data"].astype(np.float32)[:], group["indices"].astype(index_type)[:], group["indptr"][:]
    # Stored by column of features x barcodes: the same arrays are the rows of barcodes x features.
    counts = sp.csr_matrix(parts, shape=(n_cells, n_features))
    counts.check_format(full_check=True)
    return counts, barcodes, features


def split_features(path: Path, counts: sp.csr_matrix, barcodes: pd.Index, features: pd.DataFrame) -> md.MuData:
    """One `AnnData` per known feature type; the others are counted in a warning."""
    kinds = features["feature_type"].value_counts()
    if not len(barcodes):
        raise MultiomeError(f"{str(path)!r} holds no cells (0 barcodes, {len(features):,} features).")
    known = [kind for kind in MODALITY_OF if kind in kinds.index]
    if not known:
        found, expected = listed(kinds.index), listed(MODALITY_OF)
        raise MultiomeError(f"{str(path)!r} holds features of type {found}; expected any of {expected}.")
    left_out = [f"{n:,} of type {kind!r}" for kind, n in kinds.items() if kind not in MODALITY_OF]
    if left_out:
        warnings.warn(f"{path.name}: features left out: {', '.join(left_out)}.", MultiomeWarning, stacklevel=3)
    mods = {}
    for kind in known:
        chosen = np.flatnonzero(features["feature_type"] == kind)
        x = counts[:, chosen]
        x.sum_duplicates()
        mods[MODALITY_OF[kind]] = ad.AnnData(
            x, obs=pd.DataFrame(index=barcodes), var=feature_table(MODALITY_OF[kind], features.iloc[chosen])
        )
    with md.set_options(pull_on_update=False), warnings.catch_warnings():
        # a gene and its protein may share a name: legal, and told apart by their modality
        warnings.filterwarnings("ignore", message="var_names are not unique", category=UserWarning)
        return md.MuData(mods)


def feature_table(key: str, features: pd.DataFrame) -> pd.DataFrame:
    """The ``var`` of one modality."""
    table = pd.DataFrame(index=make_index_unique(pd.Index(features["name"], name=None, dtype=object)))
    if key == "atac":
        place = coordinates(features["name"])
    else:
        what = "gene" if key == "rna" else "protein"
        table[f"{what}_id"], table[f"{what}_name"] = features["id"].to_numpy(), features["name"].to_numpy()
        place = coordinates(features["interval"]) if key == "rna" and "interval" in features else None
    if place is not None:
        for name, values in place.items():
            table[name] = values.to_numpy()
    if key != "prot" and "genome" in features:
        table["genome"] = features["genome"].to_numpy()
    return table


def coordinates(places: pd.Series) -> pd.DataFrame:
    """``chr1:100-200`` as chrom, chromStart, chromEnd; ``""`` and -1 where it is not one."""
    found = places.str.extract(COORDINATES)
    parsed = {name: pd.to_numeric(found[name]).fillna(-1).astype(np.int64) for name in ("chromStart", "chromEnd")}
    return pd.DataFrame({"chrom": found["chrom"].astype(object).where(found["chrom"].notna(), ""), **parsed})
