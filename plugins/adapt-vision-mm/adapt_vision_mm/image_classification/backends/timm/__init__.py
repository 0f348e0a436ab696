"""timm models.

backend.py       the backend
models.py        architectures and published weights -> a classifier; saving, loading
weights.py       a file of weights -> a model
preprocessing.py timm's data config -> transforms
trainer.py       the Trainer for models that map a tensor to a tensor
"""
