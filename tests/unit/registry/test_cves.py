"""Every advisory that hit a registry client, as a test of the defence against it.

Each test names its advisory, builds the attack, and looks at what the attacker saw or got. Taking the defence out makes
the test fail; the code that holds it is named in each docstring.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import wasm2oci.registry
from tests.support.network import Answer, Network, Sent, broken, fresh_core, token_answer
from wasm2oci.content.copy import copy
from wasm2oci.content.memory import MemoryTarget
from wasm2oci.content.verify import BytesContent
from wasm2oci.errors import IntegrityError, InvalidInputError, RegistryError
from wasm2oci.oci import media_type as mt
from wasm2oci.oci.descriptor import EMPTY_JSON, Descriptor
from wasm2oci.oci.digest import Digest, InvalidDigestError
from wasm2oci.oci.manifest import InvalidManifestError, ManifestTooLargeError
from wasm2oci.oci.reference import Reference
from wasm2oci.oci.wire import MANIFEST_MAX
from wasm2oci.registry.auth import TokenServerError
from wasm2oci.registry.credentials import Basic, Credential, IdentityToken
from wasm2oci.registry.flavours import AZURE_NULL_USER
from wasm2oci.registry.paging import EndlessListingError
from wasm2oci.registry.problems import RedirectRefusedError, ResponseError
from wasm2oci.registry.urls import UntrustedUrlError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HOME = "https://registry.example"
EVIL = "https://evil.example"
SECRET = Basic("alice", "s3cret")
BLOB = Descriptor.of("application/wasm", b"some wasm")
CHALLENGE = {"WWW-Authenticate": f'Bearer realm="{HOME}/token",service="s"'}


def with_token(handler: "Callable[[Sent], Answer]") -> Network:
    """A registry that asks for tokens and then answers as `handler` says; and somebody else's server."""

    def registry(sent: Sent) -> Answer:
        if sent.path == "/token":
            return token_answer("t0ken")
        if sent.headers.get("authorization") != "Bearer t0ken":
            return Answer(401, CHALLENGE)
        return handler(sent)

    return Network({HOME: registry, EVIL: lambda _: Answer(200, {}, b"some wasm")})


def assert_saw_no_secret(network: Network, origin: str = EVIL) -> None:
    for sent in network.at(origin):
        assert "authorization" not in sent.headers
        assert "cookie" not in sent.headers
        assert "x-secret" not in sent.headers
        text = f"{sent.url} {sent.headers} {sent.body!r}"
        assert "t0ken" not in text
        assert "s3cret" not in text


def manifest(**changes: object) -> bytes:
    value = {
        "schemaVersion": 2,
        "mediaType": mt.OCI_MANIFEST,
        "config": EMPTY_JSON.to_json(),
        "layers": [BLOB.to_json()],
        **changes,
    }
    return json.dumps(value).encode()


def served(raw: bytes, content_type: str = mt.OCI_MANIFEST, **headers: str) -> Network:
    """A registry that has one manifest."""
    return Network({HOME: lambda _: Answer(200, {"Content-Type": content_type, **headers}, raw)})


def test_cve_2020_15157_containerd_foreign_layer_urls() -> None:
    """A layer's `urls` are never asked, with or without credentials. Defence: `Repository.fetch`."""
    network = with_token(lambda _: Answer(404))
    foreign = Descriptor(BLOB.media_type, BLOB.digest, BLOB.size, urls=(f"{EVIL}/layer",))
    with pytest.raises(Exception, match="no such blob"):
        list(network.repository("registry.example/a", credential=SECRET).fetch(foreign))
    assert network.at(EVIL) == []


def test_cve_2020_15157_containerd_challenge_of_a_storage() -> None:
    """A storage that the registry sends us to asks for credentials in vain. Defence: `TokenAuth.flow`."""
    network = with_token(lambda _: Answer(307, {"Location": f"{EVIL}/x"}))
    network.hosts[EVIL] = lambda _: Answer(401, {"WWW-Authenticate": f'Basic realm="x", Bearer realm="{EVIL}/t"'})
    with pytest.raises(ResponseError, match=r"evil\.example, where registry\.example leads, answered 401"):
        list(network.repository("registry.example/a", credential=SECRET).fetch(BLOB))
    assert len(network.at(EVIL)) == 1
    assert_saw_no_secret(network)


