"""Data sets: simulated, with known truth."""

from multiome.datasets.simulate import simulate as simulate
