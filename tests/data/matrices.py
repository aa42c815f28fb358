"""Small matrices for the tests beside this file."""

import anndata as ad
import numpy as np
import scipy.sparse as sp

COUNTS = np.array([[5, 0, 3, 2], [1, 1, 0, 0], [0, 7, 0, 3], [2, 2, 2, 4]], dtype=np.float32)
# one covered site or more in every cell and at every site
CALLS = np.array([[2, 0, 1, 1], [1, 1, 0, 0], [0, 3, 0, 1], [2, 2, 0, 1]], dtype=np.float32)
METHYLATED = np.array([[0, 0, 1, 0], [1, 0, 0, 0], [0, 3, 0, 1], [0, 2, 0, 0]], dtype=np.float32)
NAMES = [f"g{i}" for i in range(4)]


def adata_of(x, names=NAMES, **layers):
    adata = ad.AnnData(sp.csr_matrix(x) if isinstance(x, np.ndarray) else x, layers=layers)
    adata.obs_names, adata.var_names = [f"c{i}" for i in range(x.shape[0])], list(names)
    return adata


def messy(x):
    """CSR with its entries in reverse order, and every zero of some columns stored."""
    rows, columns = np.nonzero((x != 0) | (np.arange(x.shape[1]) % 2 == 1)[None])
    order = np.lexsort((-columns, rows))
    rows, columns = rows[order], columns[order]
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(x)))])
    return sp.csr_matrix((x[rows, columns], columns.astype(np.int32), indptr.astype(np.int32)), shape=x.shape)
