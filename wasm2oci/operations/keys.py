"""Keys: made, imported, shown; and how a key that a user names is read.

A key is named by a file, or as `env://NAME` by a variable that holds the PEM, as cosign has it. The password of an
encrypted key is in the variable `COSIGN_PASSWORD` (also when it is empty), else it is asked for.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from wasm2oci.base.files import FileNotThereError, local_errors
from wasm2oci.base.outputs import write_file
from wasm2oci.base.reading import read_named
from wasm2oci.content.verify import BytesContent
from wasm2oci.errors import LocalIOError, NotFoundError, Remedy, RemedyKind, UsageError, Wasm2OciError
from wasm2oci.signing.cosign_key import KEY_FILE_MAX, read_private_key, seal
from wasm2oci.signing.keys import InvalidKeyError, PrivateKey, PublicKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wasm2oci.operations.environment import Environment

__all__ = [
    "KeyExistsError",
    "KeyFiles",
    "KeyInfo",
    "KeyNotFoundError",
    "generate_key",
    "import_key",
    "load_private_key",
    "load_public_key",
    "read_key_bytes",
]

PASSWORD_VARIABLE: Final = "COSIGN_PASSWORD"  # noqa: S105 - the name of a variable
_ENV: Final = "env://"


class KeyExistsError(LocalIOError):
    """A key file exists and is not to be overwritten."""


class KeyNotFoundError(NotFoundError):
    """The variable that should hold a key is not set."""


class KeyInfo(NamedTuple):
    """A public key.

    Attributes:
        key_id: SHA-256 of it, in hexadecimal.
        kind: its algorithm.
        public_key: PEM.
    """

    key_id: str
    kind: str
    public_key: str

    @classmethod
    def of(cls, key: PublicKey) -> Self:
        """The description of a key."""
        return cls(key.id, key.kind, key.pem.decode())


class KeyFiles(NamedTuple):
    """A pair of key files.

    Attributes:
        private_file: the encrypted private key.
        public_file: the public key.
        key: the public key itself.
    """

    private_file: Path
    public_file: Path
    key: KeyInfo


def read_key_bytes(name: str, environment: Environment) -> bytes:
    """The bytes of a key that a user names.

    Raises:
        KeyNotFoundError: there is no such variable.
        FileNotThereError: there is no such file.
        InvalidKeyError: there are more than `KEY_FILE_MAX`.
    """
    if name.startswith(_ENV):
        text = environment.variables.get(name.removeprefix(_ENV))
        if text is None:
            raise KeyNotFoundError(f"{name}: there is no such variable", hint="it has to hold the text of a key file")
        return text.encode()
    return read_named(Path(name), KEY_FILE_MAX, InvalidKeyError)


def load_public_key(name: str, environment: Environment, password: Callable[[str], str] | None = None) -> PublicKey:
    """A public key; of a private key its public half, where `password` is given.

    Raises:
        InvalidKeyError: it is not a key.
        Wasm2OciError: it cannot be read.
    """
    raw = read_key_bytes(name, environment)
    if b"PRIVATE KEY-----" in raw and password is not None:
        return _opened(name, raw, environment, password).public
    with _named(name):
        return PublicKey.from_pem(raw)


def load_private_key(name: str, environment: Environment, password: Callable[[str], str]) -> PrivateKey:
    """A private key; `password` is asked with a question when no variable holds it.

    Raises:
        InvalidKeyError: it is not a private key.
        WrongPasswordError: the password does not open it.
        Wasm2OciError: it cannot be read.
    """
    try:
        raw = read_key_bytes(name, environment)
    except FileNotThereError as error:
        error.remedy = Remedy(RemedyKind.MAKE_KEY)
        raise
    return _opened(name, raw, environment, password)


def _opened(name: str, raw: bytes, environment: Environment, password: Callable[[str], str]) -> PrivateKey:
    with _named(name):
        return read_private_key(raw, lambda: _password(environment, lambda: password(f"Password of {name}: ")))


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Puts the name of a key before the message of an error about it."""
    try:
        yield
    except Wasm2OciError as error:
        error.message = f"{name}: {error.message}"
        raise


def _password(environment: Environment, ask: Callable[[], str]) -> bytes:
    found = environment.variables.get(PASSWORD_VARIABLE)
    return (ask() if found is None else found).encode()


def generate_key(prefix: Path, environment: Environment, password: Callable[[str], str], *, force: bool) -> KeyFiles:
    """Make an ECDSA P-256 key: `PREFIX.key`, readable by its owner only, and `PREFIX.pub`."""
    _check_free(prefix, force=force)
    return _write(PrivateKey.generate(), prefix, _new_password(environment, password))


def import_key(
    name: str,
    prefix: Path,
    environment: Environment,
    password: Callable[[str], str],
    new_password: Callable[[str], str],
    *,
    force: bool,
) -> KeyFiles:
    """Encrypt a private key of another tool (PKCS#8, SEC1 or PKCS#1) in cosign's way."""
    raw = read_key_bytes(name, environment)
    _check_free(prefix, force=force)
    with _named(name):
        key = read_private_key(raw, lambda: password(f"Password of {name}: ").encode())
    return _write(key, prefix, _new_password(environment, new_password))


def _new_password(environment: Environment, password: Callable[[str], str]) -> bytes:
    found = environment.variables.get(PASSWORD_VARIABLE)
    if found is not None:
        return found.encode()
    given = password("Password for the private key: ")
    if not given:
        environment.warn("the private key has an empty password: anyone who can read the file can sign")
    return given.encode()


def _check_free(prefix: Path, *, force: bool) -> None:
    if prefix.name in {"", ".."}:
        raise UsageError(f"{prefix} is a folder", hint="names of files begin with a prefix: for example keys/cosign")
    for suffix in (".key", ".pub"):
        path = prefix.with_name(prefix.name + suffix)
        with local_errors(path):
            there = path.exists()
        if there and not force:
            raise KeyExistsError(f"{path} already exists", hint="choose another prefix")


def _write(key: PrivateKey, prefix: Path, password: bytes) -> KeyFiles:
    private, public = (prefix.with_name(prefix.name + suffix) for suffix in (".key", ".pub"))
    write_file(private, BytesContent(seal(key, password, os.urandom)), 0o600)
    write_file(public, BytesContent(key.public.pem), 0o644)
    return KeyFiles(private, public, KeyInfo.of(key.public))
