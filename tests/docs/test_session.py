"""The convention for commands in pages: what is run, what is compared, and that a wrong page fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from .fences import fences
from .session import Session


def follow(folder: Path, page: str) -> None:
    (folder / "page.md").write_text(page, encoding="utf-8")
    for fence in fences(folder / "page.md"):
        Session(folder).follow(fence)


def test_a_page_is_one_session_with_files_commands_and_python(tmp_path: Path) -> None:
    follow(
        tmp_path,
        """
```text title="a/words.txt"
one
two
```

```console
$ cat a/words.txt
one
two
$ wc -l \\
    a/words.txt
...2 a/words.txt
$ seq 100
1
...
100
```

```python
open("made.txt", "w").write("by python")
```

- Then:

  ```sh
  cat made.txt > copy.txt
  ```
""",
    )
    assert (tmp_path / "copy.txt").read_text() == "by python"


def test_what_is_printed_otherwise_fails_with_the_place(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"page\.md:1 shows\none\n\nbut it printed\ntwo"):
        follow(tmp_path, "```console\n$ echo two\none\n```\n")
    with pytest.raises(AssertionError, match="shows"):
        follow(tmp_path, "```console\n$ seq 3\n1\n```\n")


def test_a_command_that_fails_fails_the_page_unless_the_page_says_so(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="exit code 1"):
        follow(tmp_path, "```sh\nfalse\ntrue\n```\n")
    with pytest.raises(AssertionError, match="exit code 0"):
        follow(tmp_path, '```console { data-exit="2" }\n$ true\n```\n')
    follow(tmp_path, '```console { data-exit="2" }\n$ true\n$ exit 2\n```\n')


def test_what_is_not_run_is_not_run(tmp_path: Path) -> None:
    follow(tmp_path, '```sh { data-not-run="GPU" }\ntouch made\n```\n\n```yaml\ntouch: made\n```\n')
    assert not (tmp_path / "made").exists()


def test_an_open_fence_and_a_console_without_a_command_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"page\.md:1: the fence is not closed"):
        follow(tmp_path, "```sh\ntrue\n")
    with pytest.raises(ValueError, match="begins with a command"):
        follow(tmp_path, "```console\nno command\n```\n")
