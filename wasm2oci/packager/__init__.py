"""Modules to artifacts and back: bytes in, bytes out."""
