"""How the terminal words the remedies that errors carry as data: by its own options and commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasm2oci.errors import RemedyKind

if TYPE_CHECKING:
    from wasm2oci.errors import Wasm2OciError

__all__ = ["hint_for"]

_WORDS: Final = {
    RemedyKind.ADD_FEATURE: "allow it with --features +{}, or rebuild the module without it",
    RemedyKind.ALLOW_FETCH: "allow it with --pull missing",
    RemedyKind.ALLOW_OVERWRITE: "leave --keep-old out to replace it, or name another file with -o FILE",
    RemedyKind.CHOOSE_PLATFORM: "choose one by --platform, or by its digest, such as {}",
    RemedyKind.DROP_SCHEME: "write {}, with --plain-http",
    RemedyKind.FORCE_PULL: "use --force to take it anyway",
    RemedyKind.FORCE_PUSH: "use --force to push it anyway",
    RemedyKind.GIVE_CERTIFICATE: "add --cert-file FILE",
    RemedyKind.GIVE_CREDENTIALS: "add -u NAME --password-stdin",
    RemedyKind.GIVE_DESTINATION_CREDENTIALS: (
        "those of {} go with --to-username and --to-password-stdin; kept credentials need neither"
    ),
    RemedyKind.GIVE_OUTPUT: "name the file to write with -o FILE, or replace it with --force",
    RemedyKind.GIVE_PASSWORD: "add --password-stdin and pipe the password in",
    RemedyKind.GIVE_TITLE: "give it another one: --title NAME",
    RemedyKind.GIVE_USERNAME: "add -u NAME",
    RemedyKind.IMPORT_KEY: "import the plain key with `wasm2oci key import FILE`",
    RemedyKind.INSPECT: "`wasm2oci inspect` shows what it holds",
    RemedyKind.INSTALL: "install wasm2oci with the extra `{0}`: pip or pipx install 'wasm2oci[{0}]'",
    RemedyKind.INVOKE: "call one of its functions with --invoke: {}",
    RemedyKind.LISTEN_ELSEWHERE: "--listen {}:0 picks a free port",
    RemedyKind.LIST_TAGS: "`wasm2oci tags {}` lists its tags",
    RemedyKind.LOG_IN: "log in: `wasm2oci login {}`",
    RemedyKind.MAKE_KEY: "`wasm2oci key generate` makes cosign.key, which signs, and cosign.pub, which verifies",
    RemedyKind.NAME_SIGNER: "add --key FILE, or --certificate-identity NAME with --certificate-oidc-issuer URL",
    RemedyKind.PRINT: "`wasm2oci print` shows a module or component as text",
    RemedyKind.PROTECT_SERVER: "add --user NAME or --htpasswd FILE, or listen at 127.0.0.1",
    RemedyKind.RAISE_MEMORY: "allow it with --max-memory {}",
    RemedyKind.RAISE_SIZE: "allow it with --max-size {}",
    RemedyKind.SHOW_PUBLIC_KEY: "`wasm2oci key public FILE` shows its public key",
    RemedyKind.START_REGISTRY: "nothing listens there: check the port, or start a registry with `wasm2oci serve`",
    RemedyKind.TRAP_MISSING: "only functions of {} are offered; --trap-missing lets it start without",
    RemedyKind.TRUST_CERTIFICATE: "name its authority with --ca-file, or take the risk with --insecure",
    RemedyKind.USE_EMBEDDED: "use --engine embedded",
    RemedyKind.USE_PLAIN_HTTP: "if the registry speaks plain http, add --plain-http",
    RemedyKind.USE_WASMTIME: "--engine wasmtime may run it",
}
"""A test sees that every kind has its words."""


def hint_for(error: Wasm2OciError) -> str | None:
    """What to do about an error, in one line: its own hint, else its remedy in the words of the command line."""
    if error.hint is not None or error.remedy is None:
        return error.hint
    return _WORDS[error.remedy.kind].format(error.remedy.value)
