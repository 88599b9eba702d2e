"""The embedded WebAssembly engine: knows no OCI, HTTP or terminal."""
