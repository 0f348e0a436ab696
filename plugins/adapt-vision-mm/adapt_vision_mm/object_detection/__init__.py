"""The task object_detection."""
