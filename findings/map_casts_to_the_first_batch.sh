#!/usr/bin/env bash
# map_casts_to_the_first_batch: Dataset.map gives a column the type of its first batch, and casts later values to it
# packages: datasets==5.2.0 pyarrow==26.0.1
# guess: A value that does not fit the type of a mapped column is an error, in whatever batch it comes.
# seen: A fraction among whole numbers and a word among numbers raise. What can be parsed or cast does not: behind 1,000
#   rows of bool the number 1500 comes back as True; behind whole numbers True is 1 and the text "007" is 7; behind texts
#   True is "true". In one batch (batch_size=2000) 1500 and both True come back as they are.
# matters: Labels, ids with leading zeros and flags change their values at row 1,001 without a word. Give features= to map
#   where a function returns more than one Python type.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
import pyarrow
from datasets import Dataset, disable_progress_bars
from seen import seen

disable_progress_bars()
ROWS = Dataset.from_dict({"x": list(range(1500))})


def mapped(first, later, batch_size=1000):
    def column(batch):
        return {"y": [first if number < 1000 else later for number in batch["x"]]}

    rows = ROWS.map(column, batched=True, batch_size=batch_size, remove_columns=["x"], load_from_cache_file=False)
    return rows[1499]["y"]


def refused(first, later):
    try:
        mapped(first, later)
    except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError, TypeError):
        return True
    return False


seen("1.5 behind 1 is refused", refused(1, 1.5))
seen("'a' behind 1 is refused", refused(1, "a"))
seen("1500 behind True", mapped(True, 1500), True)
seen("its type", type(mapped(True, 1500)).__name__, "bool")
seen("True behind 3", mapped(3, True), 1)
seen("'007' behind 3", mapped(3, "007"), 7)
seen("True behind 'a'", mapped("a", True), "true")
for first, later in ((True, 1500), (3, True), ("a", True)):
    found = mapped(first, later, 2000)
    seen(f"{later!r} beside {first!r} in one batch", (type(found), found), (type(later), later))
PY
