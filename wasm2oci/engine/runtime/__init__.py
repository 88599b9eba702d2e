"""Runtime structure: store, values, instances (core specification, chapter 4)."""
