"""What every other package may build on: files, text, late imports. Nothing here knows OCI, HTTP or WebAssembly."""
