"""Data sets on Hugging Face datasets, from files or the hub to model inputs. Needs the extra `adapt-core[hf]`.

examples.py         rows as checks of the data see them
first_look.py       column names, before any heavy library
split_names.py      the names of splits
library_data.py     what the library datasets loads
source.py           local files or a hub data set -> raw splits
places.py           several data sets as one, and their shares
place_reader.py     each of several data sets read, all joined
formats.py          the format of each split
row_places.py       the file and line of a row, and how many rows were dropped
tables/             csv, json, parquet and text files, each cell as the file has it
xml_files.py        a parser of XML without entities
class_names.py      class numbers of every split by the names of the training split
splits.py           the splits of a run: validated, held out, sampled
folds.py            the rows that a fold holds out
resampling.py       rows that an epoch shows more or less often than once
selection.py        rows chosen at random, by a seed and by classes
columns.py          required columns, bad rows, FORMAT_STRING
texts.py            the text of a row
labels.py           class labels and class weights
lost_characters.py  what a tokenizer loses of the texts
cache.py            mapped rows, cached between runs
further.py          further data sets that are evaluated
rows.py             raw splits -> model inputs: the steps that all text tasks share
"""
