"""`report.html`: what a run did, on one page that opens from disk.

page.py               the report of one run, gathered for the template
exports.py            exports: drift, size and latency in their own runtimes
headline.py           the metric that decides what is best, before and after
samples.py            validation rows with what was expected and predicted
verdict.py            what checks of the data found before training
classes.py            scores of the classes, and confusions
further.py            further data sets, before and after training
decisions.py          what predictions decide by
soup.py               the checkpoints that KEEP: soup averaged
curves.py             the curves of metrics.jsonl
charts.py             line charts as numbers
configuration.py      the resolved config, with what differs from the defaults
evaluation_record.py  predictions and class scores, before and after training
repeated_runs.py      mean, deviation and interval of several runs
html.py               the page templates, filled in
worst.py              the most confident mistakes, and doubted labels
comparison.py         adapt compare: several runs side by side
paired.py             whether they differ from the first one on the rows that both have
model_card.py         README.md of a run folder
serving.py            how servers take an adapter, or why they do not
adapter_card.py       README.md of an adapter's folder
markdown.py           text of others in Markdown
"""

from __future__ import annotations

import logging
from pathlib import Path

from adapt_core.config.plan import Plan
from adapt_core.plugin.registry import Registry
from adapt_core.result import RunResult
from adapt_core.run_folder.paths import RunFolder

log = logging.getLogger(__name__)


def report_run(plan: Plan, registry: Registry, folder: RunFolder, result: RunResult) -> Path | None:
    """Write the report of a run, or log why it could not: a run that trained well has not failed.

    Returns:
        the file, or None where it could not be written.
    """
    from adapt_core.run_folder.claims import place_text

    try:
        from adapt_core.report.page import report_page

        place_text(folder.path, folder.report.name, report_page(plan, registry, folder, result))
    except Exception as error:
        log.warning("%s could not be written: %s: %s", folder.report.name, type(error).__name__, error)
        log.debug("traceback of the report", exc_info=True)
        return None
    log.info("report: %s", folder.report)
    return folder.report
