"""Types of WASI 0.2 as text: WIT, with the names of types written out."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["TYPES", "writer", "written_out"]

TYPES: Final = {
    "stream-error": "variant{last-operation-failed(own<error>), closed}",
    "datetime": "record{seconds: u64, nanoseconds: u32}",
    "error-code": (
        "enum{access, would-block, already, bad-descriptor, busy, deadlock, quota, exist, file-too-large, "
        "illegal-byte-sequence, in-progress, interrupted, invalid, io, is-directory, loop, too-many-links, "
        "message-size, name-too-long, no-device, no-entry, no-lock, insufficient-memory, insufficient-space, "
        "not-directory, not-empty, not-recoverable, unsupported, no-tty, no-such-device, overflow, not-permitted, "
        "pipe, read-only, invalid-seek, text-file-busy, cross-device}"
    ),
    "descriptor-type": (
        "enum{unknown, block-device, character-device, directory, fifo, symbolic-link, regular-file, socket}"
    ),
    "descriptor-flags": (
        "flags{read, write, file-integrity-sync, data-integrity-sync, requested-write-sync, mutate-directory}"
    ),
    "path-flags": "flags{symlink-follow}",
    "open-flags": "flags{create, directory, exclusive, truncate}",
    "descriptor-stat": (
        "record{type: $descriptor-type, link-count: u64, size: u64, data-access-timestamp: option<$datetime>, "
        "data-modification-timestamp: option<$datetime>, status-change-timestamp: option<$datetime>}"
    ),
    "new-timestamp": "variant{no-change, now, timestamp($datetime)}",
    "directory-entry": "record{type: $descriptor-type, name: string}",
    "metadata-hash-value": "record{lower: u64, upper: u64}",
    "socket-error-code": (
        "enum{unknown, access-denied, not-supported, invalid-argument, out-of-memory, timeout, concurrency-conflict, "
        "not-in-progress, would-block, invalid-state, new-socket-limit, address-not-bindable, address-in-use, "
        "remote-unreachable, connection-refused, connection-reset, connection-aborted, datagram-too-large, "
        "name-unresolvable, temporary-resolver-failure, permanent-resolver-failure}"
    ),
    "ip-address-family": "enum{ipv4, ipv6}",
    "ipv-four": "tuple<u8, u8, u8, u8>",
    "ipv-six": "tuple<u16, u16, u16, u16, u16, u16, u16, u16>",
    "ip-address": "variant{ipv4($ipv-four), ipv6($ipv-six)}",
    "ip-socket-address": (
        "variant{ipv4(record{port: u16, address: $ipv-four}), "
        "ipv6(record{port: u16, flow-info: u32, address: $ipv-six, scope-id: u32})}"
    ),
    "method": "variant{get, head, post, put, delete, connect, options, trace, patch, other(string)}",
    "scheme": "variant{HTTP, HTTPS, other(string)}",
    "header-error": "variant{invalid-syntax, forbidden, immutable}",
    "field-size": "record{field-name: option<string>, field-size: option<u32>}",
    "http-error-code": (
        "variant{DNS-timeout, DNS-error(record{rcode: option<string>, info-code: option<u16>}), "
        "destination-not-found, destination-unavailable, destination-IP-prohibited, destination-IP-unroutable, "
        "connection-refused, connection-terminated, connection-timeout, connection-read-timeout, "
        "connection-write-timeout, connection-limit-reached, TLS-protocol-error, TLS-certificate-error, "
        "TLS-alert-received(record{alert-id: option<u8>, alert-message: option<string>}), HTTP-request-denied, "
        "HTTP-request-length-required, HTTP-request-body-size(option<u64>), HTTP-request-method-invalid, "
        "HTTP-request-URI-invalid, HTTP-request-URI-too-long, HTTP-request-header-section-size(option<u32>), "
        "HTTP-request-header-size(option<$field-size>), HTTP-request-trailer-section-size(option<u32>), "
        "HTTP-request-trailer-size($field-size), HTTP-response-incomplete, "
        "HTTP-response-header-section-size(option<u32>), HTTP-response-header-size($field-size), "
        "HTTP-response-body-size(option<u64>), HTTP-response-trailer-section-size(option<u32>), "
        "HTTP-response-trailer-size($field-size), HTTP-response-transfer-coding(option<string>), "
        "HTTP-response-content-coding(option<string>), HTTP-response-timeout, HTTP-upgrade-failed, "
        "HTTP-protocol-error, loop-detected, configuration-error, internal-error(option<string>)}"
    ),
    "advice": "enum{normal, sequential, random, will-need, dont-need, no-reuse}",
}
_NAME: Final = re.compile(r"\$([a-z-]+)")


def writer(types: Mapping[str, str]) -> Callable[[str], str]:
    """A function that gives a type with every `$name` replaced by its type among these."""

    @functools.cache
    def write(signature: str) -> str:
        while "$" in signature:
            signature = _NAME.sub(lambda found: types[found[1]], signature)
        return signature

    return write


written_out: Final = writer(TYPES)
"""A type with every `$name` replaced by its type."""
