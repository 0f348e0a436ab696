"""Where the language tasks find `adapt_core.hf_data.preparing`."""

from adapt_core.hf_data.preparing import good_splits, raw_splits

__all__ = ["good_splits", "raw_splits"]
