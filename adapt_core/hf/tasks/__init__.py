"""The base of tasks on Hugging Face language models.

params.py    parameters that all of them have
language.py  LanguageTask, their base class
inputs.py    the inputs of `adapt predict`
preview.py   the figures and examples of `adapt check`
"""