@pytest.mark.parametrize(
    ("raw", "content_type"),
    [
        (manifest(mediaType=mt.OCI_INDEX), mt.OCI_MANIFEST),
        (manifest(), mt.OCI_INDEX),
        (manifest(manifests=[]), mt.OCI_MANIFEST),
        (json.dumps({"schemaVersion": 2, "layers": [], "manifests": []}).encode(), mt.OCI_INDEX),
    ],
)
def test_cve_2021_41190_type_confusion(raw: bytes, content_type: str) -> None:
    """One document that is a manifest and an index, or is sent as what it is not. Defence: `parse_manifest`."""
    with pytest.raises(InvalidManifestError):
        served(raw, content_type).repository("registry.example/a").fetch_manifest("v1")


def test_cve_2021_41190_type_confusion_with_the_listing() -> None:
    """A manifest that its index lists as another type. Defence: `get_manifest`."""
    raw = manifest(mediaType=mt.DOCKER_MANIFEST)
    network = served(raw, mt.DOCKER_MANIFEST)
    listed = Descriptor(mt.OCI_MANIFEST, Digest.of(raw), len(raw))
    with pytest.raises(InvalidManifestError, match="listed as"):
        list(network.repository("registry.example/a").fetch(listed))


@pytest.mark.parametrize("digest", ["sha256:../../../v2/victim/blobs/x", "sha256:" + "A" * 64, "md5:" + "0" * 32])
def test_cve_2024_3727_digests_are_checked_before_use(digest: str) -> None:
    """A digest that is none never gets into a URL. Defence: `Digest`, parsed before the request is made."""
    network = served(manifest())
    repository = network.repository("registry.example/a")
    with pytest.raises(InvalidDigestError):
        repository.resolve(digest)
    with pytest.raises(InvalidDigestError):
        repository.fetch_manifest(digest)
    assert network.sent == []


def test_cve_2024_3727_digests_in_manifests() -> None:
    """The same in what a registry sends. Defence: `Descriptor.from_json`."""
    layer = {"mediaType": "application/wasm", "digest": "sha256:../../x", "size": 1}
    with pytest.raises(InvalidInputError):
        served(manifest(layers=[layer])).repository("registry.example/a").fetch_manifest("v1")


def test_cve_2020_1702_a_manifest_without_end() -> None:
    """Reading stops at the bound, whatever the length says. Defence: `Response.read`."""
    served_bytes = 0

    def endless() -> "Iterator[bytes]":
        nonlocal served_bytes
        while True:
            served_bytes += 65536
            assert served_bytes < 2 * MANIFEST_MAX, "still reading"
            yield b" " * 65536

    network = Network({HOME: lambda _: Answer(200, {"Content-Type": mt.OCI_MANIFEST}, endless())})
    with pytest.raises(ManifestTooLargeError):
        network.repository("registry.example/a").fetch_manifest("v1")


def test_cve_2020_1702_a_manifest_that_announces_itself() -> None:
    """Nothing is read when the length is too much already. Defence: `Response.read`, `head_manifest`."""
    big = {"Content-Type": mt.OCI_MANIFEST, "Content-Length": "5000000", "Docker-Content-Digest": str(BLOB.digest)}
    network = Network({HOME: lambda sent: Answer(200, big, [broken("was read")])})
    with pytest.raises(ManifestTooLargeError):
        network.repository("registry.example/a").fetch_manifest("v1")
    with pytest.raises(ManifestTooLargeError):
        network.repository("registry.example/a").resolve("v1")


def test_cve_2020_1702_an_error_and_a_token_without_end() -> None:
    """Defence: `Response.peek` and the bound on a token server's answer."""
    read = 0

    def endless() -> "Iterator[bytes]":
        nonlocal read
        for _ in range(200):
            read += 65536
            yield b"x" * 65536

    network = Network({HOME: lambda _: Answer(400, {}, endless())})
    with pytest.raises(RegistryError):
        network.repository("registry.example/a").fetch_manifest("v1")
    assert read < 4 * 65536
    read = 0
    network = Network(
        {HOME: lambda sent: Answer(200, {}, endless()) if sent.path == "/token" else Answer(401, CHALLENGE)}
    )
    with pytest.raises(TokenServerError):
        network.repository("registry.example/a").fetch_manifest("v1")
    assert read < 4 * 65536


