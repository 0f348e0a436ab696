"""Checks of the data before training.

plugin.py        the hooks
duplicates.py    rows of validation and test that stand in training, exactly or nearly
text_twins.py    texts that are nearly the same, by MinHash
image_twins.py   images that are nearly the same, by perceptual hashes
normal_form.py   what of a text counts when texts are compared
classes.py       classes with few rows, or with none in training
label_errors.py  labels that are probably wrong, by confident learning
features.py      what a classifier sees of texts, words, boxes and images
classifier.py    logistic regression on them, out of fold
shifts.py        lengths, languages and classes at odds between splits
languages.py     the language of a text
entities.py      entities in sequences of tags
baseline.py      the number to beat: majority, and logistic regression
"""
