"""The hook module of adapt-fsdp. It registers nothing yet."""
