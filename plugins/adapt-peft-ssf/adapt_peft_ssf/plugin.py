"""The hook module of adapt-peft-ssf. It registers nothing yet."""
