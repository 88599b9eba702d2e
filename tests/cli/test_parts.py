"""Attached files, what refers to what, blobs, manifests and the cache: in registries, a layout and an archive."""

from __future__ import annotations

import io
import json
import os
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.support import invoke
from tests.cli.transcripts import HELLO
from tests.support.docker_registry import docker_registry, missing_reason
from tests.support.registry_server import registry_server
from wasm2oci import Client
from wasm2oci.client import MANIFEST_MAX
from wasm2oci.oci.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.support import Ran

TYPE = "application/vnd.example.report"


@dataclass(frozen=True)
class Place:
    """Somewhere that artifacts are, and a folder to work in."""

    name: str
    folder: Path

    def __call__(self, line: str, *, fails: int = 0, stdin: bytes = b"") -> Ran:
        """Run `wasm2oci` there; `APP` stands for a repository. It must end in this exit code."""
        words = shlex.split(line.replace("APP", self.name))
        ran = invoke(*words, cwd=self.folder, env={"HOME": str(self.folder / "home")}, stdin=stdin)
        assert ran.code == fails, ran.stderr
        return ran

    def json(self, line: str) -> Any:
        """The document that a command prints."""
        return json.loads(self(f"{line} --format json").stdout)


@pytest.fixture(params=["serve", pytest.param("docker-registry", marks=pytest.mark.registry), "layout", "archive"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    (tmp_path / "one.wasm").write_bytes(HELLO)
    (tmp_path / "report.json").write_text('{"ok": true}')
    if request.param == "serve":
        with registry_server() as registry:
            yield pushed(Place(f"{registry.address}/a/app", tmp_path))
    elif request.param == "docker-registry":
        if (reason := missing_reason()) is not None:
            pytest.skip(reason)
        with docker_registry(tmp_path / "registry") as other:
            yield pushed(Place(f"{other.host}/a/app", tmp_path))
    else:
        yield pushed(Place("oci-layout:out" if request.param == "layout" else "oci-archive:out.tar", tmp_path))


def pushed(place: Place) -> Place:
    place("push one.wasm APP:v1")
    return place


def test_files_are_attached_found_and_taken_along(place: Place) -> None:
    done = place.json(f"attach APP:v1 --artifact-type {TYPE} report.json:application/json -a by=me")
    assert done["subject"]["digest"] == place.json("resolve APP:v1")["manifest"]["digest"]
    assert [(file["mediaType"], file["annotations"]) for file in done["files"]] == [
        ("application/json", {"org.opencontainers.image.title": "report.json"})
    ]
    again = place.json(f"attach APP:v1 --artifact-type {TYPE} report.json:application/json -a by=me")
    assert again["manifest"]["digest"] == done["manifest"]["digest"]
    nested = place.json(f"attach {done['pinned']} --artifact-type {TYPE}.note -a text=seen")
    found = place.json("discover APP:v1")["referrers"]
    assert [(one["depth"], one["manifest"]["digest"], one["manifest"]["artifactType"]) for one in found] == [
        (1, done["manifest"]["digest"], TYPE),
        (2, nested["manifest"]["digest"], f"{TYPE}.note"),
    ]
    assert found[0]["manifest"]["annotations"] == {"by": "me"}
    assert len(place.json("discover APP:v1 --depth 1")["referrers"]) == 1
    assert place.json(f"discover APP:v1 --artifact-type {TYPE}.note")["referrers"] == []
    lines = place("discover APP:v1").stdout.splitlines()
    assert lines[1].startswith(f"  {TYPE}  sha256:")
    assert lines[2].startswith(f"    {TYPE}.note  sha256:")
    place("copy -r APP:v1 oci-layout:taken:v1")
    assert len(place.json("discover oci-layout:taken:v1")["referrers"]) == 2
    place(f"pull {done['pinned']} --force -o back.json", fails=8)  # it holds no module, and says so
    layer = done["files"][0]["digest"]
    place(f"blob get APP@{layer} -o back.json")
    assert (place.folder / "back.json").read_text() == '{"ok": true}'


@pytest.mark.parametrize(
    ("line", "message", "code"),
    [
        ("attach APP:v1 --artifact-type nonsense", "not a media type", 3),
        ("attach APP:v1 none.json", "none.json", 4),
        ("attach APP:none report.json", "none", 4),
        ("attach APP:v1 -a novalue", "not an annotation", 3),
        ("blob get APP:v1", "has no digest", 2),
        ("blob get APP", "has no digest", 2),
        (f"blob get APP@sha256:{'0' * 64}", f"sha256:{'0' * 64}", 4),
        (f"blob head APP@sha256:{'0' * 64}", f"sha256:{'0' * 64}", 4),
        ("blob put APP", "put needs FILE", 2),
        (f"blob put APP@sha256:{'0' * 64} one.wasm", "nothing was pushed", 6),
        ("blob delete APP@sha256:x --yes", "is not 64 lowercase hex digits", 3),
        (f"blob delete APP@sha256:{'0' * 64}", "needs a confirmation", 2),
        ("manifest put APP:v2 one.wasm", "manifest is not valid JSON", 3),
        ("manifest get APP:none", "none", 4),
        ("manifest fetch APP:v1", "'fetch' is not one of get, config, head, put, delete", 2),
    ],
)
def test_what_cannot_be_done_is_refused(place: Place, line: str, message: str, code: int) -> None:
    ran = place(line, fails=code)
    assert message in ran.stderr


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("blob head x@sha256:x -o f", "--output is for get, not for head"),
        ("blob get x@sha256:x --yes", "--yes is for delete, not for get"),
        ("blob get x@sha256:x f", "FILE is for put, not for get"),
        ("manifest get x:v1 -y", "--yes is for delete, not for get"),
        ("manifest put x:v1 f --platform a/b", "--platform is for get, config and head, not for put"),
        ("manifest delete x:v1 --no-overwrite", "--no-overwrite is for put, not for delete"),
        ("manifest head x:v1 --media-type a/b", "--media-type is for put, not for head"),
        ("manifest put x:v1", "put needs FILE"),
        ("cache --limit 1G", "--limit is for prune, not for show"),
        ("key generate x", "KEY is for import and public, not for generate"),
        ("key import", "import needs KEY"),
        ("key public --force x", "--force is for generate and import, not for public"),
        ("key public x -o y", "--output-prefix is for generate and import, not for public"),
        ("policy import --policy x f", "--policy is for check and explain, not for import"),
    ],
)
def test_an_option_of_another_action_is_refused(tmp_path: Path, line: str, message: str) -> None:
    ran = invoke(*line.split(), cwd=tmp_path, env={"HOME": str(tmp_path)})
    assert (ran.code, message in ran.stderr) == (2, True), ran.stderr


