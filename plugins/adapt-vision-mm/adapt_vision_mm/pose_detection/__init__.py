"""The task pose_detection."""
