"""Formats of text data: each module has a `Format`, and its spec is in `adapt_nlp.plugin`. Imports nothing heavy.

conll        words and tags in columns, a word on each line
tag_schemes  the scheme of tags in a file, and the same tags in IOB2
word_table   the lines of a CoNLL file, and which columns have entity tags
"""
