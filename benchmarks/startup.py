"""CPU time of a light command relative to the imports that it needs.

    python -m benchmarks.startup

Prints one JSON object: for each command the ratio of its CPU time to that of
`python -c "import click, pluggy, attrs, yaml"`, over interleaved pairs, as median, least and greatest. Other work of
the machine lengthens wall times by chance, CPU times hardly.
"""

from __future__ import annotations

import json
import statistics
import sys

from benchmarks.pairs import cpu_seconds

BASELINE = [sys.executable, "-c", "import click, pluggy, attrs, yaml"]
COMMANDS = {"adapt --help": ["--help"], "adapt plugins": ["plugins"]}
PAIRS = 15


def main() -> None:
    """Measure and print."""
    report = {}
    for name, arguments in COMMANDS.items():
        command = [sys.executable, "-m", "adapt_core", *arguments]
        cpu_seconds(command), cpu_seconds(BASELINE)
        ratios = [cpu_seconds(command) / cpu_seconds(BASELINE) for _ in range(PAIRS)]
        report[name] = {
            "median": round(statistics.median(ratios), 3),
            "least": round(min(ratios), 3),
            "most": round(max(ratios), 3),
        }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
