"""Small .xlsx and .ods files, written as Excel and LibreOffice do."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
OASIS = "urn:oasis:names:tc:opendocument:xmlns"
CALC = "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"
TYPES = f"""<Types xmlns="{PACKAGE}/content-types"><Default Extension="xml" ContentType="application/xml"/></Types>"""

Cells = Sequence[Sequence[object]]
"""Rows of cells: text, number or bool; None for none; a bytes is the XML of a cell as it is."""


def xlsx(path: Path, **sheets: Cells) -> Path:
    """Write a workbook, texts as shared strings."""
    strings: list[str] = []
    parts = {f"xl/worksheets/sheet{n}.xml": _sheet(rows, strings) for n, rows in enumerate(sheets.values(), 1)}
    listed = "".join(f'<sheet name={quoteattr(name)} sheetId="{n}" r:id="rId{n}"/>' for n, name in enumerate(sheets, 1))
    related = "".join(
        f'<Relationship Id="rId{n}" Type="{OFFICE}/worksheet" Target="worksheets/sheet{n}.xml"/>'
        for n in range(1, len(sheets) + 1)
    )
    related += f'<Relationship Id="rId9" Type="{OFFICE}/sharedStrings" Target="sharedStrings.xml"/>'
    shared = "".join(f'<si><t xml:space="preserve">{escape(text)}</t></si>' for text in strings)
    book = f'<Relationship Id="rId1" Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/>'
    # Style 1 is a date.
    styles = '<cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="14" applyNumberFormat="1"/></cellXfs>'
    parts |= {
        "[Content_Types].xml": TYPES,
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships">{book}</Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">{related}</Relationships>',
        "xl/sharedStrings.xml": f'<sst xmlns="{MAIN}">{shared}</sst>',
        "xl/styles.xml": f'<styleSheet xmlns="{MAIN}">{styles}</styleSheet>',
    }
    return _zipped(path, parts)


def _sheet(rows: Cells, strings: list[str]) -> str:
    written = []
    for number, cells in enumerate(rows, start=1):
        inside = "".join(_cell(cell, f"{chr(65 + at)}{number}", strings) for at, cell in enumerate(cells))
        written.append(f'<row r="{number}">{inside}</row>')
    return f'<worksheet xmlns="{MAIN}"><sheetData>{"".join(written)}</sheetData></worksheet>'


def _cell(cell: object, at: str, strings: list[str]) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bytes):
        return cell.decode().format(at=at)
    if isinstance(cell, bool):
        return f'<c r="{at}" t="b"><v>{int(cell)}</v></c>'
    if isinstance(cell, (int, float)):
        return f'<c r="{at}"><v>{cell}</v></c>'
    if cell not in strings:
        strings.append(str(cell))
    return f'<c r="{at}" t="s"><v>{strings.index(str(cell))}</v></c>'


def ods(path: Path, **sheets: Cells) -> Path:
    """Write a document of tables."""
    tables = "".join(
        f"<table:table table:name={quoteattr(name)}>{_rows(rows)}</table:table>" for name, rows in sheets.items()
    )
    names = " ".join(f'xmlns:{name}="{OASIS}:{name}:1.0"' for name in ("office", "table", "text"))
    body = f"<office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body>"
    content = f'<office:document-content {names} xmlns:calcext="{CALC}">{body}</office:document-content>'
    entry = '<m:file-entry m:full-path="content.xml" m:media-type="text/xml"/>'
    manifest = f'<m:manifest xmlns:m="{OASIS}:manifest:1.0">{entry}</m:manifest>'
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    return _zipped(path, {"mimetype": kind, "content.xml": content, "META-INF/manifest.xml": manifest})


def _rows(rows: Cells) -> str:
    return "".join(f"<table:table-row>{''.join(map(_table_cell, cells))}</table:table-row>" for cells in rows)


def _table_cell(cell: object) -> str:
    if cell is None:
        return '<table:table-cell table:number-columns-repeated="1"/>'
    if isinstance(cell, bytes):
        return cell.decode()
    if isinstance(cell, (int, float)):
        typed = f'office:value-type="float" office:value="{cell}"'
    else:
        typed = 'office:value-type="string"'
    return f"<table:table-cell {typed}><text:p>{escape(str(cell))}</text:p></table:table-cell>"


def _zipped(path: Path, parts: dict[str, str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as file:
        for name, content in parts.items():
            file.writestr(name, content if name == "mimetype" else f'<?xml version="1.0" encoding="UTF-8"?>{content}')
    return path
