"""The JSON Schemas of what the commands print with `--format json`, made from the types of the results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

from wasm2oci import client
from wasm2oci.cli.commands.cache import CacheListing
from wasm2oci.cli.commands.completion import Script
from wasm2oci.cli.commands.config import Configuration, SettingValue
from wasm2oci.cli.commands.policy import ImportedPolicy
from wasm2oci.cli.commands.version import Versions
from wasm2oci.cli.commands.whoami import Credentials
from wasm2oci.cli.demonstration import Demonstrated
from wasm2oci.client import Descriptor, Digest, ModuleInfo
from wasm2oci.operations.documents import Failure, camel

__all__ = ["RESULTS", "schema", "schema_page", "strict"]

RESULTS: Final[Mapping[str, tuple[type, ...]]] = {
    "push": (client.Pushed,),
    "pull": (client.Pulled,),
    "run": (client.Ran,),
    "verify": (client.Verified,),
    "validate": (client.Validated,),
    "print": (client.Printed,),
    "wit": (client.Wit,),
    "assemble": (client.Assembled,),
    "inspect": (client.Inspected, client.InspectedFile),
    "tree": (client.Tree,),
    "sign": (client.Signed,),
    "attest": (client.Signed,),
    "sign-file": (client.SignedFile,),
    "verify-file": (client.VerifiedFile,),
    "attestations": (client.Attestations,),
    "sbom": (client.Signed,),
    "provenance": (client.Signed,),
    "policy": (client.Explanation, ImportedPolicy),
    "key": (client.KeyFiles, client.KeyInfo),
    "resolve": (client.Resolved,),
    "tags": (client.Tags,),
    "repos": (client.Repositories,),
    "tag": (client.Tagged,),
    "copy": (client.Copied, client.CopiedTags),
    "delete": (client.Deleted,),
    "attach": (client.AttachedArtifact,),
    "discover": (client.Discovered,),
    "manifest": (client.Resolved, client.PutManifest, client.Deleted),
    "blob": (client.GotBlob, client.PutBlob, client.DeletedBlob),
    "login": (client.LoggedIn,),
    "logout": (client.LoggedOut,),
    "whoami": (client.UsedCredential, Credentials),
    "demo": (Demonstrated,),
    "serve": (client.Served,),
    "serve-http": (client.ServedHttp,),
    "cache": (client.CacheState, CacheListing, client.PrunedCache),
    "config": (Configuration,),
    "completion": (Script,),
    "version": (Versions,),
    "error": (Failure,),
}
"""Command -> the types of its result; `error` is what any of them prints when it fails."""

_NAMES: Final = {name: getattr(client, name) for name in client.__all__} | {
    "Mapping": Mapping,
    "Path": Path,
    "SettingValue": SettingValue,
}


def schema_page(command: str) -> str:
    """The file in docs/schemas for a command."""
    title = "What a command prints when it fails" if command == "error" else f"wasm2oci {command} --format json"
    return json.dumps(schema(title, *RESULTS[command]), indent=2) + "\n"


def strict(value: Any) -> Any:
    """The same schema, which takes no property that it does not describe."""
    if isinstance(value, dict):
        changed = {key: strict(each) for key, each in value.items()}
        if "properties" in value:
            changed["additionalProperties"] = False
        return changed
    return [strict(each) for each in value] if isinstance(value, list) else value


def schema(title: str, *kinds: type) -> dict[str, Any]:
    """The JSON Schema of the documents of these results.

    Args:
        title: of the schema.
        kinds: the types of the results; a document is of one of them.
    """
    definitions: dict[str, Any] = {}
    shapes = [_shape(kind, definitions) for kind in kinds]
    whole = shapes[0] if len(shapes) == 1 else {"anyOf": shapes}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        **whole,
        "$defs": dict(sorted(definitions.items())),
    }


_DIGEST: Final = {"type": "string", "pattern": "^[a-z0-9]+([+._-][a-z0-9]+)*:[A-Za-z0-9=_-]+$"}
_COUNT: Final = {"type": "integer", "minimum": 0}
_TEXTS: Final = {"type": "object", "additionalProperties": {"type": "string"}}
_DESCRIPTOR: Final = {
    "type": "object",
    "description": "A descriptor of the OCI image specification.",
    "properties": {
        "mediaType": {"type": "string"},
        "digest": _DIGEST,
        "size": _COUNT,
        "urls": {"type": "array", "items": {"type": "string"}},
        "annotations": _TEXTS,
        "data": {"type": "string"},
        "platform": {"type": "object"},
        "artifactType": {"type": "string"},
    },
    "required": ["mediaType", "digest", "size"],
}
_PLAIN: Final[dict[Any, dict[str, Any]]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    Path: {"type": "string"},
    Digest: _DIGEST,
    NoneType: {"type": "null"},
    object: {},
}


def _shape(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    if kind in _PLAIN:
        return dict(_PLAIN[kind])
    origin, inner = get_origin(kind), get_args(kind)
    if origin in {Union, UnionType}:
        return {"anyOf": [_shape(each, definitions) for each in inner]}
    if origin in {tuple, list}:
        return {"type": "array", "items": _shape(inner[0], definitions)}
    if origin is not None and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _shape(inner[1], definitions)}
    if issubclass(kind, Enum):
        return {"type": "string", "enum": [each.value for each in kind]}
    name = kind.__name__
    if name not in definitions:
        definitions[name] = {}  # a type may name itself
        definitions[name] = _DESCRIPTOR if kind is Descriptor else _object(kind, definitions)
    return {"$ref": f"#/$defs/{name}"}


def _object(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    hints = get_type_hints(kind, localns=_NAMES)
    fields = getattr(kind, "_fields", None) or tuple(kind.__dataclass_fields__)
    properties = {camel(field): _shape(hints[field], definitions) for field in fields if field != "facts"}
    required = list(properties)
    if kind is ModuleInfo:
        (facts,) = (each for each in get_args(hints["facts"]) if each is not NoneType)
        properties = {**_object(facts, definitions)["properties"], **properties}
    return {
        "type": "object",
        "description": (kind.__doc__ or "").partition("\n")[0],
        "properties": properties,
        "required": required,
    }
