"""The rows of `flavours`: which host is whose, and that no row is left half."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wasm2oci.registry.flavours import FLAVOURS, IDENTITY_USERS, find_flavour, same_registry

if TYPE_CHECKING:
    from wasm2oci.registry.flavours import Flavour

SERVICES = [flavour for flavour in FLAVOURS if flavour.hosts]


@pytest.mark.parametrize(
    ("host", "product"),
    [
        ("ghcr.io", "GitHub Container Registry"),
        ("me.azurecr.io", "Azure Container Registry"),
        ("123.dkr.ecr.eu-west-1.amazonaws.com", "Amazon Elastic Container Registry"),
        ("docker.io", "Docker Hub"),
        ("index.docker.io", "Docker Hub"),
        ("europe-docker.pkg.dev", "Google Artifact Registry"),
        ("registry.gitlab.com", "GitLab"),
        ("quay.io", "Quay"),
        ("quay.io:443", "Quay"),
        ("localhost:5000", "any other registry"),
        ("ghcr.io.example", "any other registry"),
        ("notghcr.io", "any other registry"),
        ("evilquay.io", "any other registry"),
        ("docker.io:5000", "any other registry"),
        ("mydocker.io", "any other registry"),
    ],
)
def test_a_host_belongs_to_a_product(host: str, product: str) -> None:
    assert find_flavour(host).product == product


def test_the_names_of_docker_hub_are_one_registry_and_other_names_are_not() -> None:
    assert same_registry("docker.io", "registry-1.docker.io")
    assert same_registry("a.example", "a.example")
    assert not same_registry("a.azurecr.io", "b.azurecr.io")
    assert not same_registry("docker.io", "docker.io:443")


@pytest.mark.parametrize("flavour", FLAVOURS, ids=lambda flavour: flavour.product)
def test_every_row_can_be_shown_to_users(flavour: Flavour) -> None:
    assert flavour.product
    assert flavour.referrers
    assert flavour.login
    assert all(note.endswith(".") for note in flavour.notes)
    assert 256 * 1024 <= flavour.chunk <= 64 << 20
    for refusal in flavour.refusals:
        assert refusal.says == refusal.says.lower()
        assert "{" not in refusal.hint.format(host="h", name="n")


@pytest.mark.parametrize("flavour", SERVICES, ids=lambda flavour: flavour.product)
def test_a_general_refusal_comes_after_the_special_ones(flavour: Flavour) -> None:
    general = [number for number, refusal in enumerate(flavour.refusals) if not refusal.says]
    special = [number for number, refusal in enumerate(flavour.refusals) if refusal.says]
    assert max(special, default=-1) < min(general, default=len(flavour.refusals))


def test_there_is_a_row_for_each_registry_that_the_documentation_names() -> None:
    products = " ".join(flavour.product for flavour in FLAVOURS)
    for name in ("GitHub", "Azure", "Amazon", "Docker Hub", "Google", "GitLab", "Harbor", "Quay", "Artifactory"):
        assert name in products
    for name in ("Gitea", "Nexus", "distribution", "zot"):
        assert name in products
    assert len(IDENTITY_USERS) == 1
