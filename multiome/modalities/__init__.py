"""One assay, one file, one object."""
