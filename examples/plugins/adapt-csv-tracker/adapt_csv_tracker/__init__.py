"""An example tracker for adapt: the figures of each run as a csv file."""
