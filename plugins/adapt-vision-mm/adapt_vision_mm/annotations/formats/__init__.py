"""Annotation formats, one module each."""
