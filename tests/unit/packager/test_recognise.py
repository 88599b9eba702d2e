import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.artifacts import WASM, Stash, tar
from wasm2oci.cli.remedies import hint_for
from wasm2oci.content.graph import GraphError
from wasm2oci.content.verify import ContentTooLargeError, DigestMismatchError
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import TITLE, Descriptor
from wasm2oci.oci.manifest import Index, parse_manifest
from wasm2oci.packager.choice import ChoiceNeededError, NoModuleError, NotAModuleError, file_name
from wasm2oci.packager.platforms import choose_manifest
from wasm2oci.packager.recognise import FoundModule, raw_layers, recognise

OTHER = WASM + b"\0\x02\x01x"
TYPE = "application/vnd.wasm.content.layer.v1+wasm"
SOLO = "application/vnd.module.wasm.content.layer.v1+wasm"


def read(found: FoundModule) -> bytes:
    return b"".join(found.content)


@pytest.mark.parametrize("layer_type", raw_layers())
@pytest.mark.parametrize(
    "config_type",
    [
        "application/vnd.wasm.config.v1+json",
        "application/vnd.wasm.config.v0+json",
        "application/vnd.unknown.config.v1+json",
        mt.EMPTY_JSON,
        mt.OCI_CONFIG,
    ],
)
def test_every_raw_layer_type_is_taken_whatever_the_config(layer_type: str, config_type: str) -> None:
    stash = Stash()
    layer = stash.put(layer_type, WASM)
    root = stash.manifest(layer, config=stash.put(config_type, b"{}"))
    found = recognise(stash.target, root)
    assert (found.layer, found.module, found.entry, found.root) == (layer, layer, None, root)
    assert read(found) == WASM


@pytest.mark.parametrize(
    ("config", "layers", "name"),
    [
        ("application/vnd.wasm.config.v1+json", [TYPE], "wasm-to-oci"),
        ("application/vnd.wasm.config.v0+json", ["application/wasm"], "cncf"),
        ("application/vnd.module.wasm.config.v1+json", ["application/vnd.module.wasm.config.v1+json", SOLO], "solo"),
        ("application/vnd.io.wasm.module.config.v1+json", [SOLO], "solo"),
        ("application/vnd.wasmcloud.actor.archive.config", [SOLO], "wasmcloud"),
        (mt.OCI_CONFIG, ["application/vnd.bytecodealliance.wasm.component.layer.v0+wasm"], "runwasi"),
        (mt.OCI_CONFIG, ["application/wasm"], "runwasi"),
        (mt.OCI_CONFIG, [TYPE, "application/vnd.fermyon.spin.application.v1+config"], "spin"),
        ("application/vnd.fermyon.spin.application.v1+config", [TYPE], "spin"),
        (mt.EMPTY_JSON, ["application/wasm"], "artifact"),
    ],
)
def test_artifacts_of_every_tool_are_recognised(config: str, layers: list[str], name: str) -> None:
    stash = Stash()
    blobs = [stash.put(kind, WASM if kind in raw_layers() else b"{}") for kind in layers]
    found = recognise(stash.target, stash.manifest(*blobs, config=stash.put(config, b"{}")))
    assert found.format == name
    assert read(found) == WASM


def two(stash: Stash) -> Descriptor:
    return stash.manifest(
        stash.put(TYPE, WASM, annotations={TITLE: "front/one.wasm"}),
        stash.put(TYPE, OTHER, annotations={TITLE: "two.wasm"}),
        stash.put("application/vnd.fermyon.spin.application.v1+config", b"{}"),
    )


def test_of_several_modules_one_has_to_be_chosen() -> None:
    stash = Stash()
    root = two(stash)
    with pytest.raises(ChoiceNeededError, match=r"2 modules in it: one\.wasm, two\.wasm"):
        recognise(stash.target, root)
    for wanted in ("two.wasm", str(Descriptor.of(TYPE, OTHER).digest)):
        assert read(recognise(stash.target, root, wanted=wanted)) == OTHER
    for wanted in ("one.wasm", "front/one.wasm"):
        assert read(recognise(stash.target, root, wanted=wanted)) == WASM
    with pytest.raises(NoModuleError, match=r"no module 'three\.wasm'") as caught:
        recognise(stash.target, root, wanted="three.wasm")
    assert caught.value.hint == "it has one.wasm, two.wasm"


