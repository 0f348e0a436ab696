"""Metrics that several tasks report. None needs a network.

names.py           the metrics of each task, and whether higher or lower is better
classification.py  accuracy and macro-F1
canonical.py       one spelling of texts that read alike
rouge.py           ROUGE
bleu.py            BLEU and SacreBLEU
"""
