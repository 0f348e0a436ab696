"""adapt-vision-mm passes core's contract for plugins."""

from __future__ import annotations

from adapt_core.testing import PluginContract


class TestDistribution(PluginContract):
    distribution = "adapt-vision-mm"
