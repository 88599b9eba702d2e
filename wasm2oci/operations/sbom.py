"""SBOM: the bill of materials of a module, made from what the module says; and provenance, from what a CI says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from wasm2oci.errors import UsageError
from wasm2oci.operations.fetch_module import FetchPolicy, Pull, fetch
from wasm2oci.signing.parts import read_parts
from wasm2oci.signing.provenance import PROVENANCE_TYPE, provenance
from wasm2oci.signing.sbom import SBOM_FORMATS
from wasm2oci.version import __version__

if TYPE_CHECKING:
    from wasm2oci.oci.reference import Location
    from wasm2oci.operations.environment import Environment

__all__ = ["Document", "make_provenance", "make_sbom"]


class Document(NamedTuple):
    """What an attestation can say.

    Args:
        raw: the document.
        predicate_type: of an attestation with it.
        listed: crates in it; 0 for a provenance.
    """

    raw: bytes
    predicate_type: str
    listed: int = 0


def make_sbom(subject: Path | Location | bytes, format_name: str, environment: Environment) -> Document:
    """The SBOM of a file, of its bytes, or of the module of an artifact."""
    form = next((one for one in SBOM_FORMATS if one.name == format_name), None)
    if form is None:
        raise UsageError(f"no such format: {format_name}; there are {', '.join(one.name for one in SBOM_FORMATS)}")
    fetched = fetch(subject, FetchPolicy(pull=Pull.ALWAYS), environment).checked()
    parts = read_parts(fetched.data)
    name = subject.name if isinstance(subject, Path) else fetched.name
    name = name.encode("utf-8", "replace").decode()  # a file's name may be no Unicode text
    return Document(form.make(parts, name, __version__, _created(environment)), form.predicate_type, parts.crates)


def make_provenance(environment: Environment) -> Document:
    """The provenance of the CI job that runs this."""
    raw = json.dumps(provenance(environment.variables), indent=2, sort_keys=True).encode() + b"\n"
    return Document(raw, PROVENANCE_TYPE)


def _created(environment: Environment) -> str | None:
    from wasm2oci.packager.config import format_date, source_date

    found = source_date(None, environment.variables)
    return None if found is None else format_date(found)
