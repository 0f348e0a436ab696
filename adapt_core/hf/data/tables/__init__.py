"""One reader for tables on disk: each cell as it is written, whatever the size of the file or the split.

encodings.py  the encoding of a delimited file
western_letters.py  texts in cp1252 or in cp1250, by the letters of languages
dialect.py    how a delimited file separates and quotes its cells
delimited.py  csv, tsv: cells as text, with the line of each row
kinds.py      the one type of a JSON column over all of its rows and splits
json_rows.py  json, jsonl: rows as JSON means them
columnar.py   parquet
sheets.py     .xlsx, .ods: the rows of a sheet
sheet_faults.py  cells of a sheet that have an error in place of a value
column_names.py  the columns that a header, a schema or rows show
other_formats.py  what to make of files that are no tables here
store.py      the Arrow file that a reader fills once and later runs map
batches.py    the rows of several files: their columns, types and batches
formats.py    the formats that core registers, each of them a reader of splits
read.py       the splits of a data set, each in its format
"""
