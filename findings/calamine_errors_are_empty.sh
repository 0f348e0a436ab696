#!/usr/bin/env bash
# calamine_errors_are_empty: cells with an error, and formulas never computed, are read as empty text
# packages: python-calamine==0.9.1 openpyxl==3.1.5
# guess: A cell that shows #DIV/0! is read as that text or as a value of its own, as openpyxl reads it; a formula
#   without a computed value is None or its text.
# seen: Both are '', as an empty cell is, in .xlsx and .ods. openpyxl's data_only gives '#DIV/0!' for the error, and
#   None for the formula. Files that openpyxl writes have formulas without values until a program opens and saves them.
# matters: A label or text that is a broken formula trains as a missing value, or its row is dropped as empty. Look for
#   cells of type e, and formulas without a value, in the XML inside of the file before the values are used.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
import openpyxl
import python_calamine
from seen import seen

book = openpyxl.Workbook()
book.active.append(["text", "error", "formula", "empty", "end"])
book.active.append(["a", "#DIV/0!", "=1+1", None, "z"])
book.active["B2"].data_type = "e"
book.save("a.xlsx")

row = python_calamine.CalamineWorkbook.from_path("a.xlsx").get_sheet_by_index(0).to_python()[1]
other = next(openpyxl.load_workbook("a.xlsx", data_only=True).active.iter_rows(min_row=2, values_only=True))
seen("python-calamine reads", row, ["a", "", "", "", "z"])
seen("openpyxl reads", list(other), ["a", "#DIV/0!", None, None, "z"])
PY