def test_cve_2025_24882_regclient_a_pinned_digest_is_enforced() -> None:
    """`name:tag@sha256:...` gets those bytes or an error. Defence: `get_manifest`, `head_manifest`."""
    pinned = Digest.of(b"what was pinned")
    other = manifest()
    network = served(other, **{"Docker-Content-Digest": str(Digest.of(other)), "Content-Length": str(len(other))})
    repository = network.repository("registry.example/a")
    with pytest.raises(IntegrityError):
        repository.resolve(pinned)
    with pytest.raises(IntegrityError):
        repository.fetch_manifest(pinned)
    with pytest.raises(IntegrityError):
        list(repository.fetch(Descriptor(mt.OCI_MANIFEST, pinned, len(other))))


def test_cve_2025_24882_a_header_that_lies_about_the_tag() -> None:
    """The digest that the header says is compared with the body. Defence: `get_manifest`."""
    network = served(manifest(), **{"Docker-Content-Digest": str(Digest.of(b"other"))})
    with pytest.raises(IntegrityError):
        network.repository("registry.example/a").fetch_manifest("v1")


@pytest.mark.parametrize(
    "realm",
    [
        "http://evil.example/token",
        "http://tokens.example/token",
        "https://169.254.169.254/latest/meta-data",
        "https://127.0.0.1/token",
        "https://localhost/token",
        "https://192.168.0.1/token",
        "https://[::ffff:127.0.0.1]/token",
        "https://2130706433/token",
        "https://alice@evil.example/token",
    ],
)
def test_cve_2026_48978_oras_go_realm_hijack(realm: str) -> None:
    """A realm may not lead down, inwards, or hold a user.

    Defence: `check_step` and `Origin.of`, called by `TokenAuth`.
    """
    network = Network({HOME: lambda _: Answer(401, {"WWW-Authenticate": f'Bearer realm="{realm}",service="s"'})})
    with pytest.raises(UntrustedUrlError):
        network.repository("registry.example/a", credential=SECRET).resolve("v1")
    assert {sent.origin for sent in network.sent} == {HOME}


@pytest.mark.parametrize("kind", ["location", "redirect", "mount"])
def test_cve_2026_50151_oras_go_location_leaks_credentials(kind: str) -> None:
    """An upload that goes on elsewhere goes without credentials and custom headers. Defence: `Session.send`."""

    def handler(sent: Sent) -> Answer:
        if sent.method == "POST" and kind == "redirect":
            return Answer(202, {"Location": "/up"})
        if sent.method == "POST":
            return Answer(202, {"Location": f"{EVIL}/up?_state=1"})
        if sent.method == "PUT":
            return Answer(307, {"Location": f"{EVIL}/up"})
        return Answer(404)

    network = with_token(handler)
    network.hosts[EVIL] = lambda _: Answer(201)
    connector = network.connector(credential=SECRET, headers={"X-Secret": "s3cret"})
    repository = connector.repository(Reference.parse("registry.example/a"), writes=True)
    if kind == "mount":
        assert not repository.mount(BLOB, connector.repository(Reference.parse("registry.example/b")))
    repository.push(BLOB, BytesContent(b"some wasm"))
    assert [sent.method for sent in network.at(EVIL)] == ["PUT"]
    assert network.at(EVIL)[0].body == b"some wasm"
    assert_saw_no_secret(network)


@pytest.mark.parametrize("location", ["http://other.example/up", "https://127.0.0.1/up", "https://10.1.2.3/up"])
def test_cve_2026_50151_locations_that_lead_down_or_inwards(location: str) -> None:
    """Defence: `check_step`, called by `Session.send`."""
    network = with_token(lambda _: Answer(202, {"Location": location}))
    with pytest.raises(UntrustedUrlError):
        network.repository("registry.example/a", credential=SECRET).push(BLOB, BytesContent(b"some wasm"))
    assert {sent.origin for sent in network.sent} == {HOME}


