"""The task image_classification: see task.py, which reads top to bottom."""