def test_a_setting_for_other_actions_is_no_reason_to_refuse(tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path), "WASM2OCI_PLATFORM": "wasi/wasm"}
    (tmp_path / "not.json").write_text("not JSON")
    ran = invoke("manifest", "put", "oci-layout:out:v1", "not.json", cwd=tmp_path, env=env)
    assert "manifest is not valid JSON" in ran.stderr


def test_a_manifest_that_is_too_large_is_not_read_whole(tmp_path: Path) -> None:
    (tmp_path / "large.json").write_bytes(bytes(MANIFEST_MAX + 1))
    for file, stdin in (("large.json", b""), ("-", bytes(MANIFEST_MAX + 9))):
        ran = invoke("manifest", "put", "oci-layout:out:v1", file, cwd=tmp_path, env={"HOME": "/"}, stdin=stdin)
        assert ran.code == 3
        assert f"{MANIFEST_MAX:,}" in ran.stderr


def test_blobs_go_in_and_out_by_digest(place: Place) -> None:
    data = os.urandom(300_000)
    (place.folder / "data").write_bytes(data)
    digest = Digest.of(data)
    put = place.json("blob put APP data")
    assert (put["blob"]["digest"], put["existed"]) == (str(digest), False)
    # The blob is there; a registry may look for it anew.
    assert place.json("blob head APP@" + str(digest))["blob"]["size"] == len(data)
    assert place.json("blob put APP data")["existed"]
    assert place(f"blob get APP@{digest}").stdout_bytes == data
    place(f"blob get APP@{digest} -o copy -q")
    assert (place.folder / "copy").read_bytes() == data
    assert place("blob put APP - -q", stdin=b"from a pipe").stdout.strip() == str(Digest.of(b"from a pipe"))
    place(f"blob delete APP@{digest} --yes")
    place(f"blob get APP@{digest}", fails=4)


