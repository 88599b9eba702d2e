"""What containerd's `hosts.toml` says of a registry is done as containerd does it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.support.artifacts import Stash
from tests.support.network import Answer, Network, fresh_core, token_answer
from wasm2oci.content.copy import copy
from wasm2oci.content.memory import MemoryTarget
from wasm2oci.errors import NotFoundError
from wasm2oci.oci.reference import Reference
from wasm2oci.registry.credentials import Basic
from wasm2oci.registry.hosts_toml import HostsFileError, host_rule
from wasm2oci.registry.mirrors import Mirrored
from wasm2oci.registry.problems import ConnectionFailedError
from wasm2oci.registry.rule_files import HostFiles, find_hosts_file

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.network import Sent
    from wasm2oci.registry.registries_conf import RegistryRule

MIRRORED = """
server = "https://registry.example"
[host."https://mirror.example"]
capabilities = ["pull", "resolve"]
ca = "mirror.pem"
client = [["client.cert", "client.key"]]
[host."http://plain.example:5000"]
capabilities = ["pull"]
[host."https://skipped.example"]
skip_verify = true
[host."https://path.example/v2/prefix"]
override_path = true
[host."https://path.example/prefix"]
[host."https://path.example/api/docker/remote/v2/"]
[host."https://path.example/api/whole"]
override_path = true
[host."https://query.example/v2/prefix?token=secret"]
override_path = true
[host."https://writing.example"]
capabilities = ["push"]
"""


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / ".config/containerd/certs.d" / name / "hosts.toml"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return path


def rule(host: str, home: Path, **variables: str) -> RegistryRule | None:
    path = find_hosts_file(host, variables, home)
    return None if path is None else host_rule(path, host)


def test_mirrors_in_order_with_what_they_are_for(tmp_path: Path) -> None:
    path = write(tmp_path, "registry.example", MIRRORED)
    found = rule("registry.example", tmp_path)
    assert found is not None
    assert (found.prefix, found.location, found.settings.insecure, found.settings.files) == (
        *["registry.example"] * 2,
        False,
        HostFiles(),
    )
    assert [(one.location, one.settings.root, one.settings.insecure, one.pulls) for one in found.mirrors] == [
        ("mirror.example", "/v2", False, "all"),
        ("plain.example:5000", "/v2", True, "digest-only"),
        ("skipped.example", "/v2", True, "all"),
        ("path.example/prefix", "/v2", False, "all"),
        ("path.example", "/prefix/v2", False, "all"),
        ("path.example", "/api/docker/remote/v2", False, "all"),
        ("path.example", "/api/whole", False, "all"),
    ]
    folder = path.parent
    expected = HostFiles((folder / "mirror.pem",), folder / "client.cert", folder / "client.key")
    assert found.mirrors[0].settings.files == expected


@pytest.mark.parametrize("name", ["registry.example:5000", "registry.example_5000_", "_default"])
def test_names_of_folders(tmp_path: Path, name: str) -> None:
    write(tmp_path, name, '[host."https://registry.example:5000"]\nskip_verify = true\nca = ["/a.pem", "b.pem"]\n')
    found = rule("registry.example:5000", tmp_path)
    assert found is not None
    assert found.settings.insecure
    assert [path.name for path in found.settings.files.authorities] == ["a.pem", "b.pem"]
    assert found.mirrors == ()
    assert (rule("other.example", tmp_path) is not None) is (name == "_default")


def test_off_and_another_folder_by_variable(tmp_path: Path) -> None:
    path = write(tmp_path, "registry.example", "")
    assert rule("registry.example", tmp_path, WASM2OCI_CERTS_D="off") is None
    elsewhere = {"WASM2OCI_CERTS_D": str(path.parent.parent)}
    assert rule("registry.example", tmp_path / "other home", **elsewhere) is not None


def test_docker_hub_is_still_itself(tmp_path: Path) -> None:
    write(tmp_path, "docker.io", 'server = "https://registry-1.docker.io"\n')
    found = rule("docker.io", tmp_path)
    assert found is not None
    assert found.location == "docker.io"


@pytest.mark.parametrize(
    "text",
    [
        "server = 1",
        "[host]\na = 1",
        "host = 3",
        '[host."https://m"]\nca = 1',
        '[host."https://m"]\nclient = [[1]]',
        '[host."https://m"]\nskip_verify = "yes"',
        '[host."https://m"]\ncapabilities = "pull"',
        '[host."https://m"]\noverride_path = 1',
        '[host."https://m"]\nheader = 1',
        '[host."https://m".header]\nX-Name = 1',
        '[host."https://m".header]\nX-Name = "a\\nb"',
        '[host."https://m".header]\n"X Name" = "a"',
        '[host."ftp://m"]',
        '[host."https://u:p@m"]',
        "not toml",
    ],
)
def test_what_is_malformed_is_named(tmp_path: Path, text: str) -> None:
    write(tmp_path, "registry.example", text)
    with pytest.raises(HostsFileError, match=r"hosts\.toml"):
        rule("registry.example", tmp_path)


@pytest.mark.parametrize(
    "text", ['server = "{}"', '[host."{}"]', '[host."{}"]\nskip_verify = 1', '[host."{}"]\nca = 1']
)
def test_a_password_in_an_address_is_not_shown(tmp_path: Path, text: str) -> None:
    write(tmp_path, "registry.example", text.format("https://me:hush@mirror.example"))
    with pytest.raises(HostsFileError, match=r"mirror\.example") as caught:
        rule("registry.example", tmp_path)
    assert "hush" not in str(caught.value)


def test_a_mirror_is_read_and_the_registry_is_written(tmp_path: Path) -> None:
    """The mirror gets no credentials that are for the registry."""
    write(tmp_path, "registry.example", MIRRORED)
    home, mirror = fresh_core(), fresh_core()
    network = Network({"https://registry.example": home, "https://mirror.example": mirror})
    stash, reference = Stash(), Reference.parse("registry.example/a:v1")
    root = stash.manifest(stash.put("application/wasm", b"some wasm"))
    connector = network.connector(home=tmp_path, credential=Basic("alice", "secret"))
    copy(stash.target, root, connector.repository(reference, writes=True), "v1")
    assert {sent.origin for sent in network.sent} == {"https://registry.example"}
    copy(
        stash.target,
        root,
        Network({"https://mirror.example": mirror}).repository("mirror.example/a", writes=True),
        "v1",
    )
    network.sent.clear()
    assert copy(network.connector(home=tmp_path).source(reference), "v1", MemoryTarget()).root == root
    assert {sent.origin for sent in network.sent} == {"https://mirror.example"}
    assert all("authorization" not in sent.headers for sent in network.sent)


def test_a_mirror_below_a_path_gets_its_header_fields(tmp_path: Path) -> None:
    """A pull-through project of Harbor, with a header that its gate asks for; the registry itself does not get it."""
    text = """
