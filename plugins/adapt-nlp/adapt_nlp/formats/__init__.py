"""Formats of text data: each module has a `Format`, and its spec is in `adapt_nlp.plugin`. Imports nothing heavy.

conll              words and tags in columns, a word on each line
tag_schemes        the scheme of tags in a file, and the same tags in IOB2
word_table         the lines of a CoNLL file, and which columns have entity tags
spacy              texts with entities: spaCy's rows and training tuples, prodigy's spans
doccano            texts with labelled spans, as doccano exports them
label_studio_text  texts with labelled spans, as Label Studio exports them
span_rows          what these three share: their rows, and the first of them
spans              spans of characters as tags of words
brat               texts with standoff files of entities
squad              SQuAD's articles of paragraphs and questions
parallel           a file for each language, a line of each is a pair
language_suffixes  the suffixes of such files
tmx                translation memories
"""
