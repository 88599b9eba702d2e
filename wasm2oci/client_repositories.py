"""The part of `Client` that is about what repositories hold: tags, copies, deletions; see `wasm2oci.client`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wasm2oci.client_modules import ModuleMethods, location_of, no_progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wasm2oci.content.progress import Progress
    from wasm2oci.operations.copy import Copied, CopyRequest
    from wasm2oci.operations.copy_tags import CopiedTags
    from wasm2oci.operations.delete import Deleted
    from wasm2oci.operations.repositories import Repositories
    from wasm2oci.operations.resolve import Resolved
    from wasm2oci.operations.tag import Tagged
    from wasm2oci.operations.tags import TagOrder, Tags
    from wasm2oci.operations.tree import Tree
    from wasm2oci.operations.trust import TrustOptions
    from wasm2oci.registry.options import ConnectOptions

__all__ = ["RepositoryMethods"]


class RepositoryMethods(ModuleMethods):
    """What `Client` does with repositories."""

    def resolve(self, reference: str, *, platform: str | None = None) -> Resolved:
        """Which digest a tag means, without downloading anything where the place allows that.

        Args:
            reference: where it is.
            platform: the entry of an index that is meant, instead of the index (`os/architecture`).

        Raises:
            NotFoundError: no artifact has this name.
            Wasm2OciError: the place cannot be read.
        """
        from wasm2oci.operations.resolve import resolve

        return resolve(location_of(reference), self.environment, platform)

    def tree(self, reference: str, *, trust: TrustOptions | None = None) -> Tree:
        """An artifact with all that belongs to it: parts, attestations, signatures, and what else refers to it.

        Args:
            reference: where it is.
            trust: what is verified, besides what policy files ask for.

        Raises:
            NotFoundError: no artifact has this name.
            Wasm2OciError: the place cannot be read.
        """
        from wasm2oci.operations.tree import tree
        from wasm2oci.operations.trust import TrustOptions

        return tree(location_of(reference), trust or TrustOptions(), self.environment)

    def tags(
        self,
        repository: str,
        *,
        everything: bool = False,
        order: TagOrder | str = "name",
        reverse: bool = False,
        limit: int | None = None,
        of: str | None = None,
    ) -> Tags:
        """The tags of a repository or layout.

        Args:
            repository: `HOST/NAME`, or a layout.
            everything: those of signatures and referrers, too.
            order: `name`, or `version`: 1.9 before 1.10.
            reverse: the last ones first.
            limit: the most that are listed.
            of: only tags that mean the manifest of this tag or digest; each tag costs one question.

        Raises:
            NotFoundError: there is no such repository, or nothing is named as `of` says.
            Wasm2OciError: the place cannot be read.
        """
        from wasm2oci.operations.tags import TagOrder, TagsRequest, tags

        request = TagsRequest(location_of(repository), everything, TagOrder(order), reverse, limit, of)
        return tags(request, self.environment)

    def repositories(self, registry: str, *, limit: int | None = None) -> Repositories:
        """The repositories of a registry, where it lists them.

        Args:
            registry: `HOST`, or `HOST/PREFIX` for those below a prefix.
            limit: the most that are listed.

        Raises:
            UnsupportedError: the registry does not list its repositories.
            Wasm2OciError: it cannot be asked.
        """
        from wasm2oci.operations.repositories import repositories

        return repositories(registry, limit, self.environment)

    def tag(self, reference: str, *tags: str) -> Tagged:
        """Give an artifact further tags where it is.

        Raises:
            InvalidReferenceError: one of them is not a tag; nothing was done.
            NotFoundError: no artifact has this name.
            Wasm2OciError: the place cannot be read or written.
        """
        from wasm2oci.operations.tag import tag

        return tag(location_of(reference), tags, self.environment)

    def copy(
        self,
        source: str,
        destination: str,
        *,
        recursive: bool = False,
        platform: str | None = None,
        overwrite: bool = True,
        workers: int | None = None,
        max_size: int | None = None,
        trust: TrustOptions | None = None,
        destination_options: ConnectOptions | None = None,
        progress: Progress | None = None,
    ) -> Copied:
        """Copy an artifact between registries and layouts, byte for byte.

        Args:
            source: where it is.
            destination: where it goes; without a tag, the source's tag is kept; several are written `NAME:TAG,TAG`.
            recursive: take along signatures and all else that refers to it.
            platform: the entry of an index that is copied, instead of the index (`os/architecture`).
            overwrite: whether a tag that means something else there is moved.
            workers: transfers at once; 4 by default.
            max_size: bytes of all content of an artifact together; 64 GiB by default.
            trust: whose signature the source must have, besides what policy files ask for.
            destination_options: how the destination is reached, if not like the source.
            progress: called with what moves, from several threads.

        Raises:
            UsageError: a password or a header would go to two registries.
            NotFoundError: the source names nothing.
            ArtifactTooLargeError: it has more content than it may have; nothing was copied.
            IntegrityError: bytes are not what a manifest says, a signature is missing, the destination has another
                digest, or a tag means something else and is not overwritten; the tag there was not touched.
            Wasm2OciError: either place failed; `side` says which.
        """
        from wasm2oci.operations.copy import copy

        request = _copy_request(
            source,
            destination,
            recursive=recursive,
            platform=platform,
            overwrite=overwrite,
            workers=workers,
            max_size=max_size,
            trust=trust,
            destination_options=destination_options,
        )
        return copy(request, self.environment, progress or no_progress())

    def copy_tags(
        self,
        source: str,
        destination: str,
        tags: Sequence[str] = ("*",),
        *,
        dry_run: bool = False,
        recursive: bool = False,
        platform: str | None = None,
        overwrite: bool = True,
        workers: int | None = None,
        max_size: int | None = None,
        trust: TrustOptions | None = None,
        destination_options: ConnectOptions | None = None,
        progress: Progress | None = None,
    ) -> CopiedTags:
        """Copy the tags of a repository that match, or say what a copy would do.

        Args:
            source: a repository; or one artifact (for a dry run), whose tag or digest then counts alone.
            destination: a repository; for one artifact as with `copy`.
            tags: shell patterns, one of which a tag has to match.
            dry_run: write nothing.
            recursive: take along signatures and all else that refers to them.
            platform: the entry of each index that is copied, instead of the index.
            overwrite: whether a tag that means something else there is moved; else it is kept.
            workers: transfers at once; 4 by default.
            max_size: bytes of all content of an artifact together; 64 GiB by default.
            trust: whose signature each must have, besides what policy files ask for.
            destination_options: how the destination is reached, if not like the source.
            progress: called with what moves, from several threads.

        Raises:
            UsageError: several tags are copied, and the destination has one itself.
            NotFoundError: there is no such repository, or no tag matches.
            Wasm2OciError: see `copy`; what was copied before stays.
        """
        from wasm2oci.operations.copy_tags import copy_tags

        request = _copy_request(
            source,
            destination,
            recursive=recursive,
            platform=platform,
            overwrite=overwrite,
            workers=workers,
            max_size=max_size,
            trust=trust,
            destination_options=destination_options,
        )
        return copy_tags(request, tuple(tags), self.environment, progress or no_progress(), dry_run=dry_run)

    def delete(self, reference: str, *, tag_only: bool = False) -> Deleted:
        """Remove an artifact with all its tags, or (`tag_only`) one tag.

        Raises:
            NotFoundError: no artifact has this name.
            UnsupportedError: the place does not delete, or cannot remove a tag alone.
            UsageError: `tag_only`, and the reference names no tag.
            Wasm2OciError: the place cannot be read or written.
        """
        from wasm2oci.operations.delete import delete

        return delete(location_of(reference), self.environment, tag_only=tag_only)

    def complete(self, text: str) -> tuple[str, ...]:
        """How a reference that begins so may go on: registries with kept credentials, layouts here, tags.

        What ends in `/` or `:` goes on. Nothing is raised: what cannot be found out is left out.
        """
        from wasm2oci.operations.complete import complete_reference

        return complete_reference(text, self.environment)

    def complete_host(self, text: str) -> tuple[str, ...]:
        """Registries with kept credentials whose name begins so."""
        from wasm2oci.operations.complete import complete_host

        return complete_host(text, self.environment)


def _copy_request(
    source: str,
    destination: str,
    *,
    recursive: bool,
    platform: str | None,
    overwrite: bool,
    workers: int | None,
    max_size: int | None,
    trust: TrustOptions | None,
    destination_options: ConnectOptions | None,
) -> CopyRequest:
    from wasm2oci.operations.copy import CopyRequest
    from wasm2oci.operations.names import split_tags
    from wasm2oci.operations.trust import TrustOptions

    if destination_options is not None:
        destination_options.check()
    place, further = split_tags(destination)
    request = CopyRequest(
        source=location_of(source),
        destination=place,
        recursive=recursive,
        destination_options=destination_options,
        trust=trust or TrustOptions(),
        further_tags=further,
        platform=platform,
        overwrite=overwrite,
    )
    limits: dict[str, Any] = {"workers": workers, "max_size": max_size}
    return request._replace(**{name: value for name, value in limits.items() if value is not None})
