"""WASI preview 1 host functions over a Memory protocol."""
