#!/usr/bin/env bash
# json_feature_parses_strings: a string in a column of type Json comes back as the value that its text spells
# packages: datasets==5.2.0
# guess: Json stores a value and returns that value: the string "12" comes back as the string "12".
# seen: "12" comes back as 12, "true" as True, "null" as None, "1e3" as 1000.0. load_dataset("json") chooses this type
#   by itself for a key with values of several kinds; while all values are strings, the same strings stay strings.
# matters: Arguments of tools in chat data change with the other rows of the file. A model that is trained on {"zip":
#   "01234"} or "null" next to objects sees other targets than the file has.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
import json
from pathlib import Path

import datasets
from datasets import Dataset, Features, Json, load_dataset
from seen import seen

datasets.disable_progress_bars()
STRINGS = ["12", "true", "null", "1e3", "[1, 2]", "plain"]

declared = Dataset.from_list([{"value": text} for text in STRINGS], features=Features({"value": Json()}))
seen("declared as Json", list(declared["value"]), [12, True, None, 1000.0, [1, 2], "plain"])


def read(name, values):
    Path(name).write_text("".join(json.dumps({"value": value}) + "\n" for value in values), encoding="utf-8")
    return load_dataset("json", data_files=name, split="train", cache_dir=f"cache-{name}")


alone = read("strings.jsonl", STRINGS)
mixed = read("mixed.jsonl", [*STRINGS, {"city": "Rome"}])
seen("type where all are strings", str(alone.features["value"]), "Value('string')")
seen("strings alone", list(alone["value"]), STRINGS)
seen("type where one value is an object", str(mixed.features["value"]), "Json(decode=True)")
seen("strings next to an object", list(mixed["value"]), [12, True, None, 1000.0, [1, 2], "plain", {"city": "Rome"}])
PY
