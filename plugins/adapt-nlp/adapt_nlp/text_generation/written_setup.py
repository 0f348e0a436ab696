"""What a run needs to answer rows in its evaluations, made of its job."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from adapt_core.contracts import Job
from adapt_core.distributed.replicated import Replicated

from adapt_nlp.text_generation.alike import Writer, writes_together
from adapt_nlp.text_generation.row_texts import RowTexts
from adapt_nlp.text_generation.written_answers import WrittenAnswers
from adapt_nlp.text_generation.written_rows import Size, rows_to_write

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_LEAST_TOGETHER, _MOST_TOGETHER = 8, 32
"""Rows of a batch: a pass for one row takes as long as for eight, and beyond 32 rows wait for the longest text."""

log = logging.getLogger(__name__)


def written_answers(
    job: Job, texts: RowTexts, tokenizer: PreTrainedTokenizerBase, *, is_chat: bool
) -> WrittenAnswers | None:
    """Return what answers rows in the evaluations of a job; None where it answers none.

    Args:
        job: before its splits are packed.
        texts: reads the rows.
        tokenizer: of the model.
        is_chat: whether the rows are conversations.
    """
    plan, params = job.plan, job.plan.task.params
    if not plan.training.do_eval or (job.data.validation is None and job.data.test is None):
        return None
    batch = plan.training.eval_batch_size or min(max(plan.training.batch_size, _LEAST_TOGETHER), _MOST_TOGETHER)
    count = rows_to_write(plan, job.data, _size(job, batch if writes_together(job.model, params) else 1))
    if count == 0:
        return None
    if job.world.is_main:
        log.info("each evaluation answers up to %d rows, for the scores of texts (GENERATE_IN_EVALUATION).", count)

    def writer(model: nn.Module) -> Writer:
        return Writer(model=model, tokenizer=tokenizer, params=params, most=batch, seed=plan.training.seed)

    return WrittenAnswers(rows=job.data.rows, texts=texts, count=count, is_chat=is_chat, world=job.world, writer=writer)


def _size(job: Job, together: int) -> Size:
    module: Any = job.model
    config = module.config.get_text_config()
    device = torch.device(job.world.device).type
    return Size(
        parameters=sum(parameter.numel() for parameter in job.model.parameters()),
        layers=int(getattr(config, "num_hidden_layers", 12)),
        device=device,
        together=together,
        processes=job.world.size if isinstance(job.strategy, Replicated) else 1,
        trained=job.world.size,
    )
