import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.artifacts import WASM, component
from tests.support.invariants import check_artifact
from tests.support.strategies import annotations
from wasm2oci.content.verify import BytesContent
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import TITLE, Descriptor
from wasm2oci.oci.digest import Digest
from wasm2oci.oci.manifest import Manifest, parse_manifest
from wasm2oci.packager.annotations import Annotations, InvalidAnnotationError
from wasm2oci.packager.build import ArtifactLabels, AuthorNotTakenError, ManifestOversizeError, build
from wasm2oci.packager.config import InvalidDateError, format_date, source_date
from wasm2oci.packager.json_bytes import canonical_json, compact_json, go_json
from wasm2oci.packager.module_source import Kind, ModuleSource
from wasm2oci.packager.profiles import CNCF, PROFILES, WASM_TO_OCI, Profile, UnknownProfileError, find_profile
from wasm2oci.packager.recognise import recognise

HTTP_EXPORTS = (
    "wasi:http/incoming-handler@0.2.0",
    "wasi:http/types@0.2.0",
    "wasi:http/proxy@0.2.0",
    "wasi:http/outgoing-handler@0.2.0",
)


def source(digest: str, size: int, kind: Kind = Kind.MODULE, exports: tuple[str, ...] = ()) -> ModuleSource:
    """A module of which only the digest is known."""
    descriptor = Descriptor(mt.OCTET_STREAM, Digest.parse(f"sha256:{digest}"), size)
    return ModuleSource(BytesContent(b""), descriptor, kind, (), exports)


def test_golden_wasm_to_oci_the_manifest_of_the_old_tools_readme() -> None:
    module = source("4c7915b4c1f9b0c13f962998e4199ceb00db39a4a7fa4554f40ae0bed83d9510", 1624962)
    artifact = build(module, WASM_TO_OCI, ArtifactLabels(title="testdata/hello.wasm"))
    assert artifact.manifest.raw == (
        b'{"schemaVersion":2,"config":{"mediaType":"application/vnd.wasm.config.v1+json",'
        b'"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},'
        b'"layers":[{"mediaType":"application/vnd.wasm.content.layer.v1+wasm",'
        b'"digest":"sha256:4c7915b4c1f9b0c13f962998e4199ceb00db39a4a7fa4554f40ae0bed83d9510","size":1624962,'
        b'"annotations":{"org.opencontainers.image.title":"testdata/hello.wasm"}}]}'
    )
    assert len(artifact.manifest.raw) == 411
    assert artifact.root.digest.encoded == "9c82cbe576ee947c00435ac8053a800a1969f4757ae4a81f870f714674afc91a"


def test_golden_cncf_the_published_wasi_http_package() -> None:
    module = source(
        "5a568e6e2d60c1ce51220e1833cdd5b88db9f615720edc762a9b4a6f36b383bd", 37882, Kind.COMPONENT, HTTP_EXPORTS
    )
    artifact = build(module, CNCF, ArtifactLabels(created=datetime(2024, 6, 17, 18, 54, 54, 727423, UTC)))
    config, content = artifact.blobs[0]
    assert (len(b"".join(content)), config.size) == (353, 353)
    assert config.digest.encoded == "4533324bb7598bdf36c9de321b71819717cdd738e3c2d893cc40743fd550d945"
    assert len(artifact.manifest.raw) == 371
    assert artifact.root.digest.encoded == "b292aade5066edbbd860b0c87180085a813121c61103702ecd09772a4c03283a"


def config_of(module: ModuleSource, labels: ArtifactLabels | None = None) -> dict[str, Any]:
    value = json.loads(b"".join(build(module, CNCF, labels).blobs[0][1]))
    assert isinstance(value, dict)
    return value


def test_a_core_module_is_wasip1_and_dated_at_the_epoch() -> None:
    module = ModuleSource.of_bytes(WASM)
    assert config_of(module) == {
        "created": "1970-01-01T00:00:00Z",
        "author": None,
        "architecture": "wasm",
        "os": "wasip1",
        "layerDigests": [str(Digest.of(WASM))],
        "component": None,
    }