def test_the_same_module_twice_is_one() -> None:
    stash = Stash()
    layer = stash.put(TYPE, WASM)
    assert read(recognise(stash.target, stash.manifest(layer, layer))) == WASM
    other = stash.put(TYPE, OTHER)
    with pytest.raises(ChoiceNeededError, match="sha256:"):
        recognise(stash.target, stash.manifest(layer, other))


def test_an_unknown_layer_titled_wasm_is_taken() -> None:
    stash = Stash()
    layer = stash.put(mt.OCTET_STREAM, WASM, annotations={TITLE: "Hello.WASM"})
    found = recognise(stash.target, stash.manifest(stash.put(mt.OCTET_STREAM, b"x"), layer))
    assert read(found) == WASM
    assert found.file_name("a/b") == "Hello.WASM"


@pytest.mark.parametrize("data", [b"", b"\0as", b"<html>", bytes(3_000_000)])
def test_a_layer_that_only_says_it_is_wasm_is_refused_unless_forced(data: bytes) -> None:
    stash = Stash()
    root = stash.module(data)
    with pytest.raises(NotAModuleError, match="has the type application/wasm, but is not WebAssembly"):
        read(recognise(stash.target, root))
    assert read(recognise(stash.target, root, force=True)) == data


def test_wrong_bytes_are_not_called_another_kind_of_file() -> None:
    """A damaged layer is reported as damaged, although its first bytes are not those of a module either."""
    stash = Stash()
    layer = Descriptor.of("application/wasm", WASM)
    stash.target.add(layer, [b"y" * len(WASM)])  # type: ignore[attr-defined] # a memory target
    with pytest.raises(DigestMismatchError):
        read(recognise(stash.target, stash.manifest(layer)))


def test_the_first_bytes_may_come_in_pieces() -> None:
    class Drips(Stash):
        pass

    stash = Drips()
    layer = Descriptor.of("application/wasm", WASM)
    stash.target.add(layer, [bytes([byte]) for byte in WASM])  # type: ignore[attr-defined] # a memory target
    assert read(recognise(stash.target, stash.manifest(layer))) == WASM


def test_damage_is_noticed_by_a_reader_that_reads_to_the_end() -> None:
    stash = Stash()
    layer = Descriptor.of("application/wasm", WASM)
    stash.target.add(layer, [WASM[:-1] + b"!"])  # type: ignore[attr-defined] # a memory target
    with pytest.raises(DigestMismatchError):
        read(recognise(stash.target, stash.manifest(layer)))


@pytest.mark.parametrize(
    ("layers", "message", "hint"),
    [
        ([], r"it has no layers \(type application/vnd.wasm.config.v0\+json\)", "pull another tag"),
        (["application/x", "application/y"], "but application/x, application/y", "inspect"),
        (["application/vnd.dev.cosign.simplesigning.v1+json"], "no WebAssembly", "cosign signature"),
        (["application/vnd.wasmcloud.provider.archive.layer.v1+par"], "no WebAssembly", "wasmCloud provider"),
        (["application/vnd.cncf.helm.chart.content.v1.tar+gzip"], "no WebAssembly", "Helm chart"),
    ],
)
def test_what_holds_no_module_says_what_it_is(layers: list[str], message: str, hint: str | None) -> None:
    stash = Stash()
    with pytest.raises(NoModuleError, match=message) as caught:
        recognise(stash.target, stash.manifest(*(stash.put(kind, b"x") for kind in layers)))
    assert (hint or "None") in str(hint_for(caught.value))


def entry(stash: Stash, os: str | None, architecture: str | None, title: str, **annotations: str) -> Descriptor:
    root = stash.module(WASM + title.encode(), title=title)
    platform: dict[str, Any] | None = None if os is None else {"os": os, "architecture": architecture}
    return root._replace(platform=platform, annotations=annotations)


@pytest.mark.parametrize(
    ("platforms", "wanted", "chosen"),
    [
        ([("linux", "amd64")], None, 0),
        ([(None, None)], None, 0),
        ([("linux", "amd64"), ("wasi", "wasm")], None, 1),
        ([("linux", "amd64"), ("wasip1", "wasm"), ("unknown", "unknown")], None, 1),
        ([("linux", "amd64"), ("Wasip1", None)], None, 1),
        ([("linux", "wasm32"), ("linux", "arm64")], None, 0),
        ([("wasip1", "wasm"), ("wasip2", "wasm")], "wasip2/wasm", 1),
        ([("linux", "amd64"), ("linux", "arm64")], "Linux/ARM64", 1),
        ([("linux", "amd64"), ("unknown", "unknown")], None, 0),
    ],
)
def test_the_wasm_entry_of_an_index_is_taken(
    platforms: list[tuple[str | None, str | None]], wanted: str | None, chosen: int
) -> None:
    stash = Stash()
    entries = [entry(stash, os, arch, str(number)) for number, (os, arch) in enumerate(platforms)]
    found = recognise(stash.target, stash.index(*entries), platform=wanted)
    assert found.root.digest == entries[chosen].digest
    assert read(found) == WASM + str(chosen).encode()


