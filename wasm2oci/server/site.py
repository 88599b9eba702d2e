"""The page for people: repositories, tags and artifacts, as plain HTML without scripts and without other files.

    /                        repositories
    /r/<repository>          its tags and untagged manifests
    /r/<repository>@<digest> an artifact; `:<tag>` works too

What a module is made of is not this package's knowledge: the maker of a `Site` hands in `describe`.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from wasm2oci.errors import InvalidInputError, LocalIOError
from wasm2oci.oci.digest import Digest
from wasm2oci.oci.endpoints import GET_BLOB
from wasm2oci.oci.manifest import Index, parse_manifest
from wasm2oci.oci.reference import check_repository, check_tag
from wasm2oci.oci.referrers import COSIGN_ENDINGS, cosign_tag, listed_as_referrer, names_a_subject
from wasm2oci.server.fairness import Effort, Peer, Turns
from wasm2oci.server.html import document, element, shown_size, table
from wasm2oci.server.messages import BytesBody, Response
from wasm2oci.server.style import POLICY, STYLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wasm2oci.engine.facts import Extern, ModuleFacts
    from wasm2oci.oci.descriptor import Descriptor
    from wasm2oci.oci.manifest import Manifest
    from wasm2oci.server.access import Access
    from wasm2oci.server.html import Markup
    from wasm2oci.server.messages import Request
    from wasm2oci.server.storage import Storage, StoredManifest

__all__ = ["ArtifactFacts", "Site", "nothing_known"]

_ROWS_MAX: Final = 500
_READ_MAX: Final = 16 << 20
"""Bytes of manifests that one page reads to say something about each; the rest are named only."""
_ROW_COST: Final = 1000
"""What writing a row of a table counts as, in bytes that are worked through."""
_TAG_COST: Final = 32
_PATH: Final = "/r/"
_NOTARY: Final = "application/vnd.cncf.notary.signature"
_COSIGN_SIGNATURE: Final = "https://sigstore.dev/cosign/sign/v1"
_SIGNED: Final = "Signed, not verified here: a registry trusts no keys."
_UNSIGNED: Final = "Not signed."


@dataclass(frozen=True, slots=True)
class ArtifactFacts:
    """What is known about an artifact's module.

    Attributes:
        profile: the layout it was packed by, None when it is none that is known.
        digest: of the module's bytes; None when there is no module to look into.
        module: what the module declares; None when there is none to look into.
        problem: why not, None when there is.
        counts: how many imports and exports the module has; `module` may hold the first of them only.
    """

    profile: str | None = None
    digest: Digest | None = None
    module: ModuleFacts | None = None
    problem: str | None = None
    counts: tuple[int, int] = (0, 0)


def nothing_known(repository: str, stored: StoredManifest, effort: Effort) -> ArtifactFacts:
    """A `describe` that looks into nothing."""
    del repository, stored, effort
    return ArtifactFacts()


class Site:
    """Answers what is not below `/v2/`; give its `answer` to a `Registry`.

    Args:
        storage: of the registry.
        access: its rules: a page shows a user nothing that the user may not pull.
        describe: what a manifest's module is made of; takes a turn of the effort before what takes long. Raises nothing
            but the `ProblemError` of that.
    """

    def __init__(
        self,
        storage: Storage,
        access: Access,
        describe: Callable[[str, StoredManifest, Effort], ArtifactFacts] = nothing_known,
    ) -> None:
        self._storage, self._access, self._describe = storage, access, describe
        self._turns = Turns(1)

    def answer(self, request: Request, user: str) -> Response | None:
        """The page at a path, or None when there is none.

        Raises:
            ProblemError: it takes long, and too many wait for their turn.
        """
        with Effort(self._turns, Peer.of(request.peer)) as effort:
            return self._answer(request, user, effort)

    def _answer(self, request: Request, user: str, effort: Effort) -> Response | None:
        path = request.path
        if request.method not in ("GET", "HEAD"):
            return None
        host = request.headers.combined("Host") or "localhost"
        if path == "/":
            return _page("Registry", host, *self._repositories(user, effort))
        if not path.startswith(_PATH):
            return None
        try:
            repository, reference = _parse(path[len(_PATH) :])
        except InvalidInputError:
            return None
        if not self._access.allows(user, "pull", repository) or not self._storage.has_repository(repository):
            return None
        if reference is None:
            return _page(repository, host, *self._repository(repository, effort))
        stored = self._storage.manifest(repository, reference)
        if stored is None:
            return None
        tag = None if isinstance(reference, Digest) else reference
        title = f"{repository}:{tag}" if tag else f"{repository}@{stored.digest.short}"
        return _page(title, host, *self._artifact(repository, stored, tag, host, effort))

    def _repositories(self, user: str, effort: Effort) -> Iterator[Markup]:
        names = [name for name in self._storage.repositories() if self._access.allows(user, "pull", name)]
        yield element("h1", "Repositories")
        yield element("p", _count(len(names), "repository", "repositories"), class_="lead")
        if not names:
            yield element(
                "section",
                element("p", "Nothing is here yet. Publish a module:", class_="what"),
                element("code", "wasm2oci push hello.wasm HOST/hello:v1", class_="command"),
            )
            return
        rows = []
        for name in names[:_ROWS_MAX]:
            try:
                tags = sorted(self._visible_tags(name))
            except LocalIOError:  # one repository is damaged, and the others are not
                rows.append([name, element("span", "cannot be read", class_="what"), ""])
                continue
            effort.spend(_ROW_COST + _TAG_COST * len(tags))
            pills = [element("a", tag, href=f"{_PATH}{name}:{tag}", class_="pill") for tag in tags[:6]]
            more = element("span", f"and {len(tags) - 6} more", class_="what") if len(tags) > 6 else None
            rows.append([element("a", name, href=f"{_PATH}{name}"), element("span", *pills, more), str(len(tags))])
        yield element("section", table(("Repository", "Tags", "#Count"), rows), _more(len(names)))

    def _repository(self, repository: str, effort: Effort) -> Iterator[Markup]:
        tags = self._storage.tags(repository)
        effort.spend(_TAG_COST * len(tags))
        yield element("div", element("a", "Repositories", href="/"), " / ", class_="crumbs")
        yield element("h1", repository)
        visible = sorted(tag for tag in tags if not names_a_subject(tag))
        yield element("p", _count(len(visible), "tag", "tags"), class_="lead")
        shown = visible[:_ROWS_MAX]
        summaries = self._summaries(repository, [tags[tag] for tag in shown], effort)
        rows = [
            [element("a", tag, href=f"{_PATH}{repository}:{tag}", class_="pill"), *summary]
            for tag, summary in zip(shown, summaries, strict=True)
        ]
        columns = ("Tag", "Type", "Manifest", "#Size")
        yield element("section", table(columns, rows) if rows else element("p", "No tags.", class_="empty"))
        tagged = set(tags.values())
        untagged = [digest for digest in self._storage.manifests(repository) if digest not in tagged]
        rows = list(self._summaries(repository, untagged[:_ROWS_MAX], effort))
        if rows:
            yield element("section", element("h2", "Without a tag"), table(columns[1:], rows), _more(len(untagged)))

    def _summaries(self, repository: str, digests: list[Digest], effort: Effort) -> Iterator[list[str]]:
        """A row for each manifest; when enough bytes were read, with its digest only."""
        left = _READ_MAX
        for digest in digests:
            stored = self._storage.manifest(repository, digest) if left > 0 else None
            effort.spend(_ROW_COST)
            if stored is None:
                yield ["", _link(repository, digest), ""]
                continue
            left -= len(stored.raw)
            effort.spend(len(stored.raw))
            yield _summary(repository, stored)

    def _artifact(
        self, repository: str, stored: StoredManifest, tag: str | None, host: str, effort: Effort
    ) -> Iterator[Markup]:
        effort.spend(len(stored.raw))
        manifest = parse_manifest(stored.raw, stored.media_type)
        facts = self._describe(repository, stored, effort)
        if facts.module is not None:
            externs = (*facts.module.imports, *facts.module.exports)
            effort.spend(_ROW_COST * (len(externs) + sum(len(extern.members) for extern in externs)))
        yield element(
            "div",
            element("a", "Repositories", href="/"),
            " / ",
            element("a", repository, href=f"{_PATH}{repository}"),
            " / ",
            class_="crumbs",
        )
        yield element("h1", f"{repository}:{tag}" if tag else repository)
        yield element("p", element("code", str(stored.digest)), class_="lead")
        name = f"{host}/{repository}"
        pinned = f"{name}@{stored.digest}"
        commands = [
            element("p", "Get it, verified", class_="what"),
            element("code", f"wasm2oci pull {f'{name}:{tag}' if tag else pinned}", class_="command"),
        ]
        if facts.module is not None:
            commands += [
                element("p", "Run exactly this one", class_="what"),
                element("code", f"wasm2oci run {pinned}", class_="command"),
            ]
        yield element("section", *commands)
        named = self._storage.tags(repository)
        effort.spend(_TAG_COST * len(named))
        tags = sorted(name for name, digest in named.items() if digest == stored.digest)
        yield element(
            "div",
            element("section", element("h2", "Artifact"), _facts(_artifact_rows(manifest, stored, facts, tags))),
            element("section", element("h2", "Module"), *_module(facts)),
            class_="grid",
        )
        if facts.module is not None:
            yield from _externs("Imports", facts.module.imports, facts.counts[0])
            yield from _externs("Exports", facts.module.exports, facts.counts[1])
        yield element("section", element("h2", "Content"), _parts(repository, manifest))
        if manifest.annotations:
            rows: list[list[str]] = [
                [element("code", key), value] for key, value in sorted(manifest.annotations.items())
            ]
            listing = table(("Annotation", "Value"), rows[:_ROWS_MAX])
            yield element("section", element("h2", "Annotations"), listing, _more(len(rows)))
        yield element(
            "section", element("h2", "Signatures and other referrers"), self._referrers(repository, stored, effort)
        )

    def _referrers(self, repository: str, stored: StoredManifest, effort: Effort) -> Markup:
        rows: list[list[str]] = []
        signed = False
        left = _READ_MAX
        for referrer in itertools.islice(self._storage.referrers(repository, stored.digest), _ROWS_MAX):
            left -= len(referrer.raw)
            if left < 0:
                break
            effort.spend(len(referrer.raw))
            entry = listed_as_referrer(referrer.digest, referrer.media_type, referrer.raw)
            if entry is not None:
                annotations = ", ".join(f"{key}={text}" for key, text in sorted(entry.annotations.items()))
                kind = entry.artifact_type or entry.media_type
                predicate = entry.annotations.get("dev.sigstore.bundle.predicateType")
                signed |= kind == _NOTARY or predicate == _COSIGN_SIGNATURE
                rows.append([_pill(kind), _link(repository, referrer.digest), annotations])
        tags = self._storage.tags(repository)
        for ending in COSIGN_ENDINGS:
            tag = cosign_tag(stored.digest, ending)
            if tag in tags:
                signed |= ending == "sig"
                rows.append([_pill(f"cosign {ending}"), _link(repository, tags[tag]), "by tag"])
        if not rows:
            return element("p", f"{_UNSIGNED} Nothing refers to it.", class_="empty")
        listing = table(("Type", "Manifest", "Annotations"), rows[:_ROWS_MAX])
        return element("div", element("p", _SIGNED if signed else _UNSIGNED), listing)

    def _visible_tags(self, repository: str) -> list[str]:
        # Tags that list another manifest's referrers are shown with that manifest.
        return [tag for tag in self._storage.tags(repository) if not names_a_subject(tag)]


def _parse(text: str) -> tuple[str, Digest | str | None]:
    name, at, digest = text.partition("@")
    if at:
        return check_repository(name), Digest.parse(digest)
    name, colon, tag = text.partition(":")
    return check_repository(name), check_tag(tag) if colon else None


def _page(title: str, host: str, *content: Markup) -> Response:
    bar = element(
        "div",
        element("span", class_="logo"),
        element("a", "wasm2oci registry", href="/"),
        element("span", host, class_="where"),
        class_="bar",
    )
    footer = element(
        "footer",
        "An OCI registry served by wasm2oci. Everything here is reached by the same names from any OCI tool.",
    )
    body = document(f"{title} · wasm2oci", STYLE, element("header", bar), element("main", *content), footer)
    headers = (
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Security-Policy", POLICY),
        ("Referrer-Policy", "no-referrer"),
        ("Cache-Control", "no-store"),
    )
    return Response(200, headers, BytesBody(body))


def _summary(repository: str, stored: StoredManifest) -> list[str]:
    manifest = parse_manifest(stored.raw, stored.media_type)
    size = sum(child.size for child in manifest.children)
    return [_pill(manifest.effective_type), _link(repository, stored.digest), shown_size(size)]


def _artifact_rows(
    manifest: Manifest | Index, stored: StoredManifest, facts: ArtifactFacts, tags: list[str]
) -> Iterator[tuple[str, str]]:
    if facts.profile is not None:
        yield "Profile", facts.profile
    yield "Type", manifest.effective_type
    yield "Media type", stored.media_type
    yield "Content", shown_size(sum(child.size for child in manifest.children))
    yield "Manifest", shown_size(len(stored.raw))
    if tags:
        yield "Tags", element("span", *[_pill(tag) for tag in tags])
    if manifest.subject is not None:
        yield "Belongs to", element("code", str(manifest.subject.digest))


def _module(facts: ArtifactFacts) -> Iterator[Markup]:
    module = facts.module
    if module is None:
        yield element("p", facts.problem or "There is no WebAssembly module in it.", class_="empty")
        return
    rows = [
        ("Kind", "component" if module.kind == "component" else "core module"),
        ("Size", shown_size(module.size)),
        ("SHA-256", element("code", facts.digest.encoded if facts.digest is not None else "")),
    ]
    if module.kind != "component":
        rows.append(("Functions", f"{module.functions:,}"))
    if module.features:
        rows.append(("Features", element("span", *[_pill(feature) for feature in module.features])))
    if module.made_by:
        rows.append(("Made by", ", ".join(module.made_by)))
    yield _facts(rows)


def _externs(title: str, externs: tuple[Extern, ...], count: int) -> Iterator[Markup]:
    if externs:
        rows: list[list[str]] = []
        for item in externs[:_ROWS_MAX]:
            rows.append([element("code", item.full_name), _pill(item.kind), element("code", item.type or "")])
            rows += [
                [element("code", one.name, class_="inner"), _pill(one.kind), element("code", one.type or "")]
                for one in item.members
            ]
        listing = table(("Name", "Kind", "Type"), rows)
        yield element("section", element("h2", f"{title} ({count:,})"), listing, _more(count))


def _parts(repository: str, manifest: Manifest | Index) -> Markup:
    rows: list[list[str]] = []
    for child in manifest.children[:_ROWS_MAX]:
        if isinstance(manifest, Index):
            link = _link(repository, child.digest)
        else:
            link = element("a", element("code", child.digest.short), href=GET_BLOB.at(repository, child.digest))
        rows.append([element("code", child.media_type), child.title or _platform(child), link, shown_size(child.size)])
    return table(("Media type", "Name", "Digest", "#Size"), rows)


def _platform(child: Descriptor) -> str:
    platform = child.platform or {}
    return "/".join(str(platform[key]) for key in ("os", "architecture") if key in platform)


def _facts(rows: Iterator[tuple[str, str]] | list[tuple[str, str]]) -> Markup:
    return element(
        "table", *[element("tr", element("th", key), element("td", value)) for key, value in rows], class_="facts"
    )


def _link(repository: str, digest: Digest) -> Markup:
    return element("a", element("code", digest.short), href=f"{_PATH}{repository}@{digest}", title=str(digest))


def _pill(text: str) -> Markup:
    return element("span", text, class_="pill")


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _more(number: int) -> Markup | None:
    return element("p", f"The first {_ROWS_MAX} of {number:,}.", class_="note") if number > _ROWS_MAX else None
