"""Temperature, reliability and abstention, on rows whose truth is known."""