@pytest.mark.parametrize("target", ["https://registry.example:8443", EVIL, "https://sub.registry.example"])
def test_ghsa_vh4v_2xq2_g5cg_oras_go_auth_kept_on_redirect(target: str) -> None:
    """Another host or port is another origin. Defence: `redirected`, which strips."""
    network = with_token(lambda _: Answer(307, {"Location": f"{target}/blob?sig=1"}))
    network.hosts[target] = lambda _: Answer(200, {}, b"some wasm")
    repository = network.repository("registry.example/a", credential=SECRET, headers={"X-Secret": "s3cret"})
    assert b"".join(repository.fetch(BLOB)) == b"some wasm"
    assert len(network.at(target)) == 1
    assert_saw_no_secret(network, target)


def test_ghsa_vh4v_2xq2_g5cg_auth_kept_on_a_scheme_that_changes() -> None:
    """From http to https of the same host is another origin too. Defence: `redirected`."""
    plain = "http://registry.example"

    def registry(sent: Sent) -> Answer:
        if sent.headers.get("authorization") is None:
            return Answer(401, {"WWW-Authenticate": 'Basic realm="x"'})
        return Answer(308, {"Location": HOME + sent.path})

    network = Network({plain: registry, HOME: lambda _: Answer(200, {}, b"some wasm")})
    repository = network.repository("registry.example/a", credential=SECRET, plain_http=True)
    assert b"".join(repository.fetch(BLOB)) == b"some wasm"
    assert_saw_no_secret(network, HOME)


def test_ghsa_vh4v_2xq2_g5cg_what_was_dropped_does_not_come_back() -> None:
    """A redirect to elsewhere and back arrives without credentials. Defence: `redirected`."""

    def registry(sent: Sent) -> Answer:
        return Answer(200, {}, b"some wasm") if sent.path == "/back" else Answer(307, {"Location": f"{EVIL}/x"})

    network = Network({HOME: registry, EVIL: lambda _: Answer(307, {"Location": f"{HOME}/back"})})
    list(network.repository("registry.example/a", headers={"X-Secret": "s3cret"}).fetch(BLOB))
    assert network.sent[0].headers["x-secret"] == "s3cret"
    assert "x-secret" not in network.sent[-1].headers


@pytest.mark.parametrize("size", [-1, 1 << 60, "9", 1.5, True])
def test_ghsa_f36w_mj3v_6jqv_oras_go_descriptor_sizes(size: object) -> None:
    """A size that is none is refused before anything is allocated. Defence: `Descriptor`."""
    layer = {"mediaType": "application/wasm", "digest": str(BLOB.digest), "size": size}
    with pytest.raises(InvalidInputError):
        served(manifest(layers=[layer])).repository("registry.example/a").fetch_manifest("v1")


def test_ghsa_f36w_mj3v_6jqv_a_large_size_allocates_nothing() -> None:
    """A manifest descriptor of terabytes is refused, a blob's is only a bound. Defence: `read_all`, `BlobPart`."""
    huge = Descriptor("application/wasm", BLOB.digest, 1 << 42)
    network = Network({HOME: lambda _: Answer(200, {}, b"some wasm")})
    with pytest.raises((InvalidInputError, RegistryError)):
        list(network.repository("registry.example/a").fetch(huge))
    with pytest.raises(InvalidInputError):
        network.repository("registry.example/a").push(
            Descriptor(mt.OCI_MANIFEST, BLOB.digest, 1 << 42), BytesContent(b"{}")
        )


@pytest.mark.parametrize("target", [f"{EVIL}/v2/a/tags/list", "http://other.example/v2/a/tags/list?n=1"])
@pytest.mark.parametrize("listing", ["tags", "referrers"])
def test_ghsa_h7vf_4x9w_h99v_oras_go_link_leads_away(listing: str, target: str) -> None:
    """A `Link` stays on its origin. Defence: `Pages.after`."""
    page = {"tags": ["a"], "manifests": [], "mediaType": mt.OCI_INDEX}
    answer = Answer(200, {"Link": f'<{target}>; rel="next"'}, json.dumps(page).encode())
    network = Network({HOME: lambda _: answer, EVIL: lambda _: answer})
    repository = network.repository("registry.example/a")
    with pytest.raises(UntrustedUrlError):
        list(repository.tags() if listing == "tags" else repository.referrers(BLOB))
    assert network.at(EVIL) == []


