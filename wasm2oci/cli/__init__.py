"""The terminal: parse, one operation, output."""