def test_manifests_and_configs_are_bytes(place: Place) -> None:
    raw = place("manifest get APP:v1").stdout_bytes
    descriptor = place.json("manifest head APP:v1")["manifest"]
    assert (str(Digest.of(raw)), len(raw)) == (descriptor["digest"], descriptor["size"])
    document = json.loads(raw)
    config = place("manifest config APP:v1").stdout_bytes
    assert str(Digest.of(config)) == document["config"]["digest"]
    document["annotations"] = {"changed": "yes"}
    (place.folder / "new.json").write_text(json.dumps(document))
    put = place.json("manifest put APP:v2,v3 new.json")
    assert put["tags"] == ["v2", "v3"]
    assert place("manifest get APP:v3").stdout_bytes == (place.folder / "new.json").read_bytes()
    place("manifest put APP:v1 new.json --no-overwrite", fails=6)
    place(f"manifest put APP@{descriptor['digest']} new.json", fails=6)
    place("manifest put APP:v4 - -q", stdin=raw)
    assert place("resolve APP:v4").stdout.strip() == descriptor["digest"]
    place("manifest delete APP:v3 --yes")
    place("manifest get APP:v3", fails=4)
    place("pull APP:v1 -o back.wasm")


def test_the_cache_is_shown_listed_and_made_smaller(tmp_path: Path) -> None:
    (tmp_path / "one.wasm").write_bytes(HELLO)
    env = {"HOME": str(tmp_path / "home"), "WASM2OCI_CACHE": str(tmp_path / "store")}

    def run(line: str, fails: int = 0) -> Ran:
        ran = invoke(*line.split(), cwd=tmp_path, env=env)
        assert ran.code == fails, ran.stderr
        return ran

    assert json.loads(run("cache --format json").stdout)["blobs"] == 0
    assert run("cache clear -q").stdout.strip() == "0"
    with registry_server() as registry:
        run(f"push one.wasm {registry.address}/a/app:v1")
        run(f"pull {registry.address}/a/app:v1 -o back.wasm")
    state = json.loads(run("cache show --format json").stdout)
    assert state["blobs"] >= 1
    assert state["size"] >= len(HELLO)
    listed = json.loads(run("cache ls --format json").stdout)["blobs"]
    assert str(Digest.of(HELLO)) in {blob["digest"] for blob in listed}
    assert sum(blob["size"] for blob in listed) == state["size"]
    assert json.loads(run("cache prune --limit 1GiB --format json").stdout)["size"] == state["size"]
    (tmp_path / "store" / "code").mkdir()
    (tmp_path / "store" / "code" / "made").write_bytes(bytes(77))
    assert json.loads(run("cache --format json").stdout)["codeSize"] == 77
    assert "Limit:" in run("cache").stdout
    cleared = json.loads(run("cache clear --format json").stdout)
    assert cleared["size"] == 0
    assert cleared["removed"] >= state["size"] + 77
    listed_none = run("cache ls")
    assert (listed_none.stdout, listed_none.stderr) == ("", "the cache is empty\n")
    assert run("cache ls -q").stderr == ""
    assert json.loads(run("cache ls --format json").stdout) == {"blobs": []}
    none_kept = run("whoami")
    assert (none_kept.stdout, "no credentials are stored" in none_kept.stderr) == ("", True)
    assert "prune needs --limit" in run("cache prune", 2).stderr
    assert "is not a size" in run("cache prune --limit much", 2).stderr


def test_the_library_attaches_and_moves_parts(tmp_path: Path) -> None:
    with Client(environ={"HOME": str(tmp_path)}) as client:
        name = f"oci-layout:{tmp_path}/out"
        client.push(HELLO, f"{name}:v1", title="a.wasm")
        blob = client.put_blob(b"some bytes", name)
        stream = io.BytesIO()
        client.get_blob(blob.reference, stream)
        assert stream.getvalue() == b"some bytes"
        assert client.get_blob(blob.reference).blob.size == 10
        attached = client.attach(f"{name}:v1", "a/b", annotations={"x": "y"})
        assert [one.manifest.digest for one in client.discover(f"{name}:v1").referrers] == [attached.manifest.digest]
        config = json.loads(client.config(f"{name}:v1"))
        assert (config["os"], config["architecture"]) == ("wasip1", "wasm")
        client.delete_blob(blob.reference)


