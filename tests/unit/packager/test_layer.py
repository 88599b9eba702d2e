"""The layer that a module becomes: an archive that every reader takes, and that is the same everywhere and always."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.artifacts import WASM, component
from wasm2oci.content.verify import FileContent
from wasm2oci.errors import IntegrityError
from wasm2oci.oci.descriptor import TITLE, Descriptor
from wasm2oci.oci.digest import Hasher
from wasm2oci.packager.annotations import Annotations
from wasm2oci.packager.build import ArtifactLabels, build
from wasm2oci.packager.layer import image_layer, plugin_layer, raw_layer
from wasm2oci.packager.module_source import Kind, ModuleSource
from wasm2oci.packager.profiles import PROFILES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wasm2oci.oci.manifest import Manifest

BLOCK = 0xFFFF


class Cut:
    """Bytes that come in pieces of these sizes, and the rest at once."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self.data = data
        self.sizes = sizes

    def __iter__(self) -> Iterator[bytes]:
        at = 0
        for size in self.sizes:
            yield self.data[at : at + size]
            at += size
        yield self.data[at:]


def module(data: bytes, sizes: list[int] | None = None) -> ModuleSource:
    descriptor = Descriptor.of("application/octet-stream", data)
    return ModuleSource(Cut(data, sizes or []), descriptor, Kind.MODULE)


def config_of(
    profile: str, data: bytes = WASM, *, title: str | None = None, author: str | None = None
) -> dict[str, object]:
    labels = ArtifactLabels(title=title, author=author)
    artifact = build(ModuleSource.of_bytes(data), PROFILES[profile], labels)
    made = b"".join(artifact.target().fetch(artifact.manifest.config))
    value: dict[str, object] = json.loads(made)
    return value


def test_a_raw_layer_is_the_module() -> None:
    source = module(WASM)
    layer = raw_layer(source, "a.wasm")
    assert (layer.descriptor, layer.content, layer.diff_id) == (source.descriptor, source.content, None)