def test_an_index_that_leaves_a_choice_says_what_is_inside() -> None:
    stash = Stash()
    entries = [entry(stash, "linux", arch, arch) for arch in ("amd64", "arm64")]
    attestation = entry(stash, "linux", "s390x", "att", **{"vnd.docker.reference.type": "attestation-manifest"})
    root = stash.index(*entries, attestation)
    with pytest.raises(ChoiceNeededError, match="2 manifests that match: linux/amd64, linux/arm64") as caught:
        recognise(stash.target, root)
    assert str(entries[0].digest) in str(hint_for(caught.value))
    with pytest.raises(NoModuleError, match="no manifest for platform wasi/wasm") as missing:
        recognise(stash.target, root, platform="wasi/wasm")
    assert missing.value.hint == "it has linux/amd64, linux/arm64"
    unknown = {"mediaType": "application/x-other", "digest": str(entries[0].digest), "size": entries[0].size}
    for others in ([attestation], [Descriptor.from_json(unknown)]):
        with pytest.raises(NoModuleError, match="the index lists nothing that could hold a module"):
            recognise(stash.target, stash.index(*others))
    with pytest.raises(NoModuleError, match="the index is empty"):
        recognise(stash.target, stash.index())


def test_a_hostile_platform_is_shown_tamed() -> None:
    stash = Stash()
    entries = [entry(stash, "li\x1b[31mnux" * 20, "amd64", str(number)) for number in range(2)]
    index = parse_manifest(stash.get(stash.index(*entries)))
    assert isinstance(index, Index)
    with pytest.raises(ChoiceNeededError) as caught:
        choose_manifest(stash.target, index)
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 200


def test_indexes_in_indexes_are_followed_only_so_deep() -> None:
    stash = Stash()
    root = stash.module()
    for _ in range(4):
        root = stash.index(root)
    assert read(recognise(stash.target, root)) == WASM
    with pytest.raises(NoModuleError, match="nested more than 4 deep"):
        recognise(stash.target, stash.index(root))


