"""`adapt board`."""

from __future__ import annotations

from pathlib import Path

import click

from adapt_core.cli import options
from adapt_core.cli.output import say
from adapt_core.errors import InputError
from adapt_core.runtime.plain_text import in_one_line


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default="runs")
@click.option("--port", type=click.IntRange(0, 65535), default=8427, show_default=True, help="0 takes any free one.")
@options.verbosity_options
@options.traceback_option
@click.pass_obj
def board(disabled: tuple[str, ...], folder: Path, port: int) -> None:
    """Serve a page over the runs below FOLDER (default: runs) to this machine: a table, live curves, reports, compare.

    It reads, and changes nothing. Ctrl-C ends it. From another machine: ssh -L 8427:127.0.0.1:8427 HOST.

    \b
    adapt board runs
    adapt board runs/sweep --port 0
    """
    from adapt_core.board.pages import Board
    from adapt_core.board.server import ADDRESS, BoardServer
    from adapt_core.plugin.registry import Registry

    place = folder.expanduser().absolute()
    if not place.is_dir():
        raise InputError(f"{folder} is no folder. Give the one that your runs are in (OUTPUT_DIR: FOLDER/NAME).")
    with options.warnings_shown(), BoardServer(Board(place, Registry.discover(disabled)), port) as server:
        say(f"http://{ADDRESS}:{server.server_port}/ shows the runs in {in_one_line(str(place))}; Ctrl-C ends it.")
        server.serve_forever()