def test_a_component_is_wasip2_with_its_names_sorted() -> None:
    data = component(imports=["wasi:io/streams@0.2.0", "a:b/c", "a:b/c"], exports=["run", "hello"])
    config = config_of(ModuleSource.of_bytes(data), ArtifactLabels(author="Ann"))
    assert (config["os"], config["author"]) == ("wasip2", "Ann")
    assert config["component"] == {
        "exports": ["hello", "run"],
        "imports": ["a:b/c", "wasi:io/streams@0.2.0"],
        "target": None,
    }


def test_what_was_forced_is_labelled_as_a_module() -> None:
    assert config_of(ModuleSource.of_bytes(b"#!", force=True))["os"] == "wasip1"


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: str(profile.name))
@given(
    title=st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), notes=annotations()
)
def test_any_artifact_is_whole_reads_back_and_is_the_same_again(
    profile: Profile, title: str | None, notes: dict[str, str]
) -> None:
    notes = {
        key: value for key, value in notes.items() if key.isprintable() and key == key.strip() and "\0" not in value
    }
    labels = ArtifactLabels(title=title, annotations=Annotations(manifest=notes, config=notes))
    module = ModuleSource.of_bytes(WASM)
    artifact = build(module, profile, labels)
    assert build(ModuleSource.of_bytes(WASM), profile, labels).manifest.raw == artifact.manifest.raw
    target = artifact.target("v1")
    check_artifact(target, target.resolve("v1"))
    found = recognise(target, artifact.root)
    assert (found.read(), found.module.digest) == (WASM, artifact.module.digest)
    manifest = parse_manifest(artifact.manifest.raw)
    assert isinstance(manifest, Manifest)
    assert manifest.annotations == {**profile.annotations, **notes}
    assert manifest.config.annotations == notes
    assert (manifest.layers[0].title, manifest.layers[0].media_type) == (
        title if profile.is_raw else None,
        profile.layer_type,
    )
    assert manifest.config.media_type == profile.config_type
    assert ("mediaType" in json.loads(manifest.raw)) is profile.has_media_type


def test_the_order_of_annotations_does_not_change_the_digest() -> None:
    module = ModuleSource.of_bytes(WASM)
    for profile in PROFILES.values():
        roots = {
            build(module, profile, ArtifactLabels(annotations=Annotations(manifest=notes, layer=notes))).root.digest
            for notes in ({"b": "1", "a": "2"}, {"a": "2", "b": "1"})
        }
        assert len(roots) == 1


def test_one_title_is_enough() -> None:
    module = ModuleSource.of_bytes(WASM)
    same = ArtifactLabels(title="x", annotations=Annotations(layer={TITLE: "x", "k": "v"}))
    assert build(module, CNCF, same).module.annotations == {TITLE: "x", "k": "v"}
    with pytest.raises(InvalidAnnotationError, match="two titles"):
        build(module, CNCF, same._replace(title="y"))


@pytest.mark.parametrize("text", ["a\0b", "\udcff"])
def test_text_that_json_cannot_carry_is_refused(text: str) -> None:
    module = ModuleSource.of_bytes(WASM)
    with pytest.raises(InvalidAnnotationError, match="the title"):
        build(module, CNCF, ArtifactLabels(title=text))
    with pytest.raises(InvalidAnnotationError, match="the author"):
        build(module, CNCF, ArtifactLabels(author=text))


def test_an_author_goes_only_where_there_is_a_place_for_one() -> None:
    with pytest.raises(AuthorNotTakenError, match="wasm-to-oci cannot record an author"):
        build(ModuleSource.of_bytes(WASM), WASM_TO_OCI, ArtifactLabels(author="Ann"))


def test_a_manifest_that_no_registry_takes_is_not_built() -> None:
    notes = Annotations(manifest={"a": "x" * (4 << 20)})
    with pytest.raises(ManifestOversizeError, match="registries take 4,194,304"):
        build(ModuleSource.of_bytes(WASM), CNCF, ArtifactLabels(annotations=notes))


