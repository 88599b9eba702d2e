"""Validation (core specification, chapter 3)."""
