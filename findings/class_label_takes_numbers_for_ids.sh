#!/usr/bin/env bash
# class_label_takes_numbers_for_ids: a text that is no class name but reads as a number becomes the class of that id
# packages: datasets==5.2.0
# guess: Casting texts to ClassLabel(names=["5", "7"]) raises for "1", which is none of the names.
# seen: "1" becomes id 1, the class "7"; so do "01" and the full-width "１". "-1" becomes -1, which means unlabelled.
#   "5" is a name and keeps its id, and only a number without a class ("9") raises. " b" is read as "b".
# matters: Star ratings, digits or codes that a split has and the names lack get a wrong class, or none, and no error.
#   Compare the texts of each split with the names before you cast.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
from datasets import ClassLabel, Dataset, disable_progress_bars
from seen import seen

disable_progress_bars()
NAMES = ["5", "7"]


def cast(text, names=NAMES):
    rows = Dataset.from_dict({"label": [text]}).cast_column("label", ClassLabel(names=names))
    return rows[0]["label"]


seen("the name '5'", cast("5"), 0)
for text in ("1", "01", "１"):
    seen(f"{text!r}, which is no name", NAMES[cast(text)], "7")
seen("'-1'", cast("-1"), -1)
seen("' b' of a and b", cast(" b", ["a", "b"]), 1)
try:
    cast("9")
    raised = False
except ValueError:
    raised = True
seen("'9' raises", raised)
PY
