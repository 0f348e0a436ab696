"""Entry points are those that importlib.metadata finds, however a distribution is installed."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from adapt_core.plugin.entry_points import PluginEntry, plugin_entries

DECLARED = """\
[console_scripts]
adapt-greeting = greeting.cli:main

[adapt.tests]
# A remark.
greeting = greeting.hooks
 loud=greeting.hooks:Loud.hook [extra]

[adapt.tests.others]
other = greeting.others
"""
GROUP = "adapt.tests"


def distribution(place: Path, name: str, version: str, *, ending: str = "dist-info") -> Path:
    """Write the metadata of a distribution as an installer does, and return its folder."""
    folder = place / f"{name.replace('-', '_')}-{version}.{ending}"
    folder.mkdir(parents=True)
    (folder / "entry_points.txt").write_text(DECLARED, encoding="utf-8")
    headers = f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\nSummary: Name: no\n\nVersion: 9\n"
    (folder / ("METADATA" if ending == "dist-info" else "PKG-INFO")).write_text(headers, encoding="utf-8")
    return folder


def as_importlib_finds_them(group: str) -> list[tuple[str, str, str | None, str | None]]:
    found = ((e.name, e.value, e.dist and e.dist.name, e.dist and e.dist.version) for e in entry_points(group=group))
    return sorted(found)


def as_adapt_finds_them(group: str) -> list[tuple[str, str, str | None, str | None]]:
    return sorted((e.name, e.value, e.distribution, e.version) for e in plugin_entries(group))


@pytest.mark.parametrize("group", ["adapt", "console_scripts", "pytest11", "no.such.group"])
def test_those_of_what_is_installed_are_found(group: str) -> None:
    assert as_adapt_finds_them(group) == as_importlib_finds_them(group)


@pytest.mark.parametrize("ending", ["dist-info", "egg-info"])
def test_a_distribution_is_found_with_its_name_and_version(
    ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distribution(tmp_path, "adapt-greeting", "1.2", ending=ending)
    monkeypatch.syspath_prepend(tmp_path)
    assert as_adapt_finds_them(GROUP) == as_importlib_finds_them(GROUP)
    assert as_adapt_finds_them(GROUP) == [
        ("greeting", "greeting.hooks", "adapt-greeting", "1.2"),
        ("loud", "greeting.hooks:Loud.hook [extra]", "adapt-greeting", "1.2"),
    ]


def test_of_a_distribution_that_is_installed_twice_the_first_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in ("1.0", "2.0"):
        distribution(tmp_path / version, "adapt-greeting", version)
        monkeypatch.syspath_prepend(tmp_path / version)
    assert as_adapt_finds_them(GROUP) == as_importlib_finds_them(GROUP)
    assert {entry.version for entry in plugin_entries(GROUP)} == {"2.0"}


def test_the_distributions_of_a_zip_file_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = distribution(tmp_path / "unpacked", "adapt-greeting", "1.2")
    with zipfile.ZipFile(tmp_path / "plugins.zip", "w") as archive:
        for file in folder.iterdir():
            archive.write(file, file.relative_to(tmp_path / "unpacked"))
    monkeypatch.syspath_prepend(tmp_path / "plugins.zip")
    assert [name for name, *_ in as_adapt_finds_them(GROUP)] == ["greeting", "loud"]


def test_a_distribution_without_its_main_file_is_of_no_known_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (distribution(tmp_path, "adapt-greeting", "1.2") / "METADATA").unlink()
    monkeypatch.syspath_prepend(tmp_path)
    assert [(entry.distribution, entry.version) for entry in plugin_entries(GROUP)] == [(None, None)] * 2


def test_an_entry_loads_a_module_or_an_object_in_it() -> None:
    assert PluginEntry("a", "os.path").load() is sys.modules["os.path"]
    assert PluginEntry("a", "pathlib:Path.home [extra]").load() == Path.home
    with pytest.raises(ValueError, match=r"must read 'package.module'"):
        PluginEntry("a", "not a module").load()
    with pytest.raises(ImportError):
        PluginEntry("a", "adapt_core.no_such_module").load()


def test_listing_plugins_does_not_import_importlib_metadata() -> None:
    listing = "import sys\nfrom adapt_core.plugin.registry import Registry\nRegistry.discover()\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True)
    assert "importlib.metadata" not in done.stdout.split()
