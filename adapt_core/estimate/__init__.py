"""What a run will need and see, told before it: `adapt check`."""
