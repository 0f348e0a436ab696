"""Hugging Face image classifiers.

backend.py       the backend
models.py        a folder or hub id -> a classifier; its image processor
preprocessing.py an image processor -> transforms
"""