[host."https://mirror.example/v2/proxy"]
override_path = true
[host."https://mirror.example/v2/proxy".header]
X-Gate = ["open", "wide"]
Authorization = "Basic YTpi"
"""
    write(tmp_path, "registry.example", text)
    mirror = fresh_core()
    network = Network({"https://registry.example": fresh_core(), "https://mirror.example": mirror})
    stash, reference = Stash(), Reference.parse("registry.example/a:v1")
    root = stash.manifest(stash.put("application/wasm", b"some wasm"))
    connector = network.connector(home=tmp_path)
    with pytest.raises(NotFoundError):
        connector.source(reference).resolve("v1")
    assert [sent.headers.get("x-gate") for sent in network.at("https://mirror.example")] == ["open, wide"] * 2
    assert all("x-gate" not in sent.headers for sent in network.at("https://registry.example"))
    there = Network({"https://mirror.example": mirror}).repository("mirror.example/proxy/a", writes=True)
    copy(stash.target, root, there, "v1")
    assert copy(network.connector(home=tmp_path).source(reference), "v1", MemoryTarget()).root == root


@pytest.mark.parametrize(
    ("address", "override", "root"),
    [
        ("https://mirror.example/artifactory/api/docker/remote", "false", "/artifactory/api/docker/remote/v2"),
        ("https://mirror.example/artifactory/api/docker/remote/v2/", "false", "/artifactory/api/docker/remote/v2"),
        ("https://mirror.example/hub/", "true", "/hub"),
        ("https://registry.example/hub", "false", "/hub/v2"),
    ],
)
def test_a_mirror_whose_repositories_are_below_another_path(
    tmp_path: Path, address: str, override: str, root: str
) -> None:
    """Artifactory's way to name a repository of its own; the ping for a challenge is below it too."""
    write(tmp_path, "registry.example", f'[host."{address}"]\noverride_path = {override}\n')
    inner = fresh_core()

    def mirror(sent: Sent) -> Answer:
        if sent.path.startswith("/token"):
            return token_answer()
        if not sent.path.startswith(f"{root}/"):
            return Answer(404)
        if sent.headers.get("authorization") != "Bearer t0ken":
            return Answer(
                401, {"WWW-Authenticate": f'Bearer realm="{sent.origin}/token"'} if sent.path == f"{root}/" else {}
            )
        return inner(replace(sent, url=sent.url.replace(root, "/v2", 1)))

    there = Network({"https://mirror.example": inner}).repository("mirror.example/a", writes=True)
    stash, reference = Stash(), Reference.parse("registry.example/a:v1")
    root_manifest = stash.manifest(stash.put("application/wasm", b"some wasm"))
    copy(stash.target, root_manifest, there, "v1")
    network = Network({"https://registry.example": mirror, "https://mirror.example": mirror})
    source = network.connector(home=tmp_path).source(reference)
    assert copy(source, "v1", MemoryTarget()).root == root_manifest
    assert isinstance(source, Mirrored)
    assert list(source.referrers(root_manifest)) == []
    assert {sent.origin for sent in network.sent} == {address.partition("/hub")[0].partition("/artifactory")[0]}


