"""Settings of registries in containerd's `hosts.toml`: mirrors, insecure hosts, authorities and client certificates.

    FOLDER/HOST[:PORT]/hosts.toml (or FOLDER/HOST_PORT_/hosts.toml, or FOLDER/_default/hosts.toml for every other)

    server = "https://HOST"                         the registry that the host names; the host itself if absent
    [host."https://MIRROR"]                         in the order in which they are asked, before the server
    capabilities = ["pull", "resolve", "push"]      pull: by digest, resolve: by tag; all three if this is absent
    ca = FILE or [FILE, ...]                        authorities to trust there, besides all others
    client = FILE or [FILE, ...] or [[FILE, KEY], ...]
    skip_verify = true or false                     any certificate will do; plain http only where an address says so
    override_path = true or false                   the address is whole: no `/v2` follows its path
    [host."https://MIRROR".header]                  header fields to send there: NAME = VALUE or [VALUE, ...]

Names of files are relative to the folder. An entry for the host itself has the settings of its TLS; it is where this
tool writes, whatever `capabilities` says. Of several client certificates the first is shown. Repositories are below
`/v2/` of a host, or of the path of its address: `https://MIRROR/some/path` stands for `https://MIRROR/some/path/v2`.
With `override_path`, `https://MIRROR/v2/PREFIX` puts PREFIX before their names, and they are below any other path as it
is. Entries with a query are left out.

The folders are those of `rule_files`. A rule of `registries.conf` goes before this.

Format: containerd's documentation, Registry Configuration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wasm2oci.base.reading import read_found
from wasm2oci.errors import InvalidInputError
from wasm2oci.oci.endpoints import API_ROOT
from wasm2oci.oci.host import without_user
from wasm2oci.registry.flavours import same_registry
from wasm2oci.registry.options import InvalidHeaderError, parse_header
from wasm2oci.registry.registries_conf import Mirror, RegistryRule
from wasm2oci.registry.rule_files import HostFiles, HostSettings
from wasm2oci.registry.urls import Origin, UntrustedUrlError

if TYPE_CHECKING:
    from pathlib import Path

    from wasm2oci.registry.rule_files import Fields

__all__ = ["HostsFileError", "host_rule"]

_MAX: Final = 1 << 20
_NO_PATH: Final = frozenset('?#"<>\\^`{|}')
"""ASCII characters that no path of an address has. Spec: RFC 3986, Path."""
_PULLS: Final = {(True, True): "all", (True, False): "tag-only", (False, True): "digest-only", (False, False): ""}
"""By whether an entry resolves and pulls, what it is asked for; nothing for the empty string."""


class HostsFileError(InvalidInputError):
    """A `hosts.toml` is malformed."""


def host_rule(path: Path, host: str) -> RegistryRule:
    """What a `hosts.toml` says of a host, as a rule whose prefix is the host.

    Raises:
        HostsFileError: it is malformed.
        LocalIOError: it cannot be read.
    """
    value = _read(path)
    server = _location(path, _text(path, value, "server") or f"https://{host}")
    tables = value.get("host", {})
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise _malformed(path, "`host` holds something that is not a table")
    entries = [_entry(path, url, table) for url, table in tables.items()]
    own = next((entry for entry in entries if _same_place(entry, server)), server)
    mirrors = tuple(one for one in entries if one.location and one.pulls and not _same_place(one, server))
    location = host if same_registry(host, server.location) else server.location or host
    settings = own.settings._replace(
        insecure=own.settings.insecure or server.settings.insecure,
        https=own.settings.https and server.settings.https and (own is not server or "server" in value),
        root=server.settings.root,
    )
    return RegistryRule(path, host, location, blocked=False, mirrors=mirrors, settings=settings)


def _same_place(one: Mirror, other: Mirror) -> bool:
    return (one.location, one.settings.root) == (other.location, other.settings.root)


def _read(path: Path) -> dict[str, Any]:
    raw = read_found(path, _MAX, _error)
    from wasm2oci.base.toml import load_toml

    try:
        return load_toml(raw)
    except ValueError as error:
        raise _malformed(path, str(error)) from error


def _location(path: Path, url: str, *, whole: bool = False) -> Mirror:
    """The host of an address, with the prefix of the names of its repositories; plain http makes it insecure.

    An address with a query, or with characters that no path has, gives the empty location.

    Args:
        path: of the file.
        url: the address.
        whole: see `override_path`.
    """
    try:
        origin = Origin.of(url if "://" in url else f"https://{url}")
    except UntrustedUrlError as error:
        raise _malformed(path, f"{without_user(url)!r} is not an address") from error
    place = url.partition("://")[2] or url
    below = f"/{place.partition('/')[2].strip('/')}".rstrip("/")
    https = origin.scheme == "https"
    location, root = origin.authority, below if whole or below.endswith(API_ROOT) else below + API_ROOT
    if not all("!" <= letter <= "~" and letter not in _NO_PATH for letter in below):
        location, root = "", API_ROOT
    elif whole and below.startswith(f"{API_ROOT}/"):
        location, root = origin.authority + below.removeprefix(API_ROOT), API_ROOT
    return Mirror(location, "all", HostSettings(insecure=not https, https=https, root=root))


def _entry(path: Path, url: str, table: dict[str, Any]) -> Mirror:
    whole, skip = (table.get(key, False) for key in ("override_path", "skip_verify"))
    if not isinstance(whole, bool) or not isinstance(skip, bool):
        raise _malformed(path, f"override_path or skip_verify of {without_user(url)} is neither true nor false")
    location = _location(path, url, whole=whole)
    capabilities = table.get("capabilities", ["pull", "resolve"])
    if not isinstance(capabilities, list):
        raise _malformed(path, f"capabilities of {url} is not a list")
    authorities = tuple(path.parent / name for name in _names(path, url, table.get("ca", [])))
    client = table.get("client", [])
    first = client[0] if isinstance(client, list) and client and isinstance(client[0], list) else client
    shown = [path.parent / name for name in _names(path, url, first)]
    pair = len(shown) == 2 and first is not client
    files = HostFiles(authorities, shown[0] if shown else None, shown[1] if pair else None)
    pulls = _PULLS["resolve" in capabilities, "pull" in capabilities]
    headers = _headers(path, url, table.get("header", {}))
    insecure = location.settings.insecure or skip
    settings = location.settings._replace(insecure=insecure, files=files, headers=headers)
    return location._replace(pulls=pulls, settings=settings)


def _headers(path: Path, url: str, table: object) -> Fields:
    if not isinstance(table, dict):
        raise _malformed(path, f"the header of {url} is not a table")
    found = []
    for name, value in table.items():
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(isinstance(one, str) for one in values):
            raise _malformed(path, f"a header field of {url} is not text")
        try:
            found.append(parse_header(f"{name}: {', '.join(values)}"))
        except InvalidHeaderError as error:
            raise _malformed(path, f"{error.message} for {url}") from error
    return tuple(found)


def _names(path: Path, url: str, value: object) -> list[str]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise _malformed(path, f"the files of {url} are not names")
    return names


def _text(path: Path, table: dict[str, Any], key: str) -> str:
    value = table.get(key, "")
    if not isinstance(value, str):
        raise _malformed(path, f"{key} is not text")
    return value


def _error(message: str) -> HostsFileError:
    return HostsFileError(message, hint="fix it, or set WASM2OCI_CERTS_D=off to ignore it")


def _malformed(path: Path, reason: str) -> HostsFileError:
    return _error(f"{path}: {reason}")
