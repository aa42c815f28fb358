"""Decoder outputs to a distribution over recorded values: one file, one distribution."""
