"""The config blobs of the profiles, byte for byte, and the one date that they may hold.

Spec: Wasm OCI Artifact layout v0 (CNCF), config; reproducible-builds.org, SOURCE_DATE_EPOCH.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from wasm2oci.base.records import NamedTuple
from wasm2oci.errors import InvalidInputError
from wasm2oci.packager.json_bytes import compact_json
from wasm2oci.packager.module_source import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wasm2oci.oci.digest import Digest

__all__ = [
    "EPOCH",
    "ConfigFacts",
    "InvalidDateError",
    "cncf_config",
    "empty_config",
    "format_date",
    "image_config",
    "runwasi_config",
    "source_date",
]

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""The value of `created` without a date: the layout requires one, and the clock would change every digest."""

_RFC3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)\Z", re.ASCII)


class InvalidDateError(InvalidInputError):
    """A date is neither RFC 3339 nor seconds since the epoch."""


class ConfigFacts(NamedTuple):
    """The facts that a config may contain.

    Args:
        layers: digests of the layers, in order.
        kind: what the module is.
        imports: names that a component needs, in the order to be written.
        exports: names that a component offers, in the order to be written.
        created: when, with a time zone.
        author: who, or None.
        file: the module's name in an archive, or what it may be called.
        diff_ids: digests of the layers that are archives, before they became gzip streams.
    """

    layers: tuple[Digest, ...]
    kind: Kind
    imports: tuple[str, ...] = ()
    exports: tuple[str, ...] = ()
    created: datetime = EPOCH
    author: str | None = None
    file: str = "module.wasm"
    diff_ids: tuple[Digest, ...] = ()


def empty_config(facts: ConfigFacts) -> bytes:
    """`{}`, as wasm-to-oci writes it."""
    del facts
    return b"{}"


def cncf_config(facts: ConfigFacts) -> bytes:
    """The config of the Wasm OCI Artifact layout v0, keys in the order of its reference implementation.

    A plain module is `wasip1`; a component is `wasip2` and lists its exports and imports.
    """
    component = None
    if facts.kind is Kind.COMPONENT:
        component = {"exports": list(facts.exports), "imports": list(facts.imports), "target": None}
    return compact_json(
        {
            "created": format_date(facts.created),
            "author": facts.author,
            "architecture": "wasm",
            "os": "wasip2" if facts.kind is Kind.COMPONENT else "wasip1",
            "layerDigests": [str(digest) for digest in facts.layers],
            "component": component,
        }
    )


def image_config(facts: ConfigFacts) -> bytes:
    """The config of a container image whose entrypoint is the file in its layer.

    The platform is `wasi/wasm`, by which podman, crun and Docker choose what runs it; for a component as well.
    """
    return _image(facts, "wasi", {"Entrypoint": [f"/{facts.file}"]})


def runwasi_config(facts: ConfigFacts) -> bytes:
    """The config of an image whose layers are modules, as runwasi's `oci-tar-builder` writes it.

    Such layers have no place in `diff_ids`; the label is there so that two images have two configs.
    """
    layers = hashlib.sha256("".join(digest.encoded for digest in facts.layers).encode()).hexdigest()
    return _image(facts, "wasip1", {"Entrypoint": [facts.file], "Labels": {"containerd.runwasi.layers": layers}})


def _image(facts: ConfigFacts, system: str, run: Mapping[str, object]) -> bytes:
    """Spec: image-spec, config.md."""
    value: dict[str, object] = {"created": format_date(facts.created)}
    if facts.author is not None:
        value["author"] = facts.author
    value |= {"architecture": "wasm", "os": system, "config": run}
    value |= {"rootfs": {"type": "layers", "diff_ids": [str(digest) for digest in facts.diff_ids]}}
    return compact_json(value)


def format_date(moment: datetime) -> str:
    """RFC 3339 in UTC, with as many groups of three fraction digits as it needs.

    Args:
        moment: with a time zone.
    """
    moment = moment.astimezone(UTC)
    text = moment.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
    if moment.microsecond % 1000:
        text += f".{moment.microsecond:06}"
    elif moment.microsecond:
        text += f".{moment.microsecond // 1000:03}"
    return f"{text}Z"


def source_date(created: str | None, variables: Mapping[str, str]) -> datetime | None:
    """The date that was handed in: `--created`, else `$SOURCE_DATE_EPOCH`, else None.

    Args:
        created: RFC 3339 text, or whole seconds since the epoch.
        variables: environment variables.

    Raises:
        InvalidDateError: it is neither, or not a date that exists.
    """
    if created is not None:
        return _parse(created, created)
    epoch = variables.get("SOURCE_DATE_EPOCH")
    if not epoch:
        return None
    if not epoch.isascii() or not epoch.isdigit():
        raise InvalidDateError(f"SOURCE_DATE_EPOCH is not a whole number of seconds: {epoch[:40]!r}")
    return _parse(epoch, f"SOURCE_DATE_EPOCH={epoch}")


def _parse(text: str, shown: str) -> datetime:
    try:
        if text.isascii() and text.isdigit():
            return datetime.fromtimestamp(int(text), UTC)
        if _RFC3339.match(text) is not None:
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise InvalidDateError(f"not a date that exists: {shown[:80]!r}") from error
    raise InvalidDateError(
        f"not a date: {shown[:80]!r}", hint="write it as 2026-01-31T12:00:00Z, or as seconds since the epoch"
    )
