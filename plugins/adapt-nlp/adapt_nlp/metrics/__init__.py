"""Metrics that work without a network. `evaluating` offers them to users of the package evaluate."""
