"""Copies of several tags, what a copy would do, and tags that are not overwritten: our registry, and another."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.support import invoke
from tests.cli.transcripts import HELLO
from tests.support.docker_registry import docker_registry, missing_reason
from tests.support.registry_server import registry_server
from wasm2oci.content.copy import WORKERS
from wasm2oci.content.layout import OciLayout
from wasm2oci.content.verify import BytesContent
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import Descriptor
from wasm2oci.oci.digest import Digest
from wasm2oci.oci.wire import ARTIFACT_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.support import Ran

OTHER = HELLO[:-2] + b"\x2b\x0b"
"""The same module, with another number in it."""


@dataclass(frozen=True)
class Place:
    """A registry, and a folder to work in."""

    host: str
    folder: Path

    def __call__(self, line: str, *, fails: int = 0) -> Ran:
        """Run `wasm2oci` there; `R/` stands for the registry. It must end in this exit code."""
        words = [word.replace("R/", f"{self.host}/") for word in line.split()]
        ran = invoke(*words, cwd=self.folder, env={"HOME": str(self.folder / "home")})
        assert ran.code == fails, ran.stderr
        return ran

    def json(self, line: str) -> Any:
        """The document that a command prints."""
        return json.loads(self(f"{line} --format json").stdout)

    def tags(self, repository: str) -> list[str]:
        """The tags of a repository, those of signatures too."""
        return self(f"tags --all {repository}").stdout.split()


@pytest.fixture(params=["serve", pytest.param("docker-registry", marks=pytest.mark.registry)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    (tmp_path / "one.wasm").write_bytes(HELLO)
    (tmp_path / "two.wasm").write_bytes(OTHER)
    if request.param == "serve":
        with registry_server() as registry:
            yield filled(Place(registry.address, tmp_path))
        return
    if (reason := missing_reason()) is not None:
        pytest.skip(reason)
    with docker_registry(tmp_path / "registry") as other:
        yield filled(Place(other.host, tmp_path))


def filled(place: Place) -> Place:
    place("push one.wasm R/a/app:v1,v1.1,latest")
    place("push two.wasm R/a/app:v2")
    return place


def test_every_tag_of_a_repository_is_copied_and_copying_again_moves_nothing(place: Place) -> None:
    done = place.json("copy --all R/a/app R/b/app")
    assert [(one["tag"], one["state"]) for one in done["tags"]] == [
        ("latest", "new"),
        ("v1", "new"),
        ("v1.1", "new"),
        ("v2", "new"),
    ]
    assert place.tags("R/b/app") == ["latest", "v1", "v1.1", "v2"]
    assert place("resolve R/b/app:v2").stdout == place("resolve R/a/app:v2").stdout
    again = place.json("copy --all R/a/app R/b/app")
    assert {one["state"] for one in again["tags"]} == {"same"}


def test_tags_that_match_are_copied_into_a_layout(place: Place) -> None:
    done = place.json("copy --tags v1* --tags lat?st R/a/app oci-layout:out --concurrency 1")
    assert [one["tag"] for one in done["tags"]] == ["latest", "v1", "v1.1"]
    assert done["transferredBytes"] > len(HELLO)
    assert sorted(OciLayout(place.folder / "out").tags()) == ["latest", "v1", "v1.1"]
    back = place.json("copy --all oci-layout:out R/c/app")
    assert [one["state"] for one in back["tags"]] == ["new"] * 3


def test_tags_made_from_a_digest_are_copied_only_when_the_pattern_begins_like_them(place: Place) -> None:
    digest = place("resolve R/a/app:v1 -q").stdout.strip()
    made = digest.replace(":", "-")
    place(f"tag R/a/app:v1 {made} sha-1a2b3c4")
    for pattern, copied in (("sha*", ["sha-1a2b3c4"]), ("*-*", ["sha-1a2b3c4"]), ("sha256-*", [made]), (made, [made])):
        done = place.json(f"copy --dry-run --tags {pattern} R/a/app R/c/app")
        assert [one["tag"] for one in done["tags"]] == copied, pattern
    place("copy --dry-run --tags sha512-* R/a/app R/c/app", fails=4)


def test_the_help_names_the_limits_of_the_library() -> None:
    text = invoke("copy", "--help").stdout
    assert f"[default: {WORKERS}]" in text
    assert f"[default: {ARTIFACT_MAX >> 30}GiB]" in " ".join(text.split())


def test_a_dry_run_says_what_would_be_done_and_does_nothing(place: Place) -> None:
    plan = place.json("copy --dry-run --all R/a/app oci-layout:out")
    assert (plan["dryRun"], plan["copied"], plan["existed"]) == (True, 6, 0)
    assert not (place.folder / "out").exists()
    place("copy R/a/app:v1 R/b/app:v2")
    plan = place.json("copy -n --all R/a/app R/b/app")
    assert {one["tag"]: one["state"] for one in plan["tags"]} == {
        "latest": "new",
        "v1": "new",
        "v1.1": "new",
        "v2": "moved",
    }
    assert (plan["copied"], plan["existed"]) == (3, 3)
    one = place.json("copy -n R/a/app:v2 R/b/app")
    assert [(each["tag"], each["state"]) for each in one["tags"]] == [("v2", "moved")]
    assert place.tags("R/b/app") == ["v2"]
    text = place("copy -n --all R/a/app R/b/app").stdout
    assert "Would copy:" in text
    assert "Parts:      3 to copy, 3 there" in text


def test_tags_that_are_taken_are_kept_when_they_are_not_to_be_overwritten(place: Place) -> None:
    place("copy R/a/app:v2 R/b/app:v1")
    refused = place("copy --no-overwrite R/a/app:v1 R/b/app:v1", fails=6)
    assert "/b/app:v1 already names sha256:" in refused.stderr
    place("copy --no-overwrite R/a/app:v2 R/b/app:v1")  # it means the same
    done = place.json("copy --no-overwrite --all R/a/app R/b/app")
    assert {one["tag"]: one["state"] for one in done["tags"]} == {
        "latest": "new",
        "v1": "kept",
        "v1.1": "new",
        "v2": "new",
    }
    assert place("resolve R/b/app:v1").stdout == place("resolve R/a/app:v2").stdout


def test_push_does_not_overwrite_a_tag_unless_it_may(place: Place) -> None:
    place("push --no-overwrite one.wasm R/a/app:v1")  # the same bytes
    refused = place("push --no-overwrite two.wasm R/a/app:v3,v1", fails=6)
    assert "/a/app:v1 already names" in refused.stderr
    assert "v3" not in place.tags("R/a/app")
    place("push --no-overwrite two.wasm R/a/app:v3")
    place("push --no-overwrite two.wasm oci-layout:out:v1")
    place("push --no-overwrite one.wasm oci-layout:out:v1", fails=6)


def test_a_copy_gets_several_tags(place: Place) -> None:
    done = place.json("copy R/a/app:v1 R/b/app:1,1.0,stable")
    assert done["tags"] == ["1", "1.0", "stable"]
    assert place.tags("R/b/app") == ["1", "1.0", "stable"]
    assert "/b/app:1.0" in place("copy R/a/app:v1 R/b/app:1,1.0").stdout


def test_signatures_travel_with_all_tags(place: Place) -> None:
    env = {"HOME": str(place.folder / "home"), "COSIGN_PASSWORD": "x"}
    assert invoke("key", "generate", cwd=place.folder, env=env).code == 0
    words = ("sign", f"{place.host}/a/app:v1", "--key", "cosign.key")
    assert invoke(*words, cwd=place.folder, env=env).code == 0
    place("copy --all R/a/app R/b/plain")
    place("copy --all -r R/a/app R/b/whole")
    place("verify R/b/plain:v1 --key cosign.pub", fails=6)
    place("verify R/b/whole:v1 --key cosign.pub")
    place("verify R/b/whole:latest --key cosign.pub")


def test_one_entry_of_an_index_is_copied_and_resolved(place: Place) -> None:
    layout = OciLayout.create(place.folder / "multi")
    for name, file in (("one", "one.wasm"), ("two", "two.wasm")):
        place(f"push {file} oci-layout:multi:{name}")
    entries = []
    for name, architecture in (("one", "amd64"), ("two", "arm64")):
        entry = layout.resolve(name).to_json()
        entries.append({**entry, "platform": {"os": "linux", "architecture": architecture}})
    raw = json.dumps({"schemaVersion": 2, "mediaType": mt.OCI_INDEX, "manifests": entries}).encode()
    layout.push(Descriptor(mt.OCI_INDEX, Digest.of(raw), len(raw)), BytesContent(raw), tag="all")
    place("copy oci-layout:multi:all R/m/app:all")
    place("copy oci-layout:multi:all R/m/app:arm --platform linux/arm64")
    two = str(layout.resolve("two").digest)
    assert place("resolve R/m/app:arm").stdout.strip() == two
    place("copy R/m/app:all R/m/app:none --platform linux/s390x", fails=8)
    assert place("resolve R/m/app:all --platform linux/arm64").stdout.strip() == two


def test_pull_keeps_old_files_when_it_should(place: Place) -> None:
    place("pull R/a/app:v1 -o out.wasm")
    place("pull R/a/app:v1 -o out.wasm --keep-old")  # the same bytes
    refused = place("pull R/a/app:v2 -o out.wasm --keep-old-files --force", fails=9)
    assert "out.wasm already exists" in refused.stderr
    assert "leave --keep-old out" in refused.stderr
    assert "--force" not in refused.stderr
    (place.folder / "two.wasm").write_bytes(HELLO)
    assert "leave --keep-old out" in place("pull R/a/app:v2 --keep-old", fails=9).stderr
    assert (place.folder / "out.wasm").read_bytes() == HELLO
    place("pull R/a/app:v2 -o out.wasm")
    assert (place.folder / "out.wasm").read_bytes() == OTHER


@pytest.mark.parametrize(
    ("line", "message", "code"),
    [
        ("copy --all --tags x R/a/app R/b/app", "--all and --tags cannot be combined", 2),
        ("copy --all R/a/app R/b/app:v1", "is one artifact, and several tags are copied", 2),
        ("copy --tags nothing* R/a/app R/b/app", "has no tag that matches nothing*", 4),
        ("copy R/a/app R/b/app", "names neither a tag nor a digest", 2),
        ("copy --all R/a/none R/b/app", "", 4),
        ("copy R/a/app:v1 R/b/app:v1,-x", "tag is malformed", 3),
    ],
)
def test_what_cannot_be_copied_is_refused(place: Place, line: str, message: str, code: int) -> None:
    assert message in place(line, fails=code).stderr
