"""Optimisation, and the only home of Lightning."""
