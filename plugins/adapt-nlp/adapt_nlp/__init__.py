"""Language tasks for adapt."""
