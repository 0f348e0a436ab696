"""The libraries that image classifiers come from. A further one is a class in one file and a line in LIBRARIES.

libraries.py  the table of the libraries, and how a model is recognised as theirs
base.py       what a backend does
choice.py     the backend of a plan, chosen once
timm/         timm models
hugging_face/ Hugging Face image classifiers
"""
