"""Estimates of a run's steps, memory and disk: `adapt check`."""
