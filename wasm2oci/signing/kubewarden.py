"""Kubewarden's verification file, version 1, as a policy file for every repository.

    apiVersion: v1
    allOf: [SIGNATURE, ...]
    anyOf: {minimumMatches: 1, signatures: [SIGNATURE, ...]}

A signature is of the kind `pubKey`, `genericIssuer` or `githubAction`. A field that is unknown is an error, as it is
for Kubewarden: a misspelled one must not weaken the policy.

Spec: kubewarden/kubewarden-controller, crates/policy-fetcher, src/verify/config.rs.
"""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from wasm2oci.signing.policy import InvalidPolicyError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["policy_text"]

_FIELDS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "pubKey": frozenset({"kind", "annotations", "key", "owner"}),
        "genericIssuer": frozenset({"kind", "annotations", "issuer", "subject"}),
        "githubAction": frozenset({"kind", "annotations", "owner", "repo"}),
    }
)
"""Kind of signature -> the fields that it may have."""
_SUBJECTS: Final[Mapping[str, str]] = MappingProxyType({"equal": "subject", "urlPrefix": "subject_prefix"})


def policy_text(value: Any) -> str:
    """The policy file.

    Args:
        value: the file, as decoded from YAML.

    Raises:
        InvalidPolicyError: it is malformed, or has what a policy cannot express.
    """
    if not isinstance(value, dict) or value.get("apiVersion") != "v1":
        raise InvalidPolicyError("apiVersion: v1 is missing")
    _check_known(value, {"apiVersion", "allOf", "anyOf"})
    all_of = value.get("allOf") or []
    any_of = value.get("anyOf") or {}
    if not isinstance(all_of, list) or not isinstance(any_of, dict):
        raise InvalidPolicyError("allOf is a list, and anyOf has minimumMatches and signatures")
    _check_known(any_of, {"minimumMatches", "signatures"})
    options = any_of.get("signatures") or []
    if not isinstance(options, list) or not (all_of or options):
        raise InvalidPolicyError("neither allOf nor anyOf lists a signature")
    lines = ["version = 1", "", "[[rule]]", 'scope = "*"']
    if any_of:
        minimum = any_of.get("minimumMatches", 1)
        if type(minimum) is not int or not 1 <= minimum <= len(options):
            raise InvalidPolicyError("minimumMatches is not a number from 1 to the number of signatures")
        lines.append(f"minimum = {minimum}")
    for entry in all_of:
        lines += ["", "[[rule.all_of]]", *_signature(entry)]
    for entry in options:
        lines += ["", "[[rule.any_of]]", *_signature(entry)]
    return "\n".join(lines) + "\n"


def _signature(entry: Any) -> list[str]:
    kind = entry.get("kind") if isinstance(entry, dict) else None
    if not isinstance(kind, str) or kind not in _FIELDS:
        raise InvalidPolicyError(f"the kind of a signature is none of {', '.join(_FIELDS)}")
    _check_known(entry, _FIELDS[kind])
    annotations = entry.get("annotations") or {}
    if not isinstance(annotations, dict) or not all(
        isinstance(text, str) for pair in annotations.items() for text in pair
    ):
        raise InvalidPolicyError("annotations are not texts")
    extra = []
    if annotations:
        texts = ", ".join(f"{_quoted(name)} = {_quoted(text)}" for name, text in annotations.items())
        extra = [f"annotations = {{ {texts} }}"]
    match kind:
        case "pubKey":
            return ['kind = "key"', _text(entry, "key", "key"), *extra]
        case "githubAction":
            repo = [_text(entry, "repo", "repo")] if entry.get("repo") is not None else []
            return ['kind = "github"', _text(entry, "owner", "owner"), *repo, *extra]
        case _:
            subject = entry.get("subject")
            if not isinstance(subject, dict) or len(subject) != 1 or next(iter(subject)) not in _SUBJECTS:
                raise InvalidPolicyError("a genericIssuer has a subject that is equal, or has a urlPrefix")
            way = next(iter(subject))
            return ['kind = "oidc"', _text(entry, "issuer", "issuer"), _text(subject, way, _SUBJECTS[way]), *extra]


def _check_known(value: dict[Any, Any], names: Iterable[str]) -> None:
    unknown = next((name for name in value if name not in set(names)), None)
    if unknown is not None:
        raise InvalidPolicyError(f"{str(unknown)[:80]!r} means nothing")


def _text(entry: dict[str, Any], name: str, key: str) -> str:
    found = entry.get(name)
    if not isinstance(found, str) or not found:
        raise InvalidPolicyError(f"{name} is missing, or is not text")
    return f"{key} = {_quoted(found)}"


def _quoted(text: str) -> str:
    """A basic string of TOML, which is one of JSON but for one character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
