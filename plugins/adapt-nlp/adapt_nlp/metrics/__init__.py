"""Metrics that several tasks report, and those that METRICS chooses. None needs a network.

names.py           the metrics of each task, and whether higher or lower is better
classification.py  accuracy and macro-F1
canonical.py       one spelling of texts that read alike
row_scores.py      scores of texts, and of any sample of them
rouge.py           ROUGE
bleu.py            BLEU and SacreBLEU
corpus.py          BLEU and chrF as METRICS names them
specs.py           what the hook registers for METRICS
texts.py           exact match, F1 of words, chrF
structured.py      JSON, calls of tools, answers in a known form
"""
