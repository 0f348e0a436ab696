"""timm models.

backend.py       the backend
reference.py     the model that a config means
models.py        architectures and published weights -> a classifier; saving, loading
adapters.py      lines that load an adapter with plain peft
weights.py       a file of weights -> a model
preprocessing.py timm's data config -> transforms
trainer.py       the Trainer for models that map a tensor to a tensor
"""