@pytest.mark.parametrize("insecure", [True, False])
def test_plain_http_is_not_tried_on_this_machine_where_an_address_says_https(tmp_path: Path, *, insecure: bool) -> None:
    skip = "skip_verify = true" if insecure else 'ca = "ca.pem"'
    write(tmp_path, "localhost:5000", f'[host."https://localhost:5000"]\n{skip}\n')
    network = Network({"https://localhost:5000": fresh_core(), "http://localhost:5000": fresh_core()})
    with pytest.raises(NotFoundError):
        network.connector(home=tmp_path).repository(Reference.parse("localhost:5000/a")).resolve("v1")
    assert {sent.origin for sent in network.sent} == {"https://localhost:5000"}


@pytest.mark.parametrize("file", ["hosts.toml", "registries.conf"])
def test_what_is_said_of_another_server_is_not_said_of_the_registry(tmp_path: Path, file: str) -> None:
    """A password goes over no plain http because the place that is read instead speaks that."""
    if file == "hosts.toml":
        write(tmp_path, "registry.example", 'server = "http://else.example:5000"\n')
    else:
        path = tmp_path / ".config/containers/registries.conf"
        path.parent.mkdir(parents=True)
        rows = ('prefix = "registry.example"', 'location = "else.example:5000"', "insecure = true")
        path.write_text("\n".join(["[[registry]]", *rows]))
    network = Network({"http://registry.example": fresh_core()})
    connector = network.connector(home=tmp_path, credential=Basic("alice", "secret"))
    stash = Stash()
    root = stash.manifest(stash.put("application/wasm", b"some wasm"))
    with pytest.raises(ConnectionFailedError):
        copy(stash.target, root, connector.repository(Reference.parse("registry.example/a:v1"), writes=True), "v1")
    assert {sent.origin for sent in network.sent} <= {"https://registry.example"}


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_plain_http_is_spoken_only_where_an_address_says_so(tmp_path: Path, scheme: str) -> None:
    """`skip_verify` is about certificates; a password goes over no plain http because of it."""
    write(tmp_path, "registry.example", f'[host."{scheme}://registry.example"]\nskip_verify = true\n')
    network = Network({"http://registry.example": fresh_core()})
    connector = network.connector(home=tmp_path, credential=Basic("alice", "secret"))
    stash = Stash()
    root = stash.manifest(stash.put("application/wasm", b"some wasm"))
    repository = connector.repository(Reference.parse("registry.example/a:v1"), writes=True)
    if scheme == "http":
        copy(stash.target, root, repository, "v1")
    else:
        with pytest.raises(ConnectionFailedError):
            copy(stash.target, root, repository, "v1")
        assert {sent.origin for sent in network.sent} <= {"https://registry.example"}
