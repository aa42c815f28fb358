"""The verbs: what a fitted model answers."""