@pytest.mark.parametrize("listing", ["tags", "referrers"])
def test_ghsa_298f_872v_2rcx_oras_go_listings_without_end(listing: str) -> None:
    """A listing in a circle, or without end, is left. Defence: `Pages`."""
    page = json.dumps({"tags": ["a"], "manifests": [], "mediaType": mt.OCI_INDEX}).encode()

    def answer(_: Sent) -> Answer:
        assert len(network.sent) < 20, "still reading"
        return Answer(200, {"Link": "<?page=1>; rel=next"}, page)

    network = Network({HOME: answer})
    repository = network.repository("registry.example/a")
    with pytest.raises(EndlessListingError):
        list(repository.tags() if listing == "tags" else repository.referrers(BLOB))
    assert len(network.sent) == 2


def test_ghsa_298f_872v_2rcx_referrers_in_a_circle() -> None:
    """Two manifests that are each other's subject end a recursive copy anyway.

    Defence: `explore`'s visited set.
    """
    answer = fresh_core()
    raw = manifest(layers=[EMPTY_JSON.to_json()])
    root = Descriptor.of(mt.OCI_MANIFEST, raw)
    network = Network({HOME: answer})
    repository = network.repository("registry.example/a")
    repository.push(EMPTY_JSON, BytesContent(b"{}"))
    repository.push(root, BytesContent(raw), tag="v1")

    def circle(sent: Sent) -> Answer:
        if "/referrers/" in sent.path:  # whoever is asked about, the root refers to it
            page = {"schemaVersion": 2, "mediaType": mt.OCI_INDEX, "manifests": [root.to_json()]}
            return Answer(200, {"Content-Type": mt.OCI_INDEX}, json.dumps(page).encode())
        found = answer(sent)
        assert isinstance(found, Answer)
        return found

    network.hosts[HOME] = circle
    result = copy(repository, "v1", MemoryTarget(), recursive=True)
    assert result.root.digest == root.digest


def test_ghsa_whvf_jp7m_59f3_oras_custom_headers_leak() -> None:
    """Custom headers go to the registry's own origin, not to its token server, storage or uploads.

    Defence: `Session`.
    """

    def registry(sent: Sent) -> Answer:
        if sent.headers.get("authorization") is None:
            return Answer(401, {"WWW-Authenticate": f'Bearer realm="{EVIL}/token"'})
        return Answer(307, {"Location": "https://storage.example/x"})

    network = Network(
        {
            HOME: registry,
            EVIL: lambda _: token_answer(),
            "https://storage.example": lambda _: Answer(200, {}, b"some wasm"),
        }
    )
    list(network.repository("registry.example/a", headers={"X-Secret": "s3cret"}).fetch(BLOB))
    assert all(sent.headers["x-secret"] == "s3cret" for sent in network.at(HOME))
    assert_saw_no_secret(network, EVIL)
    assert_saw_no_secret(network, "https://storage.example")


def test_ghsa_5jhf_2qmf_m8c5_oras_debug_log_leaks() -> None:
    """No header, query value or token of any exchange is in the log.

    Defence: `redact` and the list of shown headers.
    """

    def registry(sent: Sent) -> Answer:
        if sent.path == "/token":
            return token_answer("t0ken")
        if sent.headers.get("authorization") != "Bearer t0ken":
            return Answer(401, {**CHALLENGE, "Set-Cookie": "sid=c00kie"})
        if sent.method == "POST":
            return Answer(202, {"Location": "/up?_state=st4te", "Link": "</x?token=l1nk>"})
        return Answer(201 if sent.method == "PUT" else 404, {"Location": "https://u:p4ss@h/x?sig=s1g"})

    network = Network({HOME: registry})
    repository = network.repository("registry.example/a", credential=SECRET, headers={"X-Secret": "h3ader"})
    repository.push(BLOB, BytesContent(b"some wasm"))
    text = "\n".join(network.logged)
    assert "> PUT https://registry.example/up?_state=...&digest=...;" in text
    for secret in ("t0ken", "s3cret", "c00kie", "st4te", "l1nk", "p4ss", "s1g", "h3ader", "YWxpY2U6"):
        assert secret not in text


@pytest.mark.parametrize("location", ["https://127.0.0.1:2375/x", "https://169.254.169.254/x", "http://evil.example/"])
def test_ggcr_2292_docker_cve_2026_33990_redirects_inwards(location: str) -> None:
    """A registry cannot have us ask our own network. Defence: `check_step`, called by `redirected`."""
    network = Network({HOME: lambda _: Answer(302, {"Location": location})})
    with pytest.raises(UntrustedUrlError):
        list(network.repository("registry.example/a").fetch(BLOB))
    assert {sent.origin for sent in network.sent} == {HOME}


