"""Every job with every method, base and launcher: run end to end, or refused with a reason. Writes docs/matrix.md."""
