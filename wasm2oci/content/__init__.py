"""Where content lives, and the one way to move it."""
