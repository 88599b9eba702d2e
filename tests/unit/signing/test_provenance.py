from __future__ import annotations

import pytest

from wasm2oci.signing.provenance import NoContinuousIntegrationError, provenance

GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "acme/app",
    "GITHUB_WORKFLOW_REF": "acme/app/.github/workflows/release.yml@refs/tags/v1",
    "GITHUB_REF": "refs/tags/v1",
    "GITHUB_SHA": "a" * 40,
    "GITHUB_RUN_ID": "7",
    "GITHUB_RUN_ATTEMPT": "1",
    "GITHUB_TOKEN": "secret",
}
GITLAB = {
    "GITLAB_CI": "true",
    "CI_PROJECT_URL": "https://gitlab.com/acme/app",
    "CI_COMMIT_REF_NAME": "main",
    "CI_COMMIT_SHA": "b" * 40,
    "CI_RUNNER_ID": "12",
    "CI_JOB_URL": "https://gitlab.com/acme/app/-/jobs/9",
    "CI_JOB_NAME": "publish",
    "CI_JOB_STARTED_AT": "2026-01-02T03:04:05Z",
    "CI_JOB_TOKEN": "secret",
}
AZURE = {
    "TF_BUILD": "True",
    "SYSTEM_COLLECTIONURI": "https://dev.azure.com/acme/",
    "SYSTEM_TEAMPROJECT": "app",
    "BUILD_REPOSITORY_URI": "https://user:secret@dev.azure.com/acme/app/_git/app?token=secret",
    "BUILD_SOURCEBRANCH": "refs/heads/main",
    "BUILD_SOURCEVERSION": "c" * 40,
    "SYSTEM_DEFINITIONID": "3",
    "BUILD_BUILDID": "44",
}


def test_github_actions() -> None:
    value = provenance(GITHUB)
    definition, run = value["buildDefinition"], value["runDetails"]
    assert definition["externalParameters"]["workflow"] == {
        "ref": "refs/tags/v1",
        "repository": "https://github.com/acme/app",
        "path": ".github/workflows/release.yml",
    }
    assert definition["resolvedDependencies"] == [
        {"uri": "git+https://github.com/acme/app@refs/tags/v1", "digest": {"gitCommit": "a" * 40}}
    ]
    assert "internalParameters" not in definition
    assert run["builder"]["id"] == "https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1"
    assert run["metadata"]["invocationId"] == "https://github.com/acme/app/actions/runs/7/attempts/1"


def test_gitlab() -> None:
    value = provenance(GITLAB)
    assert value["runDetails"]["builder"]["id"] == "https://gitlab.com/acme/app/-/runners/12"
    assert value["runDetails"]["metadata"] == {
        "invocationId": "https://gitlab.com/acme/app/-/jobs/9",
        "startedOn": "2026-01-02T03:04:05Z",
    }
    assert value["buildDefinition"]["externalParameters"]["entryPoint"] == "publish"


def test_azure_without_the_credentials_in_its_addresses() -> None:
    value = provenance(AZURE)
    assert value["buildDefinition"]["externalParameters"]["repository"] == "https://dev.azure.com/acme/app/_git/app"
    assert value["runDetails"]["metadata"]["invocationId"] == "https://dev.azure.com/acme/app/_build/results?buildId=44"


@pytest.mark.parametrize("variables", [GITHUB, GITLAB, AZURE])
def test_no_secret_gets_into_a_provenance(variables: dict[str, str]) -> None:
    assert "secret" not in str(provenance(variables))


@pytest.mark.parametrize(
    ("variables", "name"),
    [(GITHUB, "GITHUB_SHA"), (GITHUB, "GITHUB_WORKFLOW_REF"), (GITLAB, "CI_RUNNER_ID"), (AZURE, "BUILD_SOURCEVERSION")],
)
def test_what_is_missing_is_not_guessed(variables: dict[str, str], name: str) -> None:
    with pytest.raises(NoContinuousIntegrationError, match=f"{name} is not set"):
        provenance({key: value for key, value in variables.items() if key != name})


def test_elsewhere_there_is_no_provenance() -> None:
    with pytest.raises(NoContinuousIntegrationError, match="GitHub Actions, GitLab CI, Azure Pipelines"):
        provenance({"HOME": "/root"})
    with pytest.raises(NoContinuousIntegrationError, match="not an http address"):
        provenance({**GITLAB, "CI_PROJECT_URL": "file:///etc/passwd"})
