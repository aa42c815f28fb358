"""Benchmarks on real data: fixed splits, scores, simple baselines, and what was to be reached."""