def test_a_profile_is_found_by_its_name() -> None:
    assert find_profile("cncf") is CNCF
    with pytest.raises(UnknownProfileError) as caught:
        find_profile("krustlet")
    assert caught.value.hint == "profiles are cncf, wasm-to-oci, image, istio, runwasi"


def test_rows_are_complete() -> None:
    for name, profile in PROFILES.items():
        assert name == profile.name
        assert profile.summary
        assert profile.consumers
        mt.check(profile.config_type)
        mt.check(profile.layer_type)


def test_json_is_escaped_as_gos_encoder_did() -> None:
    # What Go 1.15 to 1.17 print for these strings by json.Marshal.
    value = {"z": "<a>&\u2028\u2029", "a": 'é"\\b\\\b\f\n\r\t\x01\x7f', "n": [1, None, True]}
    assert go_json(value) == (
        rb'{"z":"\u003ca\u003e\u0026\u2028\u2029","a":"' + "é".encode() + rb"\"\\b\\\u0008\u000c\n\r\t\u0001" + b"\x7f"
        rb'","n":[1,null,true]}'
    )


UNICODE = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.recursive(UNICODE | st.integers(), lambda inner: st.dictionaries(UNICODE, inner)))
def test_every_form_of_json_says_the_same(value: Any) -> None:
    for encode in (go_json, canonical_json, compact_json):
        assert json.loads(encode({"value": value})) == {"value": value}


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), "1970-01-01T00:00:00Z"),
        (datetime(2024, 6, 17, 18, 54, 54, 727423, UTC), "2024-06-17T18:54:54.727423Z"),
        (datetime(2024, 6, 17, 18, 54, 54, 720000, UTC), "2024-06-17T18:54:54.720Z"),
        (datetime(2024, 6, 17, 1, tzinfo=timezone(timedelta(hours=2))), "2024-06-16T23:00:00Z"),
        (datetime(999, 1, 2, 3, 4, 5, tzinfo=UTC), "0999-01-02T03:04:05Z"),
    ],
)
def test_a_date_is_written_in_utc(moment: datetime, text: str) -> None:
    assert format_date(moment) == text


@pytest.mark.parametrize(
    ("created", "environ", "text"),
    [
        (None, {}, None),
        (None, {"SOURCE_DATE_EPOCH": ""}, None),
        (None, {"SOURCE_DATE_EPOCH": "1718650494"}, "2024-06-17T18:54:54Z"),
        ("0", {"SOURCE_DATE_EPOCH": "1718650494"}, "1970-01-01T00:00:00Z"),
        ("2024-06-17T18:54:54Z", {}, "2024-06-17T18:54:54Z"),
        ("2024-06-17t18:54:54.5z", {}, "2024-06-17T18:54:54.500Z"),
        ("2024-06-17 20:54:54+02:00", {}, "2024-06-17T18:54:54Z"),
        ("2024-06-17T18:54:54.727423999Z", {}, "2024-06-17T18:54:54.727423Z"),
    ],
)
def test_the_date_is_handed_in(created: str | None, environ: dict[str, str], text: str | None) -> None:
    moment = source_date(created, environ)
    assert (moment and format_date(moment)) == text


@pytest.mark.parametrize(
    ("created", "environ", "message"),
    [
        ("yesterday", {}, "not a date: 'yesterday'"),
        ("2024-06-17", {}, "not a date"),
        ("2024-06-17T18:54:54", {}, "not a date"),
        ("2024-02-30T00:00:00Z", {}, "not a date that exists"),
        ("9" * 30, {}, "not a date that exists"),
        ("-1", {}, "not a date"),
        (None, {"SOURCE_DATE_EPOCH": "soon"}, "not a whole number of seconds: 'soon'"),
        (None, {"SOURCE_DATE_EPOCH": "9" * 30}, "not a date that exists: 'SOURCE_DATE_EPOCH=9"),
    ],
)
def test_a_bad_date_is_refused(created: str | None, environ: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidDateError, match=message):
        source_date(created, environ)