# What is left over of a block and of the archive's padding, and a file of several blocks.
@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, BLOCK - 1536, BLOCK - 1535, BLOCK, 2 * BLOCK - 1536, 700_000])
def test_an_archive_holds_the_module_as_an_executable_file_without_date_and_owner(size: int) -> None:
    data = (WASM * (size // len(WASM) + 1))[:size]
    layer = image_layer(module(data), "app.wasm")
    whole = b"".join(layer.content)
    assert layer.descriptor.digest == Hasher().consume([whole]).digest()
    assert layer.descriptor.size == len(whole) < size + 4096
    plain = gzip.decompress(whole)
    assert layer.diff_id == Hasher().consume([plain]).digest()
    with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
        (entry,) = archive.getmembers()
        assert (entry.name, entry.size, entry.mode) == ("app.wasm", size, 0o755)
        assert (entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname) == (0, 0, 0, "", "")
        held = archive.extractfile(entry)
        assert held is not None
        assert held.read() == data


@given(st.lists(st.integers(0, 200_000), max_size=6), st.integers(0, 300_000))
def test_an_archive_does_not_depend_on_how_the_module_is_read(sizes: list[int], size: int) -> None:
    data = (bytes(range(251)) * (size // 251 + 1))[:size]  # no two pieces of a block are alike
    assert image_layer(module(data, sizes), "a.wasm").descriptor == image_layer(module(data), "a.wasm").descriptor


@pytest.mark.parametrize("name", ["m.wasm", "\u00e9\u4e2d.wasm", "n" * 195 + ".wasm", "\u00e9" * 97 + ".wasm"])
def test_the_file_has_the_name_that_is_given(name: str) -> None:
    plain = gzip.decompress(b"".join(image_layer(module(WASM), name).content))
    with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
        assert archive.getnames() == [name]


def test_a_plugin_is_always_called_what_proxies_look_for() -> None:
    assert plugin_layer(module(WASM), "mine.wasm").file == "plugin.wasm"
    assert plugin_layer(module(WASM), "mine.wasm").descriptor == image_layer(module(WASM), "plugin.wasm").descriptor


@pytest.mark.parametrize("now", [WASM + b"\0", WASM[:-1], WASM[:-1] + b"!"], ids=["grown", "cut", "changed"])
def test_a_file_that_changes_meanwhile_becomes_no_layer(tmp_path: Path, now: bytes) -> None:
    """One that had been cut became a gzip stream without its end, whose digest was right."""
    path = tmp_path / "m.wasm"
    source = ModuleSource(FileContent(path), Descriptor.of("x/y", WASM), Kind.MODULE)
    path.write_bytes(WASM)
    layer = image_layer(source, "m.wasm")
    path.write_bytes(now)
    with pytest.raises(IntegrityError):
        image_layer(source, "m.wasm")
    with pytest.raises(IntegrityError):
        b"".join(layer.content)


def test_a_file_that_grows_meanwhile_is_not_read_into_memory(tmp_path: Path) -> None:
    path = tmp_path / "m.wasm"
    path.write_bytes(WASM)
    layer = image_layer(ModuleSource(FileContent(path), Descriptor.of("x/y", WASM), Kind.MODULE), "m.wasm")
    path.write_bytes(WASM + bytes(5 << 20))
    received: list[bytes] = []
    with pytest.raises(IntegrityError):
        received.extend(layer.content)
    assert sum(map(len, received)) <= layer.descriptor.size


@pytest.mark.parametrize(
    ("profile", "digest"),
    [
        ("image", "fb2bb0ee72f7a9d93d7e0187b21f7241dc268b025ba1787442dedb306ecdca76"),
        ("istio", "13ef98f5b620150b0a301e418b081957ee8f275b57472ec130bd5bf33d6f7e3c"),
        ("runwasi", "c1c6e1e9aef5d18fbb21b599e1a11c82aa80657e0199ef6ddf7fa2b7404d17a8"),
    ],
)
def test_the_same_module_makes_the_same_image_everywhere(profile: str, digest: str) -> None:
    labels = ArtifactLabels(title="hello.wasm")
    assert build(ModuleSource.of_bytes(WASM), PROFILES[profile], labels).root.digest.encoded == digest


def test_an_image_names_its_file_as_its_entrypoint_and_its_archive_by_the_diff_id() -> None:
    layer = image_layer(module(WASM), "hello.wasm")
    assert config_of("image", title="dir/hello.wasm", author="Ann") == {
        "created": "1970-01-01T00:00:00Z",
        "author": "Ann",
        "architecture": "wasm",
        "os": "wasi",
        "config": {"Entrypoint": ["/hello.wasm"]},
        "rootfs": {"type": "layers", "diff_ids": [str(layer.diff_id)]},
    }
    assert config_of("image")["config"] == {"Entrypoint": ["/module.wasm"]}
    assert config_of("istio", title="hello.wasm")["config"] == {"Entrypoint": ["/plugin.wasm"]}
    assert config_of("image", component(exports=["run"]))["os"] == "wasi"


@pytest.mark.parametrize(("profile", "name"), [("image", "/a_b.wasm"), ("runwasi", "a_b.wasm")])
def test_an_entrypoint_has_no_mark_that_a_function_follows(profile: str, name: str) -> None:
    assert config_of(profile, title="a#b.wasm")["config"]["Entrypoint"] == [name]  # type: ignore[index]


def test_an_image_does_not_depend_on_the_locale() -> None:
    """Its file lost the characters that names of files cannot have here."""
    script = """
import sys
from wasm2oci.packager.build import ArtifactLabels, build
from wasm2oci.packager.module_source import ModuleSource
from wasm2oci.packager.profiles import PROFILES
module = ModuleSource.of_bytes(sys.stdin.buffer.read())
print(build(module, PROFILES["image"], ArtifactLabels(title="\\u00e9.wasm")).root.digest)
"""
    environ = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    made = subprocess.run([sys.executable, "-c", script], env=environ, check=True, capture_output=True, input=WASM)
    here = build(ModuleSource.of_bytes(WASM), PROFILES["image"], ArtifactLabels(title="\u00e9.wasm"))
    assert made.stdout.decode().strip() == str(here.root.digest)


def test_an_image_of_runwasi_names_no_diff_ids_and_tells_two_modules_apart() -> None:
    made = config_of("runwasi", title="hello.wasm")
    label = hashlib.sha256(hashlib.sha256(WASM).hexdigest().encode()).hexdigest()
    assert made["config"] == {"Entrypoint": ["hello.wasm"], "Labels": {"containerd.runwasi.layers": label}}
    assert made["rootfs"] == {"type": "layers", "diff_ids": []}
    assert made != config_of("runwasi", component(), title="hello.wasm")


def test_an_image_says_that_it_holds_webassembly_unless_something_else_is_said() -> None:
    key = "module.wasm.image/variant"

    def manifest(annotations: dict[str, str]) -> Manifest:
        labels = ArtifactLabels(title="x.wasm", annotations=Annotations(manifest=annotations))
        return build(ModuleSource.of_bytes(WASM), PROFILES["image"], labels).manifest

    assert manifest({}).annotations == {key: "compat"}
    assert manifest({key: "compat-smart", "a": "b"}).annotations == {key: "compat-smart", "a": "b"}
    assert TITLE not in manifest({}).layers[0].annotations
