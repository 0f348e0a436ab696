"""BitFit for adapt: a method plugin as a third party writes it."""
