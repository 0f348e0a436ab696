"""Messages of the Hugging Face libraries go to the run's log."""

from __future__ import annotations


def quiet_libraries() -> None:
    """Disable the progress bars of transformers, datasets and the hub, and send their warnings to `log.txt`."""
    import datasets
    from huggingface_hub.utils import disable_progress_bars
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.disable_default_handler()
    logging.enable_propagation()
    datasets.disable_progress_bars()
    disable_progress_bars()
