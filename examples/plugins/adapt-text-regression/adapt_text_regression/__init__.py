"""Text regression for adapt: a task plugin as a third party writes it."""
