"""What containers' `registries.conf` says is done as podman and skopeo do it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.artifacts import Stash
from tests.support.network import Answer, Network, fresh_core, token_answer
from wasm2oci.content.copy import copy
from wasm2oci.content.memory import MemoryTarget
from wasm2oci.errors import AccessError, IntegrityError, LocalIOError, NotFoundError
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.reference import Reference
from wasm2oci.registry.found_out import FoundOut
from wasm2oci.registry.options import TlsSettings
from wasm2oci.registry.problems import TimedOutError
from wasm2oci.registry.registries_conf import (
    BlockedRegistryError,
    RegistriesConfError,
    find_rule,
    read_rules,
    sources,
)
from wasm2oci.registry.rule_files import find_conf_files
from wasm2oci.registry.urls import Origin

if TYPE_CHECKING:
    from tests.support.network import Handler, Sent
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.registry.connect import Connector
    from wasm2oci.registry.problems import ExchangeError

DATA = b"some wasm"
HOME, MIRROR, FAR = "https://registry.example", "https://mirror.example", "https://far.example"


class Field:
    """A registry, two mirrors, and a `registries.conf`."""

    def __init__(self, folder: Path, conf: str) -> None:
        self.file = folder / "registries.conf"
        self.file.write_text(conf)
        self.folder = folder
        self.cores: dict[str, Handler] = {host: fresh_core() for host in (HOME, MIRROR, FAR)}
        self.network = Network(dict(self.cores))
        self.stash = Stash()
        self.root = self.stash.manifest(self.stash.put("application/wasm", DATA))

    def connector(self, **changes: Any) -> Connector:
        environ = {"CONTAINERS_REGISTRIES_CONF": str(self.file), **changes.pop("environ", {})}
        return self.network.connector(environ=environ, home=self.folder, **changes)

    def put(self, host: str, name: str, tag: str = "v1") -> None:
        """Put the artifact into a registry, whatever the file says."""
        repository = self.network.repository(f"{host.removeprefix('https://')}/{name}", writes=True)
        copy(self.stash.target, self.root, repository, tag)
        self.network.sent.clear()

    def pull(self, text: str, **changes: Any) -> Descriptor:
        reference = Reference.parse(text)
        target = MemoryTarget()
        assert reference.identifier is not None
        root = copy(self.connector(**changes).source(reference), reference.identifier, target).root
        assert b"".join(target.fetch(self.stash.put("application/wasm", DATA))) == DATA
        return root

    def asked(self) -> list[str]:
        """The hosts that were asked, in order, each once."""
        return list(dict.fromkeys(sent.origin for sent in self.network.sent))


MIRRORED = """
[[registry]]
location = "registry.example/team"
[[registry.mirror]]
location = "mirror.example/proxy/team"
[[registry.mirror]]
location = "far.example"
"""


class TestMirrors:
    def test_the_first_that_has_it_gives_all_of_it(self, tmp_path: Path) -> None:
        field = Field(tmp_path, MIRRORED)
        field.put(FAR, "app")
        assert field.pull("registry.example/team/app:v1").digest == field.root.digest
        assert field.asked() == [MIRROR, FAR]
        assert [sent.path for sent in field.network.at(MIRROR)] == ["/v2/proxy/team/app/manifests/v1"]
        assert {sent.path.rpartition("/")[0] for sent in field.network.at(FAR)} == {
            "/v2/app/manifests",
            "/v2/app/blobs",
        }

    def test_the_location_itself_comes_last(self, tmp_path: Path) -> None:
        field = Field(tmp_path, MIRRORED)
        field.put(HOME, "team/app")
        field.pull("registry.example/team/app:v1")
        assert field.asked() == [MIRROR, FAR, HOME]
        assert field.network.warned == []
        with pytest.raises(NotFoundError, match=r"registry\.example/team/app:v2"):
            field.pull("registry.example/team/app:v2")

    def test_other_repositories_have_no_mirror(self, tmp_path: Path) -> None:
        field = Field(tmp_path, MIRRORED)
        for name in ("teams/app", "other/team/app"):
            field.put(HOME, name)
            field.pull(f"registry.example/{name}:v1")
            assert field.asked() == [HOME]

    @pytest.mark.parametrize("body", [b"nonsense", b'{"schemaVersion": 2}', b"<html>"])
    def test_a_mirror_that_gives_no_manifest_is_passed_over_and_named(self, tmp_path: Path, body: bytes) -> None:
        field = Field(tmp_path, MIRRORED)
        field.put(HOME, "team/app")
        field.network.hosts[MIRROR] = lambda _: Answer(200, {"Content-Type": mt.OCI_MANIFEST}, body)
        field.pull("registry.example/team/app:v1")
        assert [text for text in field.network.warned if "mirror.example" in text and "is passed over" in text]

    @pytest.mark.parametrize("status", [401, 403, 500, 404])
    def test_a_mirror_that_fails_is_passed_over_and_named(self, tmp_path: Path, status: int) -> None:
        field = Field(tmp_path, MIRRORED)
        field.put(HOME, "team/app")
        field.network.hosts[MIRROR] = lambda _: Answer(status)
        del field.network.hosts[FAR]
        field.pull("registry.example/team/app:v1")
        named = [text for text in field.network.warned if "is passed over" in text]
        assert [("mirror.example" in text, "far.example" in text) for text in named] == (
            [(True, False)] * (status != 404) + [(False, True)]
        )

    def test_a_mirror_that_lies_about_a_digest_is_passed_over(self, tmp_path: Path) -> None:
        field = Field(tmp_path, MIRRORED)
        field.put(HOME, "team/app")
        other = field.stash.manifest(field.stash.put("application/wasm", b"other"))
        raw = field.stash.get(other)
        field.network.hosts[MIRROR] = lambda _: Answer(200, {"Content-Type": other.media_type}, raw)
        assert field.pull(f"registry.example/team/app@{field.root.digest}").digest == field.root.digest

    def test_a_blob_that_a_mirror_lost_comes_from_the_next(self, tmp_path: Path) -> None:
        field = Field(tmp_path, MIRRORED)
        field.put(HOME, "team/app")
        field.put(MIRROR, "proxy/team/app")
        inner = field.cores[MIRROR]
        field.network.hosts[MIRROR] = lambda sent: Answer(404) if "/blobs/" in sent.path else inner(sent)
        field.pull("registry.example/team/app:v1")
        assert [sent.path for sent in field.network.at(HOME) if "/manifests/" in sent.path] == []

    @pytest.mark.parametrize("answer", [b"other wasm!", b"some wa", b"some wasm and more"])
    def test_a_short_blob_that_a_mirror_has_wrong_comes_from_the_next(self, tmp_path: Path, answer: bytes) -> None:
        field = Field(tmp_path, MIRRORED)
        field.put(HOME, "team/app")
        field.put(MIRROR, "proxy/team/app")
        inner = field.cores[MIRROR]
        field.network.hosts[MIRROR] = lambda sent: Answer(200, {}, answer) if "/blobs/" in sent.path else inner(sent)
        field.pull("registry.example/team/app:v1")
        assert any("/blobs/" in sent.path for sent in field.network.at(HOME))

    def test_a_long_blob_that_a_mirror_has_wrong_is_an_error_that_names_the_mirror(self, tmp_path: Path) -> None:
        field, told = Field(tmp_path, MIRRORED), list[str]()
        big = field.stash.put("application/wasm", bytes(2 << 20))
        field.root = field.stash.manifest(big)
        for place, name in ((HOME, "team/app"), (MIRROR, "proxy/team/app")):
            field.put(place, name)
        inner = field.cores[MIRROR]

        def answer(sent: Sent) -> Answer | ExchangeError:
            return Answer(200, {}, b"x" * big.size) if sent.path.endswith(str(big.digest)) else inner(sent)

        field.network.hosts[MIRROR] = answer
        with pytest.raises(IntegrityError):
            field.pull("registry.example/team/app:v1", warn=told.append)
        assert told == ["the mirror mirror.example/proxy/team/app sent wrong bytes"]

    def test_a_mirror_that_falls_silent_is_not_asked_again(self, tmp_path: Path) -> None:
        field, told = Field(tmp_path, MIRRORED), list[str]()
        blobs = [
            field.stash.put("application/wasm", DATA),
            *(field.stash.put("text/plain", b"%d" % n) for n in range(9)),
        ]
        field.root = field.stash.manifest(*blobs)
        field.put(HOME, "team/app")
        field.put(MIRROR, "proxy/team/app")
        inner = field.cores[MIRROR]
        field.network.hosts[MIRROR] = lambda sent: (
            TimedOutError("mirror.example: silent") if "/blobs/" in sent.path else inner(sent)
        )
        source = field.connector(warn=told.append).source(Reference.parse("registry.example/team/app:v1"))
        root = source.resolve("v1")
        for blob in (root, *blobs):
            b"".join(source.fetch(blob))
        assert len([sent for sent in field.network.at(MIRROR) if "/blobs/" in sent.path]) == 1
        assert len(told) == 1

    @pytest.mark.parametrize("size", [10, 2 << 20])
    def test_a_mirror_that_lacks_a_blob_is_not_blamed_for_what_the_registry_sends(
        self, tmp_path: Path, size: int
    ) -> None:
        field, told = Field(tmp_path, MIRRORED), list[str]()
        blob = field.stash.put("application/wasm", bytes(size))
        field.root = field.stash.manifest(blob)
        field.put(HOME, "team/app")
        field.put(MIRROR, "proxy/team/app")

        def instead(place: str, answer: Answer) -> None:
            inner = field.cores[place]
            field.network.hosts[place] = lambda sent: answer if sent.path.endswith(str(blob.digest)) else inner(sent)

        instead(MIRROR, Answer(404))
        instead(HOME, Answer(200, {}, b"x" * size))
        with pytest.raises(IntegrityError):
            field.pull("registry.example/team/app:v1", warn=told.append)
        assert told == []

    @pytest.mark.parametrize("location", ["mirror example", "mirror.example/Upper", "mirror.example:99999", "[::1/x"])
    def test_a_mirror_whose_location_makes_no_reference_is_passed_over(self, tmp_path: Path, location: str) -> None:
        field, told = Field(tmp_path, MIRRORED.replace("mirror.example/proxy/team", location)), list[str]()
        field.put(FAR, "app")
        field.pull("registry.example/team/app:v1", warn=told.append)
        (text,) = told
        assert text.startswith("a mirror is passed over: ")
        assert location in text

    def test_what_the_location_itself_gave_is_not_looked_for_in_mirrors_that_lacked_it(self, tmp_path: Path) -> None:
        field, told = Field(tmp_path, MIRRORED), list[str]()
        field.put(HOME, "team/app")
        inner = field.cores[HOME]
        field.network.hosts[HOME] = lambda sent: Answer(403) if "/blobs/" in sent.path else inner(sent)
        with pytest.raises(AccessError, match=r"registry\.example/team/app"):
            field.pull("registry.example/team/app:v1", warn=told.append)
        assert told == []

    @pytest.mark.parametrize(
        ("setting", "by_tag", "by_digest"),
        [
            ("", True, True),
            ('pull-from-mirror = "all"', True, True),
            ('pull-from-mirror = "digest-only"', False, True),
            ('pull-from-mirror = "tag-only"', True, False),
        ],
    )
    def test_a_mirror_may_be_for_tags_or_for_digests(
        self, tmp_path: Path, setting: str, *, by_tag: bool, by_digest: bool
    ) -> None:
        conf = f'[[registry]]\nlocation="registry.example"\n[[registry.mirror]]\nlocation="mirror.example"\n{setting}\n'
        field = Field(tmp_path, conf)
        for host in (HOME, MIRROR):
            field.put(host, "app")
        for name, mirrored in ((":v1", by_tag), (f"@{field.root.digest}", by_digest)):
            field.network.sent.clear()
            connector, reference = field.connector(), Reference.parse(f"registry.example/app{name}")
            assert reference.identifier is not None
            connector.source(reference).resolve(reference.identifier)
            assert field.asked() == [MIRROR if mirrored else HOME]

    def test_mirrors_may_be_for_digests_only(self, tmp_path: Path) -> None:
        field = Field(
            tmp_path, MIRRORED.replace("[[registry.mirror]]", "mirror-by-digest-only = true\n[[registry.mirror]]", 1)
        )
        field.put(HOME, "team/app")
        field.pull("registry.example/team/app:v1")
        assert field.network.sent[0].origin == HOME

    def test_writing_goes_to_the_registry_that_was_named(self, tmp_path: Path) -> None:
        field = Field(tmp_path, MIRRORED)
        target = field.connector().repository(Reference.parse("registry.example/team/app:v1"), writes=True)
        copy(field.stash.target, field.root, target, "v1")
        assert field.asked() == [HOME]

    def test_credentials_that_were_given_go_to_the_registry_that_was_named_only(self, tmp_path: Path) -> None:
        field = Field(tmp_path, MIRRORED)
        field.put(HOME, "team/app")
        asking = Answer(401, {"WWW-Authenticate": 'Basic realm="x"'})
        inner = field.cores[HOME]

        def home(sent: Sent) -> Answer:
            found = inner(sent) if "authorization" in sent.headers else asking
            assert isinstance(found, Answer)
            return found

        field.network.hosts |= {HOME: home, MIRROR: lambda _: asking, FAR: lambda _: asking}
        field.pull("registry.example/team/app:v1", username="me", password="secret", headers={"X-Mine": "1"})
        for sent in field.network.sent:
            assert sent.origin == HOME or not {"authorization", "x-mine"} & set(sent.headers)

    def test_credentials_that_are_kept_for_a_mirror_are_used_there(self, tmp_path: Path) -> None:
        field = Field(tmp_path, MIRRORED)
        field.put(FAR, "app")
        inner = field.cores[FAR]

        def far(sent: Sent) -> Answer:
            if sent.headers.get("authorization") != "Bearer far":
                return Answer(401, {"WWW-Authenticate": 'Bearer realm="https://tokens.example/t"'})
            found = inner(sent)
            assert isinstance(found, Answer)
            return found

        field.network.hosts |= {FAR: far, "https://tokens.example": lambda _: token_answer("far")}
        auths = json.dumps({"auths": {"far.example": {"username": "me", "password": "x"}}})
        field.pull("registry.example/team/app:v1", environ={"DOCKER_AUTH_CONFIG": auths})
        assert field.network.at("https://tokens.example")[0].headers["authorization"].startswith("Basic ")


class TestRules:
    def test_the_longest_prefix_counts(self, tmp_path: Path) -> None:
        field = Field(
            tmp_path,
            """
            [[registry]]
            location = "registry.example"
            blocked = true
            [[registry]]
            prefix = "registry.example/team"
            location = "far.example/inside"
            [[registry]]
            prefix = "registry.example/team/app:v9"
            location = "mirror.example/nine/app:v9"
            """,
        )
        field.put(FAR, "inside/app")
        field.put(MIRROR, "nine/app", "v9")
        field.pull("registry.example/team/app:v1")
        assert field.asked() == [FAR]
        field.network.sent.clear()
        field.pull("registry.example/team/app:v9")
        assert field.asked() == [MIRROR]
        for blocked in ("registry.example/teams/app:v1", "registry.example/x:v1"):
            with pytest.raises(BlockedRegistryError, match="is blocked"):
                field.pull(blocked)
            with pytest.raises(BlockedRegistryError):
                field.connector().repository(Reference.parse(blocked), writes=True)

    @pytest.mark.parametrize(
        ("prefix", "reference", "fits"),
        [
            ("registry.example", "registry.example/a:v1", True),
            ("registry.example", "registry.example:5000/a:v1", False),
            ("registry.example:5000", "registry.example:5000/a:v1", True),
            ("registry.example", "registry.example.org/a:v1", False),
            ("registry.example/a", "registry.example/a:v1", True),
            ("registry.example/a", "registry.example/ab:v1", False),
            ("*.example.com", "a.example.com/x:v1", True),
            ("*.example.com", "a.b.example.com/x:v1", True),
            ("*.example.com", "example.com/x:v1", False),
            ("*.example.com", "aexample.com/x:v1", False),
            ("docker.io/library", "docker.io/alpine:3", True),
            ("docker.io", "docker.io/alpine:3", True),
        ],
    )
    def test_a_prefix_ends_where_a_part_of_the_name_does(
        self, tmp_path: Path, prefix: str, reference: str, *, fits: bool
    ) -> None:
        file = tmp_path / "r.conf"
        file.write_text(f'[[registry]]\nprefix = "{prefix}"\nlocation = "else.example/y"\n')
        rules = read_rules(find_conf_files({"CONTAINERS_REGISTRIES_CONF": str(file)}, tmp_path))
        assert (find_rule(rules, Reference.parse(reference)) is not None) == fits

    def test_a_wildcard_without_a_location_moves_nothing(self, tmp_path: Path) -> None:
        file = tmp_path / "r.conf"
        file.write_text('[[registry]]\nprefix = "*.example.com"\n[[registry.mirror]]\nlocation = "m.example/all"\n')
        (rule,) = read_rules(find_conf_files({"CONTAINERS_REGISTRIES_CONF": str(file)}, tmp_path))
        reference = Reference.parse("a.example.com/x/y:v1")
        assert [str(source.reference) for source in sources(rule, reference, print)] == [
            "m.example/all/x/y:v1",
            str(reference),
        ]

    def test_an_insecure_registry_is_asked_over_http_when_it_speaks_no_https(self, tmp_path: Path) -> None:
        field = Field(tmp_path, '[[registry]]\nlocation = "registry.example"\ninsecure = true\n')
        field.put(HOME, "app")
        field.pull("registry.example/app:v1")
        assert field.asked() == [HOME]
        field.network.hosts["http://registry.example"] = field.network.hosts.pop(HOME)
        field.network.sent.clear()
        field.pull("registry.example/app:v1")
        assert field.asked() == [HOME, "http://registry.example"]

    def test_files_of_the_user_and_drop_ins(self, tmp_path: Path) -> None:
        folder = tmp_path / ".config/containers"
        (folder / "registries.conf.d").mkdir(parents=True)
        (folder / "registries.conf").write_text('[[registry]]\nlocation = "a.example"\n')
        (folder / "registries.conf.d/50-b.conf").write_text('[[registry]]\nlocation = "b.example"\n')
        (folder / "registries.conf.d/60-a.conf").write_text('[[registry]]\nlocation = "a.example"\nblocked = true\n')
        rules = {rule.prefix: rule for rule in read_rules(find_conf_files({}, tmp_path))}
        assert {name for name in rules if name.endswith(".example")} == {"a.example", "b.example"}
        assert rules["a.example"].blocked
        elsewhere = tmp_path / "x/containers"
        elsewhere.mkdir(parents=True)
        (elsewhere / "registries.conf").write_text('[[registry]]\nlocation = "c.example"\n')
        found = read_rules(find_conf_files({"XDG_CONFIG_HOME": str(tmp_path / "x")}, tmp_path))
        assert [rule.prefix for rule in found if rule.prefix.endswith(".example")] == ["c.example"]

    @pytest.mark.parametrize("value", ["off", "OFF", ""])
    def test_it_can_be_switched_off(self, tmp_path: Path, value: str) -> None:
        field = Field(tmp_path, '[[registry]]\nlocation = "registry.example"\nblocked = true\n')
        field.put(HOME, "app")
        field.pull("registry.example/app:v1", environ={"WASM2OCI_REGISTRIES_CONF": value})

    @pytest.mark.parametrize(
        "text",
        [
            "[[registry]]\n",
            "[[registry]]\nlocation = 1\n",
            '[[registry]]\nlocation = "https://registry.example"\n',
            '[[registry]]\nlocation = "registry.example"\nblocked = "yes"\n',
            '[[registry]]\nlocation = "registry.example"\nmirror = "x"\n',
            '[[registry]]\nlocation = "registry.example"\n[[registry.mirror]]\n',
            '[[registry]]\nlocation = "a.example"\n[[registry.mirror]]\nlocation="m"\npull-from-mirror="never"\n',
            "[[registry]\n",
            "registry = 1\n",
            pytest.param(f"registry = {'[' * 5000}", id="deep"),
            pytest.param(f"registry = {'1' * 5000}", id="number"),
            pytest.param(f'[[registry]]\nlocation = "registry.example"\n{"#" * (1 << 20)}', id="large"),
        ],
    )
    def test_a_malformed_file_is_named(self, tmp_path: Path, text: str) -> None:
        field = Field(tmp_path, text)
        with pytest.raises(RegistriesConfError, match=str(field.file)) as caught:
            field.pull("registry.example/app:v1")
        assert "WASM2OCI_REGISTRIES_CONF=off" in (caught.value.hint or "")

    def test_a_pipe_among_the_drop_ins_holds_nothing_up(self, tmp_path: Path) -> None:
        folder = tmp_path / ".config/containers/registries.conf.d"
        folder.mkdir(parents=True)
        os.mkfifo(folder / "50-a.conf")
        with pytest.raises(LocalIOError, match=r"50-a\.conf"):
            read_rules(find_conf_files({}, tmp_path))


def test_rules_that_cannot_be_seen_are_not_passed_over() -> None:
    """They may block a registry. A name that is too long fails like a closed folder (`HOME=/root` of another user)."""
    with pytest.raises(LocalIOError, match="cannot see") as caught:
        read_rules(find_conf_files({}, Path("/" + "a" * 300)))
    assert "WASM2OCI_REGISTRIES_CONF=off" in (caught.value.hint or "")
    assert read_rules(find_conf_files({"WASM2OCI_REGISTRIES_CONF": "off"}, Path("/" + "a" * 300))) == ()


def test_drop_ins_that_cannot_be_listed_are_not_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / ".config/containers"
    folder.mkdir(parents=True)
    (folder / "registries.conf.d").symlink_to("registries.conf.d")
    with pytest.raises(LocalIOError, match=r"registries\.conf\.d"):
        read_rules(find_conf_files({}, tmp_path))


def test_a_home_folder_that_cannot_be_looked_into_holds_no_certificates_and_no_notes() -> None:
    home = Path("/" + "a" * 300)
    settings, origin = TlsSettings(), Origin.at("https", "registry.example")
    assert settings.at(origin, {}, home) == settings
    assert FoundOut(home, time.time).challenge(origin) is None
