"""What is special about each registry: one row for each product, which all other code reads.

The client behaves the same towards all registries, but for the facts in these rows; `docs/registries.md` is made from
them. A row with `hosts` is found by the registry's host. The others run under names of their owner's choice, so
nothing that they need can depend on the row.

Sources: `docs/decisions`, and the documentation and issues of each product.
"""

from __future__ import annotations

from typing import Final

from wasm2oci.base.records import NamedTuple
from wasm2oci.oci.host import HUB_HOSTS, HUB_NAMESPACE

__all__ = [
    "AZURE_NULL_USER",
    "FLAVOURS",
    "GENERAL_REFUSALS",
    "HUB_KEY",
    "IDENTITY_USERS",
    "Flavour",
    "KnownRefusal",
    "find_flavour",
    "same_registry",
]

_MIB: Final = 1 << 20
AZURE_NULL_USER: Final = "00000000-0000-0000-0000-000000000000"
HUB_KEY: Final = "https://index.docker.io/v1/"


class KnownRefusal(NamedTuple):
    """A refusal that users of a registry meet, and what to do about it.

    Args:
        says: a lower-case part of the codes and messages of the answer, or the empty string for any.
        pushing: whether the row is for pushes only.
        hint: the sentence; `{host}` and `{name}` are replaced by the registry and the repository.
    """

    says: str
    pushing: bool
    hint: str


class Flavour(NamedTuple):
    """One registry product or service.

    Args:
        product: its name.
        hosts: the ends of its hosts' names; empty for a product that runs anywhere.
        address: where it really answers, when that is not at the host that users write.
        key: the key of its credentials in docker's files, when that is not the host.
        namespace: what is put before a repository name without a slash.
        token_variable: an environment variable with a password for it, and the one with the user's name.
        identity_user: the user name with which a password is an identity token, for OAuth2.
        chunk: bytes of a chunk, when an upload goes in chunks.
        hinted_absence: whether a 404 means something that the hints explain (a repository that has to be made first).
        refusals: the special ones before the general ones: the first that fits counts.
        referrers: how it lists referrers.
        deleting: how something is deleted, where the registry's API does not do it.
        login: commands that log in.
        ci: a command that logs in from its own CI, or from a job in its cloud.
        profile: the profile whose artifacts it takes, when that is not every one.
        notes: sentences for users.
    """

    product: str
    hosts: tuple[str, ...] = ()
    address: str | None = None
    key: str | None = None
    namespace: str | None = None
    token_variable: tuple[str, str] | None = None
    identity_user: str | None = None
    chunk: int = 8 * _MIB
    hinted_absence: bool = False
    refusals: tuple[KnownRefusal, ...] = ()
    referrers: str = "API"
    deleting: str | None = None
    login: tuple[str, ...] = ("wasm2oci login HOST -u USER --password-stdin",)
    ci: str | None = None
    profile: str | None = None
    notes: tuple[str, ...] = ()

    def covers(self, host: str) -> bool:
        """Whether a registry's host is one of this product's; with a port, only if it answers where users write."""
        name = host if self.address is not None else host.partition(":")[0]
        return any(name == end.lstrip(".-") or (end[0] in ".-" and name.endswith(end)) for end in self.hosts)


_HUB: Final = Flavour(
    "Docker Hub",
    hosts=HUB_HOSTS,
    address=HUB_HOSTS[-1],
    key=HUB_KEY,
    namespace=HUB_NAMESPACE,
    refusals=(
        KnownRefusal("toomanyrequests", False, "Docker Hub limits pulls for each account or address: log in, or wait"),
        KnownRefusal(
            "",
            True,
            "Docker Hub names are ACCOUNT/NAME: log in as the account that owns {name}, with a token that may write",
        ),
    ),
    deleting="Docker Hub deletes on its web site only",
    login=("wasm2oci login docker.io -u ACCOUNT --password-stdin",),
    notes=(
        "A repository name without a slash is one of the `library`.",
        "Reading a manifest counts as a pull, asking for its headers does not: `resolve` asks for headers.",
    ),
)

