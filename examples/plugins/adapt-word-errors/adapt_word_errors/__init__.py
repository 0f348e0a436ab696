"""A metric of torchmetrics for adapt."""
