"""Text of others in a model card: a parser of Markdown gives back what was written, and no markup begins in it."""

from __future__ import annotations

import pytest
from markdown_it import MarkdownIt

from adapt_core.report import markdown

HOSTILE = [
    "lora[r=8](http://example.com)",
    "<script>alert(1)</script>",
    "![x](data:image/png;base64,)",
    "**bold** _it_ __x__ ~~gone~~ `code` ``two`` `",
    "a | b || c",
    "back\\slash \\* &amp; &lt;",
    "text_classification",
    "_",
    "`",
    "``` ",
    " `a` ",
    "# heading #",
]
PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def words(source: str) -> list[tuple[str, str]]:
    """Kinds and contents of what a line of Markdown holds."""
    inline = [token for token in PARSER.parse(source) if token.type == "inline"]
    return [(child.type, child.content) for token in inline for child in token.children or ()]


def read(found: list[tuple[str, str]]) -> str:
    assert {kind for kind, _ in found} == {"text"}
    return "".join(content for _, content in found)


@pytest.mark.parametrize("value", HOSTILE)
def test_text_is_read_as_it_is_in_a_paragraph_a_heading_and_a_cell(value: str) -> None:
    assert read(words(f"of {markdown.text(value)} by")) == f"of {value} by"
    assert read(words(f"# {markdown.text(value)} with x")) == f"{value} with x".lstrip()
    table = f"| metric | after |\n|---|---:|\n| {markdown.text(value)} | 0.5 |\n"
    cells = [token for token in PARSER.parse(table) if token.type == "inline"]
    assert ["".join(child.content for child in cell.children or ()) for cell in cells] == [
        "metric",
        "after",
        value.strip(),
        "0.5",
    ]


@pytest.mark.parametrize("value", HOSTILE)
def test_a_code_span_holds_any_text(value: str) -> None:
    assert words(f"of {markdown.code(value)} by") == [("text", "of "), ("code_inline", value), ("text", " by")]


def test_lines_and_controls_are_escaped_and_a_plain_name_stays_readable() -> None:
    assert markdown.code("a\n---\nb\x1b") == r"`a\n---\nb\u001b`"
    assert markdown.text("text_classification with LoRA") == "text_classification with LoRA"
