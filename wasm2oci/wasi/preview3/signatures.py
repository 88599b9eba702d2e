"""Types of WASI 0.3 as text: WIT, with the names of types written out."""

from __future__ import annotations

from typing import Final

from wasm2oci.wasi.preview2.signatures import TYPES, writer

__all__ = ["written_out"]

written_out: Final = writer(
    {
        **TYPES,
        "instant": "record{seconds: s64, nanoseconds: u32}",
        "cli-error": "enum{io, illegal-byte-sequence, pipe}",
        "error-code": (
            "variant{access, already, bad-descriptor, busy, deadlock, quota, exist, file-too-large, "
            "illegal-byte-sequence, in-progress, interrupted, invalid, io, is-directory, loop, too-many-links, "
            "message-size, name-too-long, no-device, no-entry, no-lock, insufficient-memory, insufficient-space, "
            "not-directory, not-empty, not-recoverable, unsupported, no-tty, no-such-device, overflow, not-permitted, "
            "pipe, read-only, invalid-seek, text-file-busy, cross-device, other(option<string>)}"
        ),
        "descriptor-type": (
            "variant{block-device, character-device, directory, fifo, symbolic-link, regular-file, socket, "
            "other(option<string>)}"
        ),
        "descriptor-stat": (
            "record{type: $descriptor-type, link-count: u64, size: u64, data-access-timestamp: option<$instant>, "
            "data-modification-timestamp: option<$instant>, status-change-timestamp: option<$instant>}"
        ),
        "new-timestamp": "variant{no-change, now, timestamp($instant)}",
        "socket-error-code": (
            "variant{access-denied, not-supported, invalid-argument, out-of-memory, timeout, invalid-state, "
            "address-not-bindable, address-in-use, remote-unreachable, connection-refused, connection-broken, "
            "connection-reset, connection-aborted, datagram-too-large, other(option<string>)}"
        ),
    }
)
"""A type with every `$name` replaced by its type."""
