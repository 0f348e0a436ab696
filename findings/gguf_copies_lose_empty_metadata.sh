#!/usr/bin/env bash
# gguf_copies_lose_empty_metadata: metadata read and written again by gguf lacks empty values, and its nested lists are flat
# packages: gguf==0.19.0 numpy==2.4.6
# guess: GGUFWriter writes each field that it is given, and GGUFReader gives it back: a copy of a file has the same metadata.
# seen: add_array([]) and add_string("") write nothing, without a word: the fields are not in the file. [[1, 2], [3]] is
#   written with its nesting, and contents() of the reader gives [1, 2, 3], so that a second writing is another field.
# matters: A fine-tuned model that goes back to GGUF field by field has other metadata than its base: programs that look a
#   field up find none. Copy the bytes of each field (ReaderField.parts), or compare the two files before you ship one.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
from gguf import GGUFReader, GGUFWriter
from seen import seen

GIVEN = {"x.list": [], "x.text": "", "x.nested": [[1, 2], [3]], "x.full": [1, 2, 3]}


def copied(fields, name):
    writer = GGUFWriter(name, "llama")
    for key, value in fields.items():
        (writer.add_string if isinstance(value, str) else writer.add_array)(key, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    fields = {key: field for key, field in GGUFReader(name).fields.items() if key.startswith("x.")}
    return {key: field.contents() for key, field in fields.items()}, len(fields["x.nested"].types)


once, depth = copied(GIVEN, "once.gguf")
seen("fields of the file", sorted(once), ["x.full", "x.nested"])
seen("a nested list as the file has it: types", depth, 3)
seen("and as it is read", once["x.nested"], [1, 2, 3])
twice, depth = copied(once, "twice.gguf")
seen("read and written again: types", depth, 2)
seen("a plain list", twice["x.full"], [1, 2, 3])
PY