FLAVOURS: Final = (
    Flavour(
        "GitHub Container Registry",
        hosts=("ghcr.io",),
        token_variable=("GITHUB_TOKEN", "GITHUB_ACTOR"),
        chunk=3 * _MIB + _MIB // 2,  # it refuses more than 4 MiB
        refusals=(
            KnownRefusal("installation not allowed to", True, "give the workflow job `permissions: packages: write`"),
            KnownRefusal(
                "write_package",
                True,
                "the package does not let this repository write: add it under the package's settings, Manage Actions"
                " access",
            ),
            KnownRefusal(
                "create_package",
                True,
                "this account may not create packages in {name}: the token needs write:packages, and the owner must"
                " allow it",
            ),
            KnownRefusal("scope", True, "the token needs the scope write:packages"),
            KnownRefusal("", True, "log in with a token that has the scope write:packages and access to {name}"),
            KnownRefusal(
                "", False, "a private package needs a token with the scope read:packages: log in to {host} with one"
            ),
        ),
        referrers="fallback tag",
        deleting="ghcr.io deletes on GitHub only: in the package's settings, or with `gh api --method DELETE`",
        login=("wasm2oci login ghcr.io -u ACCOUNT --password-stdin",),
        notes=(
            "The password is a personal access token with `read:packages`, or `write:packages` to push.",
            "In GitHub Actions, `GITHUB_TOKEN` in the environment is enough; pushing needs `packages: write`.",
        ),
    ),
    Flavour(
        "Azure Container Registry",
        hosts=(".azurecr.io",),
        identity_user=AZURE_NULL_USER,
        refusals=(
            KnownRefusal(
                "is not allowed access",
                False,
                "the registry's network rules refuse this address: allow it under Networking, or use a private"
                " endpoint",
            ),
            KnownRefusal(
                "",
                True,
                "the identity needs the role AcrPush; `az acr login --name REGISTRY` stores a token for {host}",
            ),
            KnownRefusal(
                "",
                False,
                "the identity needs the role AcrPull; `az acr login --name REGISTRY` stores a token for {host}",
            ),
        ),
        login=("az acr login --name REGISTRY",),
        ci="az acr login --name REGISTRY",
        notes=(
            "`az acr login` stores an identity token, which is exchanged for a token for each repository.",
            "Pulling needs the role AcrPull, pushing the role AcrPush.",
        ),
    ),
    Flavour(
        "Amazon Elastic Container Registry",
        hosts=(".amazonaws.com",),
        chunk=10 * _MIB,  # it refuses less than 5 MB
        hinted_absence=True,
        refusals=(
            KnownRefusal(
                "expired",
                False,
                "ECR passwords last 12 hours: log in to {host} again, user AWS, with what `aws ecr get-login-password`"
                " prints",
            ),
            KnownRefusal(
                "does not exist",
                False,
                "ECR repositories must exist first: `aws ecr create-repository --repository-name {name}`",
            ),
            KnownRefusal(
                "name_unknown",
                False,
                "ECR repositories must exist first: `aws ecr create-repository --repository-name {name}`",
            ),
            KnownRefusal("", False, "log in to {host}, user AWS, with what `aws ecr get-login-password` prints"),
        ),
        deleting="ECR deletes with `aws ecr batch-delete-image`",
        ci="aws ecr get-login-password | wasm2oci login HOST -u AWS --password-stdin",
        login=("aws ecr get-login-password | wasm2oci login HOST -u AWS --password-stdin",),
        notes=(
            "A repository has to be made before the first push.",
            "A password is good for 12 hours.",
        ),
    ),
    _HUB,
    Flavour(
        "Google Artifact Registry",
        hosts=("-docker.pkg.dev",),
        hinted_absence=True,
        refusals=(
            KnownRefusal(
                "not found",
                False,
                "create the Artifact Registry repository first; names are PROJECT/REPOSITORY/IMAGE",
            ),
            KnownRefusal("", True, "the account needs the role roles/artifactregistry.writer on {name}"),
            KnownRefusal("", False, "the account needs the role roles/artifactregistry.reader on {name}"),
        ),
        ci="gcloud auth print-access-token | wasm2oci login HOST -u oauth2accesstoken --password-stdin",
        login=("gcloud auth print-access-token | wasm2oci login HOST -u oauth2accesstoken --password-stdin",),
        notes=(
            "Names are PROJECT/REPOSITORY/IMAGE, and the repository has to be made first.",
            "A manifest is deleted only after its tags: remove each tag first.",
            "Uploads in chunks are not taken, and blobs of no bytes neither; this tool sends neither by itself.",
        ),
    ),
    Flavour(
        "GitLab",
        hosts=("gitlab.com", ".gitlab.com"),
        refusals=(
            KnownRefusal(
                "",
                True,
                "the token needs the scopes read_registry and write_registry, and the Developer role in the project",
            ),
        ),
        referrers="fallback tag",
        ci='printenv CI_REGISTRY_PASSWORD | wasm2oci login "$CI_REGISTRY" -u "$CI_REGISTRY_USER" --password-stdin',
        profile="wasm-to-oci",
        login=("wasm2oci login registry.gitlab.com -u USER --password-stdin",),
        notes=(
            "The password is an access token with `read_registry`, and `write_registry` to push.",
            "It takes only media types that it knows.",
            "Deleting needs a scope of its own.",
            "It lists no referrers: signatures are found under tags.",
            "It takes a signature that is a referrer only after what was signed; `copy -r` and `push --sign` do so.",
        ),
    ),
    Flavour(
        "Harbor",
        referrers="API since 2.8.1; before 2.11 not always complete",
        notes=(
            "Names of robot accounts hold a `$`: quote them in a shell.",
            "A tag may be immutable (412); pushing what it means already succeeds.",
            "A project that is a proxy cache takes no pushes.",
        ),
    ),
    Flavour(
        "Quay",
        hosts=("quay.io",),
        refusals=(KnownRefusal("", True, "the robot account needs write permission on {name}"),),
        login=("wasm2oci login quay.io -u ACCOUNT+ROBOT --password-stdin",),
        notes=(
            "A robot account needs write permission on the repository to push.",
            "One of your own takes other artifacts than images only if `ALLOWED_OCI_ARTIFACT_TYPES` names their types.",
        ),
    ),
    Flavour(
        "JFrog Artifactory",
        referrers="API in newer versions, before them fallback tag",
        notes=(
            "The repository has to be of the type OCI or Docker; the password is an identity token.",
            "Old versions answer 404 to an upload in one request; it then goes in chunks.",
        ),
    ),
    Flavour(
        "Gitea and Forgejo",
        referrers="fallback tag",
        notes=("Names are OWNER/NAME; the password is an access token that may write packages.",),
    ),
    Flavour(
        "Sonatype Nexus",
        referrers="fallback tag",
        notes=(
            "Each Docker repository has a host or a port of its own.",
            "Reading without credentials needs the realm `Docker Bearer Token`.",
        ),
    ),
    Flavour(
        "distribution (Docker's registry)",
        referrers="fallback tag",
        notes=(
            "Deleting is off unless `REGISTRY_STORAGE_DELETE_ENABLED=true`.",
            "Version 2.8 removes no tag alone.",
        ),
    ),
    Flavour(
        "zot",
        notes=(
            "Version 1 removes a manifest when its last tag names another one, and takes no digests of sha512.",
            "It finds a blob in all of its repositories, so a copy between them counts its blobs as there.",
        ),
    ),
)
"""One row a product."""

GENERAL_REFUSALS: Final = (
    KnownRefusal(
        "csrf", False, "the registry mistakes this for a browser: ask it through its own address, not a proxy's"
    ),
    KnownRefusal("http request to an https server", False, "the registry speaks https: ask it without plain http"),
    KnownRefusal(
        "unknown media type",
        True,
        "this registry takes only the media types that it knows: push with the profile `wasm-to-oci`",
    ),
)
"""Refusals that are met at more than one registry, after those of its own row."""

IDENTITY_USERS: Final = frozenset(flavour.identity_user for flavour in FLAVOURS if flavour.identity_user is not None)
"""User names with which a password is an identity token; at any host, for a registry may have a name of its own."""

_ANY: Final = Flavour("any other registry")


def find_flavour(host: str) -> Flavour:
    """The row of the product that a registry's host belongs to; one without anything special for every other."""
    return next((flavour for flavour in FLAVOURS if flavour.covers(host)), _ANY)


def same_registry(host: str, other: str) -> bool:
    """Whether two hosts, as users write them, are one registry: Docker Hub has three names."""
    flavour = find_flavour(host)
    return host == other or (flavour.address is not None and flavour is find_flavour(other))
