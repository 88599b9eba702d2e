"""Choosing and driving an engine: RunRequest to RunOutcome."""
