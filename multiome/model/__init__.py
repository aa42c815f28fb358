"""The Pyro model, its guide and its size."""
