"""The task text_generation: continuations of prompts, with causal language models.

task.py                 the task
row_formats.py          the formats of rows: text, pairs, instructions, messages
row_texts.py            rows -> texts and what is learned of them
templates.py            chat templates: the simple one, fixed dates, ends
turns.py                turns, from the forms that data has them in
tool_calls.py           calls in the form that a chat template takes
context_columns.py      columns beside a conversation: system, history, tools
unread_keys.py          keys of turns and columns that nothing reads
chat.py                 conversations rendered by a chat template
template_variables.py   variables of the chat template: the config's and a row's
conversation_faults.py  what is wrong with a conversation
chatting.py             a conversation with a finished model, streamed
marked_text.py          texts with marked answers -> tokens
data.py                 rows -> documents
packing.py              documents -> packs
packs.py                whether and how a run trains on packs
probe.py                whether a model separates the documents of a pack
attention.py            attention within each document of a pack
collate.py              batches of documents or packs
metrics.py              perplexity and token accuracy
evaluated.py            what an evaluation finds of the tokens of each row
alike.py                texts of a batch that are those of each row alone
shared_writing.py       the processes of a run write together
written_rows.py         how many rows an evaluation answers
written_answers.py      what a model answers in an evaluation, and its scores
written_setup.py        what a run needs for that
predict.py              prompts and generated texts
preview.py              examples for `adapt check`, samples for the report
"""
