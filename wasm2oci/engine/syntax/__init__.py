"""Abstract syntax: types, opcodes, modules (core specification, chapter 2)."""
