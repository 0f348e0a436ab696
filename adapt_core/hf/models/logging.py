"""Messages of the Hugging Face libraries go to the run's log."""

from __future__ import annotations


def quiet_libraries() -> None:
    """Disable the progress bars of transformers and the hub, and send their warnings to `log.txt`."""
    from huggingface_hub.utils import disable_progress_bars
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.disable_default_handler()
    logging.enable_propagation()
    disable_progress_bars()


def quiet_data_library() -> None:
    """Do so for datasets, too, whose import takes half a second: only where rows are read."""
    import datasets

    datasets.disable_progress_bars()
    quiet_libraries()
