"""The hook module of adapt-vision-mm. It registers nothing yet."""
