"""The spec of an exporter."""

from __future__ import annotations

import attrs

from adapt_core.plugin.specs import Spec


@attrs.frozen(kw_only=True, eq=False)
class ExporterSpec(Spec):
    """A form in which adapted models leave the run folder: EXPORT and `adapt export --to` name it. Its implementation
    answers `adapt_core.contracts.Exporter`.

    Attributes:
        tasks: names of the tasks whose models it takes; empty for all.
        requires: distributions that it needs beyond those of its plugin, as pip knows them.
    """

    tasks: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()

    def serves(self, task: str) -> bool:
        """Return whether it takes models of a task."""
        return not self.tasks or task.casefold() in {name.casefold() for name in self.tasks}
