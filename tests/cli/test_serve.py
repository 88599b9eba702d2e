"""`wasm2oci serve`: as a process, for one command, and what it refuses."""

import base64
import http.client
import json
import os
import signal
import ssl
import sys
from pathlib import Path

import bcrypt
import pytest

from tests.cli.support import invoke
from tests.cli.transcripts import HELLO
from tests.support.certificates import make_authority
from tests.support.serve_process import serve_process
from wasm2oci.oci.digest import Digest

BLOB = b"some bytes"


def status(address: str, target: str = "/v2/", method: str = "GET", body: bytes = b"", **headers: str) -> int:
    connection = http.client.HTTPConnection(address, timeout=60)
    try:
        connection.request(method, target, body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_a_signal_and_logs_on_stderr(tmp_path: Path, number: signal.Signals) -> None:
    with serve_process(folder=tmp_path) as served:
        root = Path(str(served.said["root"]))
        assert served.said["url"] == f"http://{served.address}/"
        assert root.is_dir()
        assert status(served.address) == 200
        assert status(served.address, "/") == 200
        assert status(served.address, "/v2/no/tags/list?secret=1") == 404
        code, log = served.stop(number)
    assert code == 0
    assert " GET /v2/no/tags/list 404 " in log
    assert "secret" not in log
    assert log.endswith("stopped\n")
    assert not root.exists(), "a folder that was made up goes at the end"


def test_what_it_keeps_is_there_the_next_time(tmp_path: Path) -> None:
    root, digest = tmp_path / "registry", Digest.of(BLOB)
    for expected in (404, 200):
        with serve_process("--root", root, folder=tmp_path) as served:
            assert status(served.address, f"/v2/a/blobs/{digest}") == expected
            assert status(served.address, f"/v2/a/blobs/uploads/?digest={digest}", "POST", BLOB) == 201
            half = http.client.HTTPConnection(served.address)
            half.request("POST", "/v2/a/blobs/uploads/")
            half.request("PATCH", half.getresponse().headers["Location"], b"never finished")
            half.close()
            served.stop()
        assert list((root / "_uploads").iterdir()) == []


def test_two_processes_do_not_share_a_folder(tmp_path: Path) -> None:
    root = tmp_path / "registry"
    with serve_process("--root", root, folder=tmp_path):
        done = invoke("serve", "--root", root, "--listen", "127.0.0.1:0", "--", "true")
    assert done.code == 9
    assert "served by another process" in done.stderr


def test_a_request_under_way_is_finished_when_it_stops(tmp_path: Path) -> None:
    digest = Digest.of(BLOB)
    with serve_process("--root", tmp_path / "registry", folder=tmp_path) as served:
        connection = http.client.HTTPConnection(served.address, timeout=60)
        connection.putrequest("POST", f"/v2/a/blobs/uploads/?digest={digest}")
        connection.putheader("Content-Length", str(len(BLOB)))
        connection.putheader("Expect", "100-continue")
        connection.endheaders()
        assert connection.sock.recv(100).startswith(b"HTTP/1.1 100"), "the request is under way"
        served.process.send_signal(signal.SIGTERM)
        connection.send(BLOB)
        assert connection.getresponse().status == 201
        connection.close()
        assert served.process.wait(60) == 0


def test_for_one_command_it_is_there_and_the_commands_code_is_returned(tmp_path: Path) -> None:
    script = (
        "import os, sys, urllib.request as u\n"
        "print(u.urlopen(f'http://{os.environ[\"WASM2OCI_REGISTRY\"]}/v2/').status)\n"
        "sys.exit(7)"
    )
    done = invoke("serve", "--listen", "127.0.0.1:0", "--", sys.executable, "-c", script, cwd=tmp_path)
    assert done.code == 7
    assert "WASM2OCI_REGISTRY" in done.stderr
    assert done.stdout == "", "standard output is the command's"


def test_a_command_that_a_signal_ended_or_that_is_not_there(tmp_path: Path) -> None:
    script = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert invoke("serve", "--listen", "127.0.0.1:0", "--", sys.executable, "-c", script).code == 137
    done = invoke("serve", "--listen", "127.0.0.1:0", "--", str(tmp_path / "absent"))
    assert (done.code, "no such command" in done.stderr) == (4, True)
    done = invoke("serve", "--listen", "127.0.0.1:0", "--", str(tmp_path))
    assert (done.code, "cannot run" in done.stderr) == (9, True)
    assert f"wasm2oci serve --root {tmp_path}" in done.stderr


def test_one_user_with_a_password_that_is_made_up_or_given(tmp_path: Path) -> None:
    with serve_process("--user", "me", folder=tmp_path) as served:
        password = str(served.said["password"])
        assert len(password) >= 20
        assert status(served.address) == 401
        assert status(served.address, "/") == 401
        assert status(served.address, Authorization=basic("me", password)) == 200
        assert password not in served.stop()[1]
    script = (
        "import base64, os, urllib.request as u\n"
        "e = os.environ\n"
        "r = u.Request(f'http://{e[\"WASM2OCI_REGISTRY\"]}/v2/')\n"
        'secret = f\'{e["WASM2OCI_REGISTRY_USER"]}:{e.get("WASM2OCI_REGISTRY_PASSWORD", "given")}\'\n'
        "r.add_header('Authorization', 'Basic ' + base64.b64encode(secret.encode()).decode())\n"
        "assert u.urlopen(r).status == 200"
    )
    base = ("serve", "--listen", "127.0.0.1:0", "--user", "me")
    assert invoke(*base, "--", sys.executable, "-c", script).code == 0
    assert invoke(*base, "--password-stdin", "--", sys.executable, "-c", script, stdin=b"given\n").code == 0


def test_a_commands_own_pushes_need_no_login(tmp_path: Path) -> None:
    (tmp_path / "hello.wasm").write_bytes(HELLO)
    script = '"$0" -m wasm2oci push -q hello.wasm "$WASM2OCI_REGISTRY/hello:v1" >pinned'
    base = ("serve", "--listen", "127.0.0.1:0", "--user", "me")
    env = {"PYTHONPATH": os.pathsep.join(sys.path), "HOME": str(tmp_path)}
    ran = invoke(*base, "--", "sh", "-c", script, sys.executable, cwd=tmp_path, env=env)
    assert ran.code == 0, ran.stderr
    assert "/hello@sha256:" in (tmp_path / "pinned").read_text()


def test_users_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "htpasswd"
    path.write_bytes(b"me:" + bcrypt.hashpw(b"secret", bcrypt.gensalt(4)))
    with serve_process("--htpasswd", path, folder=tmp_path) as served:
        assert status(served.address) == 401
        assert status(served.address, Authorization=basic("me", "secret")) == 200
        assert status(served.address, Authorization=basic("me", "wrong")) == 401


def test_tls(tmp_path: Path) -> None:
    authority = make_authority(tmp_path)
    issued = authority.issue("server")
    options = ("--tls-cert", issued.certificate_file, "--tls-key", issued.key_file)
    with serve_process(*options, folder=tmp_path) as served:
        assert served.said["url"] == f"https://{served.address}/"
        trusting = ssl.create_default_context(cafile=str(authority.ca_file))
        # Python 3.13 wants key identifiers, which private authorities, this one too, mostly leave out.
        trusting.verify_flags &= ~ssl.VERIFY_X509_STRICT
        connection = http.client.HTTPSConnection(served.address, context=trusting, timeout=60)
        connection.request("POST", f"/v2/a/blobs/uploads/?digest={Digest.of(BLOB)}", BLOB)
        response = connection.getresponse()
        assert (response.status, response.read()) == (201, b"")
        connection.request("GET", f"/v2/a/blobs/{Digest.of(BLOB)}")
        assert connection.getresponse().read() == BLOB
        connection.close()
        with pytest.raises((http.client.HTTPException, OSError)):
            status(served.address)
        stranger = http.client.HTTPSConnection(served.address, context=ssl.create_default_context(), timeout=60)
        with pytest.raises(ssl.SSLCertVerificationError):
            stranger.request("GET", "/v2/")
        stranger.close()


def test_read_only(tmp_path: Path) -> None:
    with serve_process("--read-only", folder=tmp_path) as served:
        assert status(served.address) == 200
        assert status(served.address, "/v2/a/blobs/uploads/", "POST") == 405


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--listen", "0.0.0.0:0"), 2, "without authentication"),
        (("--listen", "nonsense"), 3, "no port"),
        (("--listen", "192.0.2.1:0", "--user", "me"), 9, "cannot listen"),
        (("--user", "me", "--htpasswd", "x"), 2, "not both"),
        (("--user", "a:b"), 2, "colon"),
        (("--user", ""), 2, "empty"),
        (("--password-stdin",), 2, "needs --user"),
        (("--tls-key", "x"), 2, "needs the certificate"),
        (("--tls-cert", "absent.pem"), 4, "absent.pem"),
        (("--htpasswd", "absent"), 4, "absent"),
        (("--root", "/dev/null/registry"), 9, "/dev/null/registry"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_served(
    tmp_path: Path, options: tuple[str, ...], code: int, said: str
) -> None:
    listen = () if "--listen" in options else ("--listen", "127.0.0.1:0")
    done = invoke("serve", *listen, *options, "--", "true", cwd=tmp_path, stdin=b"password")
    assert (done.code, said in done.stderr) == (code, True), done.stderr


def test_a_taken_address_is_refused(tmp_path: Path) -> None:
    with serve_process(folder=tmp_path) as served:
        done = invoke("serve", "--listen", served.address, "--", "true")
    assert done.code == 9
    assert "cannot listen" in done.stderr
    assert "--listen 127.0.0.1:0" in done.stderr


def test_the_announcement_is_for_people_too(tmp_path: Path) -> None:
    import io

    from wasm2oci.cli.commands.serve import _announce
    from wasm2oci.cli.output import Output
    from wasm2oci.operations.serve import Served

    out, err = io.StringIO(), io.StringIO()
    served = Served(
        "127.0.0.1:1", "http://127.0.0.1:1/", tmp_path, temporary=True, user="me", password="pw", unencrypted=True
    )
    _announce(Output(out, err), served, running=False)
    assert "Serving http://127.0.0.1:1/" in out.getvalue()
    assert "Nothing is stored" in out.getvalue()
    assert "password pw" in out.getvalue()
    assert "unencrypted" in err.getvalue()
    assert json.dumps("pw") not in err.getvalue()
