"""The official conformance suite of the distribution specification, against our own registry.

It is a Go program, built from its module by the Go tool chain (which checks the module's hash in Go's own log) and
kept in the cache folder of the test run. Everything the suite can test has to pass; what it leaves out has to be
what its version of the specification does not have.
"""

import os
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.registry_server import registry_server
from wasm2oci.server.call import Rules
from wasm2oci.server.disk import DiskStorage
from wasm2oci.server.memory import MemoryStorage

if TYPE_CHECKING:
    from wasm2oci.server.storage import Storage

pytestmark = pytest.mark.spec

MODULE = "github.com/opencontainers/distribution-spec/conformance"
VERSION = "v0.0.0-20260831232431-97274622c111"

NOT_IN = {
    "1.0": {"Referrers", "Blob anonymous mount"},
    "1.1": set(),
    "dev": set(),
}
"""What an edition lacks, over what only the next one has."""
NEXT_ONLY = {"Blob upload cancel", "Manifest put with tag params", "Tag Param", "Tag Param sha512"}


@pytest.fixture(scope="session")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    go = shutil.which("go")
    if go is None:
        pytest.skip("optional: the suite is a Go program, and there is no `go` here")
    folder = tmp_path_factory.mktemp("conformance")
    environment = dict(os.environ, GOFLAGS="-mod=mod -buildvcs=false", GOBIN=str(folder), GOTOOLCHAIN="local")
    (folder / "go.mod").write_text("module check\n\ngo 1.24\n")
    for command in ([go, "get", f"{MODULE}@{VERSION}"], [go, "build", "-o", "conformance", MODULE]):
        try:
            subprocess.run(
                command, check=True, cwd=folder, env=environment, capture_output=True, text=True, timeout=400
            )
        except subprocess.TimeoutExpired:
            pytest.skip(f"optional: the suite could not be built within 400 s ({' '.join(command[:2])})")
        except subprocess.CalledProcessError as error:
            pytest.skip(f"optional: the suite could not be built ({' '.join(command[:2])}): {error.stderr[-300:]}")
    return folder / "conformance"


def run(suite: Path, folder: Path, address: str, version: str, **more: str) -> "tuple[int, ET.Element, dict[str, str]]":
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "OCI_REGISTRY": address,
        "OCI_TLS": "disabled",
        "OCI_REPO1": "conformance/one",
        "OCI_REPO2": "conformance/two",
        "OCI_VERSION": version,
        "OCI_RESULTS_DIR": str(folder),
        **more,
    }
    done = subprocess.run(
        [suite], check=False, cwd=folder, env=environment, capture_output=True, text=True, timeout=600
    )
    lines = (folder / "results.yaml").read_text().partition("\napis:")[2].splitlines()
    areas = {name.strip(): state.strip() for name, _, state in (line.rpartition(":") for line in lines) if state}
    return done.returncode, ET.parse(folder / "junit.xml").getroot(), areas


@pytest.mark.parametrize("version", ["1.0", "1.1", "dev"])
@pytest.mark.parametrize("place", ["memory", "disk"])
def test_the_whole_suite_passes(suite: Path, tmp_path: Path, version: str, place: str) -> None:
    storage: Storage = MemoryStorage() if place == "memory" else DiskStorage(tmp_path / "registry")
    with registry_server(storage=storage) as registry:
        code, junit, areas = run(suite, tmp_path, registry.address, version)
        assert not [line for line in registry.log if line.startswith("Traceback")]
    cases = junit.findall(".//testcase")
    failed = [case.get("name") for case in cases if case.find("failure") is not None or case.find("error") is not None]
    assert failed == []
    assert code == 0
    assert len(cases) > 600
    left_out = {name for name, state in areas.items() if state != "Pass"}
    later = set() if version == "dev" else NEXT_ONLY
    assert left_out <= {"Sparse Manifests"} | later | NOT_IN[version]


def test_sparse_manifests_where_the_rules_take_them(suite: Path, tmp_path: Path) -> None:
    with registry_server(rules=Rules(sparse=True)) as registry:
        code, _, areas = run(suite, tmp_path, registry.address, "dev", OCI_DATA_SPARSE="true")
    assert code == 0
    assert {name for name, state in areas.items() if state != "Pass"} == set()
