"""Validated functions to Python source."""