def test_zot_cve_2024_39897_a_mount_is_not_a_way_around_permissions() -> None:
    """On our side: what a mount was refused for, a push has to be allowed for.

    Defence: `Repository.mount` returns False.
    """
    network = with_token(lambda _: Answer(403))
    connector = network.connector(credential=SECRET)
    target = connector.repository(Reference.parse("registry.example/a"))
    assert target.mount(BLOB, connector.repository(Reference.parse("registry.example/secret"))) is False


def test_requests_cve_2018_18074_auth_on_a_redirect_down() -> None:
    """From https to http is not followed: the same host is asked by https still. Defence: `check_step`, `join_own`."""
    network = with_token(lambda _: Answer(302, {"Location": "http://other.example/x"}))
    with pytest.raises(UntrustedUrlError):
        list(network.repository("registry.example/a", credential=SECRET).fetch(BLOB))
    network.hosts = with_token(lambda _: Answer(302, {"Location": "http://registry.example/x"})).hosts
    with pytest.raises(RedirectRefusedError):
        list(network.repository("registry.example/a", credential=SECRET).fetch(BLOB))
    assert {sent.origin for sent in network.sent} == {HOME}


def test_oras_1903_no_mount_between_identities() -> None:
    """A blob is mounted only if we are the same on both sides. Defence: `Repository.mount`."""
    network = with_token(lambda _: Answer(201))
    mine = network.connector(credential=SECRET).repository(Reference.parse("registry.example/mine"))
    theirs = network.connector(credential=Basic("bob", "x")).repository(Reference.parse("registry.example/theirs"))
    assert not mine.mount(BLOB, theirs)
    assert network.sent == []
    again = network.connector(credential=SECRET).repository(Reference.parse("registry.example/other"))
    assert mine.mount(BLOB, again)


def test_cve_2021_21272_oras_zip_slip_nothing_is_unpacked() -> None:
    """What a pull gives is the bytes of one blob; a title is never used as a path here. Defence: by absence."""
    folder = Path(wasm2oci.registry.__file__).parent
    for path in folder.glob("*.py"):
        source = path.read_text("utf-8")
        assert "import tarfile" not in source
        assert "import zipfile" not in source
        assert ".title" not in source


def test_simulated_registries_are_the_real_core() -> None:
    """What the attacks above are built on works when nobody attacks."""
    network = Network({HOME: fresh_core()})
    repository = network.repository("registry.example/a", writes=True)
    repository.push(BLOB, BytesContent(b"some wasm"))
    assert b"".join(repository.fetch(BLOB)) == b"some wasm"


@pytest.mark.parametrize("status", [307, 308])
@pytest.mark.parametrize("elsewhere", [EVIL, "https://registry.example:8443", "https://REGISTRY.example.evil.example"])
@pytest.mark.parametrize(
    "credential", [IdentityToken("r3fresh", "a file"), Basic(AZURE_NULL_USER, "r3fresh", "a file")]
)
def test_an_identity_token_does_not_follow_a_redirect(status: int, elsewhere: str, credential: Credential) -> None:
    """The body of a token POST cannot be left behind as headers are. Defence: `Request.secret`, `redirected`."""
    stolen: list[Sent] = []

    def token_server(sent: Sent) -> Answer:
        if sent.path == "/token":
            return Answer(307, {"Location": f"{HOME}/token2"})
        return Answer(status, {"Location": f"{elsewhere}/token"})

    def registry(sent: Sent) -> Answer:
        return token_server(sent) if sent.path.startswith("/token") else Answer(401, CHALLENGE)

    def thief(sent: Sent) -> Answer:
        stolen.append(sent)
        return token_answer("t0ken")

    network = Network({HOME: registry, EVIL: thief, elsewhere.lower(): thief})
    with pytest.raises(RedirectRefusedError, match="secret"):
        network.repository("registry.example/a", credential=credential).fetch_manifest("v1")
    assert stolen == []
    assert any("r3fresh" in sent.body.decode() for sent in network.at(HOME)), "the token server itself is given it"