def test_what_cosign_keeps_under_tags_is_listed_and_copied_and_named_when_its_subject_goes(place: Place) -> None:
    """oras#2148, ocx#392: `.att` and `.sbom` as well as `.sig`, for each command that looks at what refers to what."""
    subject = Digest.parse(place("resolve APP:v1 -q").stdout.strip())
    kinds = {"sig": "application/x-signature", "att": "application/vnd.dsse.envelope.v1+json", "sbom": "text/spdx+json"}
    tags = {ending: f"{subject.algorithm}-{subject.encoded}.{ending}" for ending in kinds}
    for ending, kind in kinds.items():
        (place.folder / "part").write_text(ending)
        (place.folder / "empty").write_text("{}")
        part, config = (place(f"blob put APP {name} -q").stdout.strip() for name in ("part", "empty"))
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 2},
            "layers": [{"mediaType": kind, "digest": part, "size": len(ending)}],
        }
        (place.folder / "manifest.json").write_text(json.dumps(manifest))
        place(f"manifest put APP:{tags[ending]} manifest.json")
    found = {one["tag"]: one["manifest"]["artifactType"] for one in place.json("discover APP:v1")["referrers"]}
    assert found == {tags[ending]: kind for ending, kind in kinds.items()}
    assert tags["sbom"] in place("discover APP:v1 --artifact-type text/spdx+json").stdout
    assert tags["sig"] not in place("discover APP:v1 --artifact-type text/spdx+json").stdout
    assert "text/spdx+json" in place("tree APP:v1").stdout
    assert "text/spdx+json" in place("inspect APP:v1").stdout
    would = place.json("copy -n -r APP:v1 oci-layout:there:v1")
    assert sorted(would["along"]) == sorted(tags.values())
    assert would["copied"] == 3 + 3 * 2 + 1  # one config for all of them
    assert "along" in place.json("copy APP:v1 oci-layout:without:v1")
    copied = place("copy -r APP:v1 oci-layout:there:v1").stdout
    assert all(tag in copied for tag in tags.values())
    assert set(place("tags -a oci-layout:there").stdout.split()) == {"v1", *tags.values()}
    removed = place.json("delete APP:v1 -y")
    assert sorted(removed["left"]) == sorted(tags.values())
    named = place("delete oci-layout:there:v1 -y").stdout
    assert all(tag in named for tag in tags.values())


def test_a_limit_of_the_cache_has_a_unit_and_what_goes_is_said_before(tmp_path: Path) -> None:
    """`--limit 1000` was read as 1,000 bytes, and removed all of a cache that its user wanted to limit to 1,000 MB."""
    blobs = tmp_path / "cache" / "wasm2oci" / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for number in range(3):
        data = bytes([number]) * 1000
        path = blobs / Digest.of(data).encoded
        path.write_bytes(data)
        os.utime(path, (number, number))
    environ = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    refused = invoke("cache", "prune", "--limit", " 1000", cwd=tmp_path, env=environ)
    assert (refused.code, len(list(blobs.iterdir()))) == (2, 3)
    assert "'1000' has no unit" in refused.stderr
    assert "hint: write 1000MiB, or 1000B if you mean bytes" in refused.stderr
    endless = invoke("cache", "prune", "--limit", "9" * 5000, cwd=tmp_path, env=environ)
    assert endless.code == 2
    for limit, gone, left in (("2KiB", 1, 2), ("1GiB", 0, 3), ("0", 3, 0)):
        told = invoke("cache", "prune", "-n", "--limit", limit, cwd=tmp_path, env=environ).stdout
        assert f"Would remove: {gone} blob{'' if gone == 1 else 's'} ({1000 * gone:,} bytes)" in told
        assert len(list(blobs.iterdir())) == 3
        assert f"{1000 * left:,} bytes" in told
    assert "Would remove: 3 blobs" in invoke("cache", "clear", "--dry-run", cwd=tmp_path, env=environ).stdout
    removed = invoke("cache", "prune", "--limit", "1000B", "--format", "json", cwd=tmp_path, env=environ)
    document = json.loads(removed.stdout)
    assert (document["removed"], document["blobs"], document["size"], document["dryRun"]) == (2000, 2, 1000, False)
    assert [path.stat().st_mtime for path in blobs.iterdir()] == [2]