@pytest.mark.parametrize("limit", ["GRAPH_NODES_MAX", "GRAPH_BYTES_MAX"])
def test_indexes_in_indexes_are_bounded_together(monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    """64 in each of three levels, of 4 MiB each, would have been read and kept: gigabytes of entries."""
    stash = Stash()
    first, second = (
        stash.index(*(entry(stash, "linux", "amd64", f"{name}{number}") for number in range(4))) for name in "ab"
    )
    one_index = {"GRAPH_NODES_MAX": 4, "GRAPH_BYTES_MAX": first.size}[limit]
    monkeypatch.setattr(f"wasm2oci.packager.platforms.{limit}", one_index)
    with pytest.raises(GraphError, match="indexes of the artifact"):
        recognise(stash.target, stash.index(first, second), platform="wasi/wasm")
    with pytest.raises(NoModuleError, match="no manifest for platform wasi/wasm"):
        recognise(stash.target, stash.index(first, first), platform="wasi/wasm")


class TestNestedIndexes:
    """pelagos#533, ocidir-rs#73: an index for each release, and entries whose config alone says their platform."""

    @staticmethod
    def configured(stash: Stash, os: str, architecture: str, title: str, variant: str | None = None) -> Descriptor:
        config = {"os": os, "architecture": architecture} | ({"variant": variant} if variant else {})
        layer = stash.put("application/wasm", WASM + title.encode(), annotations={})
        return stash.manifest(layer, config=stash.put(mt.OCI_CONFIG, json.dumps(config).encode()))

    def test_the_entry_for_a_platform_is_found_in_an_inner_index(self) -> None:
        stash = Stash()
        inner = stash.index(entry(stash, "linux", "amd64", "a"), entry(stash, "wasip1", "wasm", "b"))
        root = stash.index(inner, entry(stash, "linux", "arm64", "c"))
        assert read(recognise(stash.target, root, platform="wasip1/wasm")) == WASM + b"b"
        assert read(recognise(stash.target, root)) == WASM + b"b"
        assert read(recognise(stash.target, root, platform="linux/arm64")) == WASM + b"c"

    def test_an_inner_index_has_the_platform_of_its_entry(self) -> None:
        stash = Stash()
        wasi = stash.index(entry(stash, None, None, "a"))._replace(platform={"os": "wasi", "architecture": "wasm"})
        linux = stash.index(entry(stash, None, None, "b"))._replace(platform={"os": "linux", "architecture": "amd64"})
        root = stash.index(linux, wasi)
        assert read(recognise(stash.target, root)) == WASM + b"a"
        assert read(recognise(stash.target, root, platform="linux/amd64")) == WASM + b"b"

    def test_a_config_says_the_platform_that_an_entry_lacks(self) -> None:
        stash = Stash()
        root = stash.index(
            self.configured(stash, "linux", "arm", "a", "v7"),
            self.configured(stash, "wasip2", "wasm", "b"),
            self.configured(stash, "linux", "arm", "c", "v6"),
        )
        assert read(recognise(stash.target, root)) == WASM + b"b"
        assert read(recognise(stash.target, root, platform="WASIP2/wasm")) == WASM + b"b"
        assert read(recognise(stash.target, root, platform="linux/arm/v6")) == WASM + b"c"
        with pytest.raises(NoModuleError) as caught:
            recognise(stash.target, root, platform="linux/s390x")
        assert caught.value.hint == "it has linux/arm/v7, wasip2/wasm, linux/arm/v6"

    def test_configs_that_say_nothing_leave_the_choice(self) -> None:
        stash = Stash()
        layers = [stash.put("application/wasm", WASM + title) for title in (b"a", b"b")]
        root = stash.index(*(stash.manifest(layer) for layer in layers))
        with pytest.raises(ChoiceNeededError, match="2 manifests"):
            recognise(stash.target, root)

    def test_an_empty_inner_index_is_passed_over(self) -> None:
        stash = Stash()
        root = stash.index(stash.index(), entry(stash, "linux", "amd64", "a"))
        assert read(recognise(stash.target, root)) == WASM + b"a"


@pytest.mark.parametrize(
    ("title", "repository", "name"),
    [
        ("hello.wasm", "a/b", "hello.wasm"),
        ("testdata/hello.wasm", "a/b", "hello.wasm"),
        ("/etc/passwd", "a/b", "passwd"),
        ("../../../etc/cron.d/x", "a/b", "x"),
        ("..\\..\\windows\\x.wasm", "a/b", "x.wasm"),
        ("a/b/", "a/b", "b"),
        (".bashrc", "a/b", "bashrc"),
        ("-rf", "a/b", "rf"),
        ("..", "team/app", "app.wasm"),
        ("/", "team/app", "app.wasm"),
        ("", "team/app", "app.wasm"),
        (None, "team/app", "app.wasm"),
        (None, "app", "app.wasm"),
        ("a\x1b[31m\nb\0.wasm", "a/b", "a[31mb.wasm"),
        ("\u202egpj.wasm", "a/b", "gpj.wasm"),
        ("x" * 5000, "a/b", "x" * 200),
        ("é" * 150, "a/b", "é" * 100),
        (None, "", "module.wasm"),
    ],
)
def test_cve_2021_21272_a_title_becomes_a_name_in_the_current_folder(
    title: str | None, repository: str, name: str
) -> None:
    assert file_name(title, repository) == name


@given(st.none() | st.text(max_size=300), st.text(max_size=30))
def test_any_title_becomes_one_safe_name(title: str | None, repository: str) -> None:
    name = file_name(title, repository)
    assert name
    assert "/" not in name
    assert "\\" not in name
    assert name.isprintable()
    assert not name.startswith((".", "-"))
    assert len(name.encode()) < 255


def test_a_module_larger_than_any_is_not_read_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wasm2oci.packager.recognise.MODULE_MAX", len(WASM) - 1)
    stash = Stash()
    root = stash.image(tar({"x.wasm": WASM}))
    found = recognise(stash.target, root)
    with pytest.raises(ContentTooLargeError, match="the limit here is"):
        found.read()
    monkeypatch.setattr("wasm2oci.packager.recognise.MODULE_MAX", len(WASM))
    assert found.read() == WASM
