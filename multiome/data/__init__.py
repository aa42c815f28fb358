"""`MuData` to minibatches: checks, features, cells, covariates, files."""
