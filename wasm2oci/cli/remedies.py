"""How the terminal words the remedies that errors carry as data: by its own options and commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasm2oci.errors import RemedyKind

if TYPE_CHECKING:
    from wasm2oci.errors import Wasm2OciError

__all__ = ["hint_for"]

_WORDS: Final = {
    RemedyKind.GIVE_PASSWORD: "add --password-stdin and pipe the password in",
    RemedyKind.GIVE_USERNAME: "add -u NAME",
    RemedyKind.GIVE_CERTIFICATE: "add --cert-file FILE",
}


def hint_for(error: Wasm2OciError) -> str | None:
    """What to do about an error, in one line: its own hint, else its remedy in the words of the command line."""
    if error.hint is not None or error.remedy is None:
        return error.hint
    return _WORDS[error.remedy.kind].format(error.remedy.value)
