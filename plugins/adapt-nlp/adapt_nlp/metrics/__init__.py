"""Metrics that work without a network. `adapt_nlp.evaluate_metrics` offers them to users of the package evaluate."""
