#!/usr/bin/env bash
# ruamel_literal_block_breaks_on_line_separators: ruamel.yaml writes a literal block that it refuses to read
# packages: ruamel.yaml==0.19.1
# guess: What ruamel.yaml dumps it loads again; a character that a literal block cannot hold is written in another
#   style.
# seen: With U+0085, U+2028 or U+2029 in a LiteralScalarString the character stands raw in the block. The reader takes
#   it for the end of a line, finds the rest outside the block's indentation and raises ParserError. A plain str is
#   quoted and safe.
# matters: Prompts and templates kept as literal blocks often come from web pages and office files, which hold U+2028.
#   A config or run record that is rewritten with them cannot be opened again, after the training.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/environment.sh"

python - <<'PY'
from io import StringIO

from ruamel.yaml import YAML
from ruamel.yaml.parser import ParserError
from ruamel.yaml.scalarstring import LiteralScalarString
from seen import seen

yaml = YAML()


def comes_back(value):
    """Return whether a dumped value is loaded as it was, or the name of the error."""
    stream = StringIO()
    yaml.dump({"prompt": value}, stream)
    try:
        return yaml.load(stream.getvalue())["prompt"] == value
    except ParserError as error:
        return type(error).__name__


seen("two lines in a literal block", comes_back(LiteralScalarString("Answer.\nBriefly.\n")))
for code in (0x85, 0x2028, 0x2029):
    text = f"Answer.{chr(code)}Briefly.\nNow.\n"
    seen(f"U+{code:04X} in a plain text", comes_back(text))
    seen(f"U+{code:04X} in a literal block", comes_back(LiteralScalarString(text)), "ParserError")
PY
