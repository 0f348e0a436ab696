"""The contract of a format, checked on a small split that the author writes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from adapt_core.contracts import Format, Place, Row
from adapt_core.contracts.format import SHAPES
from adapt_core.errors import InputError
from adapt_core.plugin.registry import Registry
from adapt_core.plugin.specs import FormatSpec
from adapt_core.testing.plugin import HEAVY

_OTHERS = (b"", b"\n", b"text,label\na,b\n", b'{"text": "a", "label": "b"}\n', b"\x80\x81\xfe\x00", b"a " * 5000)
"""Files in no format that looks into them: empty, a table, JSON Lines, bytes, a long line."""


class FormatContract:
    """Derive a test class; name the format, and give it `place`: a small split, written into the test's folder.

    Attributes:
        name: as it is registered.
    """

    name = ""

    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        """Write a split of at least two rows and return its place."""
        raise NotImplementedError("give the contract a split: override the fixture place")

    @pytest.fixture
    def spec(self) -> FormatSpec:
        """Return the registered spec."""
        item = Registry.discover().formats.find(self.name)
        assert item is not None, f"no format {self.name!r} is registered: is its distribution installed?"
        return item.spec

    @pytest.fixture
    def reader(self, spec: FormatSpec) -> Format:
        """Return the implementation."""
        made: Format = spec.load()()
        return made

    def test_it_recognises_its_split_and_says_why(self, reader: Format, place: Place, spec: FormatSpec) -> None:
        reason = reader.recognise(place)
        assert isinstance(reason, str)
        assert reason.strip()
        assert "\n" not in reason
        assert {path.suffix.casefold() for path in place.files} <= set(spec.suffixes) or not spec.suffixes

    def test_recognising_imports_nothing_heavy(self, place: Place) -> None:
        code = (
            "import json, sys\n"
            "from pathlib import Path\n"
            "from adapt_core.plugin import Place\n"
            "from adapt_core.plugin.registry import Registry\n"
            "name, split, root, *files = sys.argv[1:]\n"
            "place = Place(split=split, root=Path(root), files=tuple(map(Path, files)))\n"
            "assert Registry.discover().formats.find(name).spec.load()().recognise(place)\n"
            f"print(json.dumps([name for name in {(*HEAVY, 'pandas')!r} if name in sys.modules]))\n"
        )
        arguments = [self.name, place.split, str(place.root), *map(str, place.files)]
        done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout.splitlines()[-1]) == []

    @pytest.mark.parametrize("content", _OTHERS)
    def test_it_does_not_claim_what_is_written_otherwise(
        self, reader: Format, place: Place, spec: FormatSpec, content: bytes
    ) -> None:
        if spec.general:
            pytest.skip("a general format goes by the names of files")
        if not place.files:
            pytest.skip("the split is a folder, without a file that is named")
        place.files[0].write_bytes(content)
        assert reader.recognise(place) is None

    def test_rows_are_plain_data_with_file_and_line(self, reader: Format, place: Place, spec: FormatSpec) -> None:
        rows = list(reader.read(place))
        assert len(rows) > 1, "write at least two rows"
        columns = [SHAPES[shape] for shape in spec.shapes if shape in SHAPES]
        for row in rows:
            assert isinstance(row, Row)
            assert row.fault is None, "write a split without faults"
            assert json.loads(json.dumps(dict(row.values), allow_nan=False)) == dict(row.values)
            assert not columns or any(set(one) <= set(row.values) for one in columns), sorted(row.values)
            assert row.file.exists()
            if row.line is not None:
                assert 1 <= row.line <= len(row.file.read_bytes().splitlines())
        placed = [(str(row.file), row.line) for row in rows if row.line is not None]
        assert len(placed) == len(set(placed)), "two rows begin at one line"

    def test_rows_are_the_same_at_each_reading(self, reader: Format, place: Place) -> None:
        assert list(reader.read(place)) == list(reader.read(place))

    @pytest.mark.parametrize("share", [0.2, 0.4, 0.6, 0.8, 0.95])
    def test_a_truncated_file_is_an_error_in_the_input_or_has_fewer_rows(
        self, reader: Format, place: Place, share: float
    ) -> None:
        if not place.files:
            pytest.skip("the split is a folder, without a file that is named")
        every = len(list(reader.read(place)))
        content = place.files[0].read_bytes()
        place.files[0].write_bytes(content[: int(len(content) * share)])
        assert _rows_or_fault(reader, place) <= every


def _rows_or_fault(reader: Format, place: Place) -> int:
    """Return how many rows are read, 0 where an error in the input names the file."""
    try:
        return len(list(reader.read(place)))
    except InputError as error:
        if place.files[0].name not in str(error):
            raise
        return 0
