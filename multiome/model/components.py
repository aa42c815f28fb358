"""Principal components of one modality's transformed training values: what its encoder sees."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.decomposition import PCA

from multiome.types import SparseRows


def principal_components(rows: SparseRows, n_components: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Loadings (features x components) and the centre (features); one scale gives the first scores variance 1.

    With equal variances, an encoder would be handed mostly noise on few cells.

    Centred implicitly: the values stay sparse.
    """
    x = sp.csr_matrix(
        (rows.values.numpy(), rows.indices.numpy(), rows.indptr.numpy()), shape=(len(rows), rows.n_features)
    )
    centre = np.asarray(x.mean(0)).ravel()
    n = min(n_components, min(x.shape) - 1)
    if not (x.max(0) != x.min(0)).nnz:  # nothing varies: solvers would divide 0 by 0
        return torch.zeros(rows.n_features, max(n, 1)), torch.from_numpy(centre.astype(np.float32))
    if n < 1:
        loadings = np.eye(rows.n_features, max(min(n_components, rows.n_features), 1))
        return torch.from_numpy(loadings.astype(np.float32)), torch.from_numpy(centre.astype(np.float32))
    small = min(x.shape) <= 2 * n
    fitted = PCA(n, svd_solver="full").fit(x.toarray()) if small else PCA(n, svd_solver="arpack", random_state=0).fit(x)
    scale = np.sqrt(max(fitted.explained_variance_[0], 1e-12))
    real = fitted.explained_variance_ > 1e-9 * fitted.explained_variance_.max(initial=0)
    loadings = np.where(real, fitted.components_.T / scale, 0.0)
    return torch.from_numpy(loadings.astype(np.float32)), torch.from_numpy(centre.astype(np.float32))
