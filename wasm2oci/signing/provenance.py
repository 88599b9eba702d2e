"""SLSA provenance v1 of a build in CI, from the variables that the CI sets: what is not there is not claimed.

| CI | known by |
|---|---|
| GitHub Actions | `GITHUB_ACTIONS` |
| GitLab CI | `GITLAB_CI` |
| Azure Pipelines | `TF_BUILD` |

Every user of this tool can set variables. A provenance is as credible as its signer.

Spec: slsa.dev/spec/v1.0/provenance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit, urlunsplit

from wasm2oci.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["PROVENANCE_TYPE", "NoContinuousIntegrationError", "provenance"]

PROVENANCE_TYPE: Final = "https://slsa.dev/provenance/v1"


class NoContinuousIntegrationError(InvalidInputError):
    """The variables of no supported CI system are set, or a required one is missing."""


class _System(NamedTuple):
    """A CI: the variable that says that it runs, and what makes the predicate."""

    mark: str
    name: str
    predicate: Callable[[_Variables], dict[str, Any]]


class _Variables:
    """Variables of the environment, each of which may be asked for or be needed."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def need(self, name: str) -> str:
        found = self._values.get(name)
        if not found:
            raise NoContinuousIntegrationError(f"{name} is not set; provenance needs it")
        return found

    def given(self, **names: str) -> dict[str, str]:
        """Field -> value, for those variables that are set."""
        return {field: self._values[name] for field, name in names.items() if self._values.get(name)}


def provenance(variables: Mapping[str, str]) -> dict[str, Any]:
    """The predicate of the CI that runs this.

    Args:
        variables: of the environment.

    Raises:
        NoContinuousIntegrationError: none is known, or a variable that is needed is missing.
    """
    system = next((one for one in _SYSTEMS if variables.get(one.mark)), None)
    if system is None:
        known = ", ".join(one.name for one in _SYSTEMS)
        raise NoContinuousIntegrationError(
            f"this is not one of the supported CI systems: {known}",
            hint="write the predicate yourself, and attest that",
        )
    return system.predicate(_Variables(variables))


def _github(variables: _Variables) -> dict[str, Any]:
    server = _clean(variables.need("GITHUB_SERVER_URL"))
    repository = f"{server}/{variables.need('GITHUB_REPOSITORY')}"
    workflow = variables.need("GITHUB_WORKFLOW_REF")
    path, at, _ = workflow.partition("@")
    if not at:
        raise NoContinuousIntegrationError("GITHUB_WORKFLOW_REF names no branch or tag")
    file = path.removeprefix(variables.need("GITHUB_REPOSITORY") + "/")
    run = f"{repository}/actions/runs/{variables.need('GITHUB_RUN_ID')}/attempts/{variables.need('GITHUB_RUN_ATTEMPT')}"
    reference = variables.need("GITHUB_REF")
    internal = variables.given(
        event_name="GITHUB_EVENT_NAME",
        repository_id="GITHUB_REPOSITORY_ID",
        repository_owner_id="GITHUB_REPOSITORY_OWNER_ID",
        runner_environment="RUNNER_ENVIRONMENT",
    )
    return _predicate(
        "https://actions.github.io/buildtypes/workflow/v1",
        external={"workflow": {"ref": reference, "repository": repository, "path": file}},
        internal={"github": internal} if internal else {},
        source=(f"git+{repository}@{reference}", variables.need("GITHUB_SHA")),
        builder=f"{server}/{workflow}",
        metadata={"invocationId": run},
    )


def _gitlab(variables: _Variables) -> dict[str, Any]:
    project = _clean(variables.need("CI_PROJECT_URL"))
    reference = variables.need("CI_COMMIT_REF_NAME")
    external = {
        "source": project,
        "ref": reference,
        **variables.given(entryPoint="CI_JOB_NAME", config="CI_CONFIG_PATH"),
    }
    internal = variables.given(
        pipeline="CI_PIPELINE_ID", event="CI_PIPELINE_SOURCE", runner="CI_RUNNER_DESCRIPTION", project="CI_PROJECT_ID"
    )
    return _predicate(
        "https://gitlab.com/gitlab-org/gitlab-runner/-/blob/main/PROVENANCE.md",
        external=external,
        internal=internal,
        source=(f"git+{project}@{reference}", variables.need("CI_COMMIT_SHA")),
        builder=f"{project}/-/runners/{variables.need('CI_RUNNER_ID')}",
        metadata={
            "invocationId": _clean(variables.need("CI_JOB_URL")),
            **variables.given(startedOn="CI_JOB_STARTED_AT"),
        },
    )


def _azure(variables: _Variables) -> dict[str, Any]:
    collection = _clean(variables.need("SYSTEM_COLLECTIONURI")).rstrip("/")
    project = f"{collection}/{variables.need('SYSTEM_TEAMPROJECT')}"
    repository = _clean(variables.need("BUILD_REPOSITORY_URI"))
    reference = variables.need("BUILD_SOURCEBRANCH")
    definition = f"{project}/_build?definitionId={variables.need('SYSTEM_DEFINITIONID')}"
    external = {"repository": repository, "ref": reference, "pipeline": definition}
    return _predicate(
        "https://learn.microsoft.com/azure/devops/pipelines/",
        external=external,
        internal=variables.given(
            reason="BUILD_REASON", agent="AGENT_NAME", image="IMAGENAME", definition="BUILD_DEFINITIONNAME"
        ),
        source=(f"git+{repository}@{reference}", variables.need("BUILD_SOURCEVERSION")),
        builder=definition,
        metadata={"invocationId": f"{project}/_build/results?buildId={variables.need('BUILD_BUILDID')}"},
    )


_SYSTEMS: Final = (
    _System("GITHUB_ACTIONS", "GitHub Actions", _github),
    _System("GITLAB_CI", "GitLab CI", _gitlab),
    _System("TF_BUILD", "Azure Pipelines", _azure),
)
"""A row a CI."""


def _predicate(
    build_type: str,
    *,
    external: Mapping[str, Any],
    internal: Mapping[str, Any],
    source: tuple[str, str],
    builder: str,
    metadata: Mapping[str, str],
) -> dict[str, Any]:
    definition: dict[str, Any] = {"buildType": build_type, "externalParameters": dict(external)}
    if internal:
        definition["internalParameters"] = dict(internal)
    uri, commit = source
    definition["resolvedDependencies"] = [{"uri": uri, "digest": {"gitCommit": commit}}]
    return {"buildDefinition": definition, "runDetails": {"builder": {"id": builder}, "metadata": dict(metadata)}}


def _clean(url: str) -> str:
    """The address without user, password, query and fragment: some CIs put a token there."""
    parts = urlsplit(url)
    # An `@` in the path may be behind a password with a slash.
    if parts.scheme not in {"https", "http"} or not parts.hostname or "@" in parts.path:
        raise NoContinuousIntegrationError("an address in the variables of the CI is not an http address")
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
