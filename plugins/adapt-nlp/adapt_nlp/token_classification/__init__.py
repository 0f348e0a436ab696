"""The subtasks ner, pos and chunk: a tag for each word."""
