"""Print a module as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

    from wasm2oci.oci.digest import Digest
    from wasm2oci.oci.reference import Location
    from wasm2oci.operations.environment import Environment
    from wasm2oci.operations.fetch_module import FetchPolicy

__all__ = ["Printed", "print_module"]


class Printed(NamedTuple):
    """A module as text.

    Attributes:
        subject: what was printed, by its name.
        module: the digest of the bytes that were read.
        file: the file that was written, or None.
        text: what was printed, or None where it is in the file.
    """

    subject: str
    module: Digest
    file: Path | None
    text: str | None


def print_module(
    subject: Path | Location | bytes,
    policy: FetchPolicy,
    environment: Environment,
    output: Path | None = None,
    *,
    folded: bool = False,
    offsets: bool = False,
    function: str | None = None,
) -> Printed:
    """Print a module as text; a file with the text appears whole or not at all."""
    from wasm2oci.base.outputs import write_file
    from wasm2oci.engine.text import print_text
    from wasm2oci.operations.fetch_module import fetch
    from wasm2oci.operations.subject import subject_name

    fetched = fetch(subject, policy, environment).checked()
    name = subject_name(subject)
    text = print_text(fetched.data, folded=folded, offsets=offsets, function=function)
    if output is None:
        return Printed(name, fetched.digest, None, "".join(text))
    write_file(output, (piece.encode() for piece in text))
    return Printed(name, fetched.digest, output, None)
