"""What sets an option: the command line, then a variable, then the configuration file, then the default."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.support import invoke
from tests.cli.transcripts import HELLO
from tests.support.data import ROOT
from tests.support.registry_server import registry_server
from wasm2oci.cli.catalogue import COMMANDS, find
from wasm2oci.cli.commands import declaration_of
from wasm2oci.cli.declare import Option
from wasm2oci.cli.options import Format
from wasm2oci.cli.parser import parse
from wasm2oci.cli.setting_rows import setting_rows
from wasm2oci.cli.settings import KEYS, OTHER_VARIABLES, TOOL_KEYS, InvalidSettingError, load_settings, variable_of
from wasm2oci.errors import UsageError
from wasm2oci.registry.options import ConnectOptions, InvalidHeaderError, RetryPolicy, parse_header

if TYPE_CHECKING:
    from pathlib import Path

READ = re.compile(
    r"""(?:environ|variables|env)(?:\.get\(|\[)\s*"([A-Z]\w+)"|"([A-Z]\w+)" (?:not )?in [\w.]*variables"""
)


def read(line: str, home: Path, file: str | None = None, **variables: str) -> dict[str, Any]:
    """The values of a command line, with a configuration file of this text."""
    if file is not None:
        (home / ".config" / "wasm2oci").mkdir(parents=True, exist_ok=True)
        (home / ".config" / "wasm2oci" / "config.toml").write_text(file)
    name, *words = line.split()
    command = find(name)
    assert command is not None
    settings = load_settings({"HOME": str(home), **variables})
    values = parse(declaration_of(command), words, lambda: b"secret", settings)
    assert values is not None
    return values


def test_keys_and_options_are_the_same_in_the_table_and_in_the_commands() -> None:
    named = {
        parameter.declared.setting
        for command in COMMANDS
        for parameter in declaration_of(command).parameters
        if isinstance(parameter.declared, Option) and parameter.declared.setting is not None
    }
    assert named == set(KEYS)
    rows = setting_rows()
    assert len({row.variable for row in rows}) == len(rows) == len(KEYS) + len(TOOL_KEYS)
    assert not {row.variable for row in rows} & set(OTHER_VARIABLES)


def test_every_connection_option_but_the_credentials_has_a_setting() -> None:
    command = find("resolve")
    assert command is not None
    options = declaration_of(command).options
    without = {
        name for name, each in options.items() if isinstance(each.declared, Option) and not each.declared.setting
    }
    assert without == {"--username", "-u", "--password", "-p", "--password-stdin", "--identity-token"}


def test_every_variable_that_the_code_reads_is_in_the_table() -> None:
    known = {*OTHER_VARIABLES, *(row.variable for row in setting_rows())}
    found = {
        name
        for path in (ROOT / "wasm2oci").rglob("*.py")
        for match in READ.finditer(path.read_text())
        for name in match.groups()
        if name
    }
    assert {"HOME", "TERM", "WASM2OCI_CACHE", "SSL_CERT_FILE"} <= found
    inner = {"PATH", "PYTHONPATH"}  # how a child process finds its program
    assert found - inner <= known


def test_the_command_line_goes_before_a_variable_and_that_before_the_file(tmp_path: Path) -> None:
    file = 'timeout = 7\nretries = 2\nconnect-timeout = 3\nplain-http = true\nformat = "json"\n'
    values = read("resolve r --timeout 5", tmp_path, file, WASM2OCI_RETRIES="0", WASM2OCI_TIMEOUT="6")
    assert values["client"] == ConnectOptions(
        plain_http=True, read_timeout=5.0, retry=RetryPolicy(tries=1), connect_timeout=3.0
    )
    assert values["output"].format is Format.JSON


def test_a_flag_is_taken_back_on_the_command_line_and_by_a_variable(tmp_path: Path) -> None:
    file = "plain-http = true\ninsecure = true\n"
    values = read("resolve r --insecure=false", tmp_path, file, WASM2OCI_PLAIN_HTTP="off")
    assert values["client"] == ConnectOptions()
    with pytest.raises(UsageError, match="--insecure takes no value but true and false"):
        read("resolve r --insecure=perhaps", tmp_path)


def test_a_setting_about_tls_is_for_all_registries_and_an_option_for_the_one_that_is_named(tmp_path: Path) -> None:
    variables = {"WASM2OCI_CA_FILE": "company.pem", "WASM2OCI_INSECURE": "yes"}
    assert read("resolve r", tmp_path, **variables)["client"].for_all == {"ca_file", "insecure"}
    assert read("resolve r --ca-file own.pem", tmp_path, **variables)["client"].for_all == {"insecure"}
    assert read("resolve r --ca-file own.pem --insecure", tmp_path)["client"].for_all == frozenset()


def test_an_empty_variable_sets_nothing(tmp_path: Path) -> None:
    assert read("resolve r", tmp_path, "timeout = 7\n", WASM2OCI_TIMEOUT="")["client"].read_timeout == 7.0
    assert read("resolve r", tmp_path, WASM2OCI_CONFIG="")["client"] == ConnectOptions()


def test_header_fields_are_a_list_in_the_file_and_lines_in_a_variable(tmp_path: Path) -> None:
    listed = read("resolve r", tmp_path, 'header = ["A: 1", "B: 2"]\n')["client"]
    lines = read("resolve r", tmp_path, WASM2OCI_HEADER="A: 1\nB: 2")["client"]
    given = read("resolve r -H A:1 --header B:2", tmp_path)["client"]
    assert listed.headers == lines.headers == given.headers == {"A": "1", "B": "2"}


def test_paths_in_the_file_start_where_the_file_is(tmp_path: Path) -> None:
    file = 'ca-file = "ca.pem"\nregistry-config = "~/auth.json"\n'
    options = read("resolve r", tmp_path, file)["client"]
    assert options.ca_file == tmp_path / ".config" / "wasm2oci" / "ca.pem"
    assert options.registry_config == tmp_path / "auth.json"
    assert str(read("resolve r", tmp_path, WASM2OCI_CA_FILE="ca.pem")["client"].ca_file) == "ca.pem"


def test_settings_count_for_the_other_side_of_a_copy_once_it_has_options(tmp_path: Path) -> None:
    file = "plain-http = true\n"
    assert read("copy a b", tmp_path, file)["destination_options"] == ConnectOptions()
    values = read("copy a b --to-username me --to-password-stdin", tmp_path, file)
    assert values["client"] == ConnectOptions(plain_http=True)
    assert values["destination_options"] == ConnectOptions(plain_http=True, username="me", password="secret")


def test_a_credential_on_the_command_line_goes_before_anonymous_in_the_file(tmp_path: Path) -> None:
    file = 'anonymous = true\nkey-file = "k.pem"\ncert-file = "c.pem"\n'
    options = read("resolve r -u me -p x --cert-file mine.pem", tmp_path, file)["client"]
    assert (options.anonymous, options.username, options.key_file) == (False, "me", None)
    options.check()


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("timeout = 'x'\n", "timeout: 'x' is not a whole number"),
        ("timeout = 0\n", "timeout: 0 is less than 1"),
        ("timeout = true\n", "timeout: True is not a valid value"),
        ("timeout = [1]\n", "timeout: the setting takes one value, not a list"),
        ("plain-http = 'perhaps'\n", "plain-http: 'perhaps' is neither true nor false"),
        ("ca-file = 3\n", "ca-file: 3 is not a path"),
        ("format = 'yaml'\n", "format: 'yaml' is not one of text, json"),
        ("timeout = \n", "is not TOML"),
        ("a = " + "[" * 3000 + "]" * 3000, "is not TOML"),
    ],
)
def test_a_setting_that_is_wrong_is_named_with_its_file(tmp_path: Path, file: str, message: str) -> None:
    with pytest.raises(InvalidSettingError) as caught:
        read("resolve r", tmp_path, file)
    assert "config.toml" in caught.value.message
    assert message in caught.value.message


def test_a_file_that_the_variable_names_has_to_be_there(tmp_path: Path) -> None:
    ran = invoke("version", env={"WASM2OCI_CONFIG": str(tmp_path / "none.toml")})
    assert (ran.code, "none.toml" in ran.stderr) == (4, True)


@pytest.mark.parametrize("text", ["", "A", "A B: c", ": c", "A: b\nC: d", "A: \x00", "A\r: b", "A: \u20ac"])
def test_what_is_no_header_field_is_refused_without_its_value(text: str) -> None:
    with pytest.raises(InvalidHeaderError) as caught:
        parse_header(text)
    assert "c" not in caught.value.message.removeprefix("not a header field").replace("A B", "")


@pytest.mark.parametrize("text", ["Authorization Bearer s3cret", "s3cret", "Authorization s3cret: x", " s3cret"])
def test_a_header_without_its_colon_is_not_shown(text: str) -> None:
    """What was forgotten is the colon, so all of the text may be the secret."""
    with pytest.raises(InvalidHeaderError) as caught:
        parse_header(text)
    assert "s3cret" not in caught.value.message


def test_commands_take_settings_and_say_which_they_do_not_know(tmp_path: Path) -> None:
    (tmp_path / "hello.wasm").write_bytes(HELLO)
    config = tmp_path / "config.toml"
    config.write_text(f'plian-http = true\ncache = "{tmp_path}/store"\n[push]\nprofile = "wasm-to-oci"\n')
    env = {"HOME": str(tmp_path), "WASM2OCI_CONFIG": str(config), "WASM2OCI_FORMAT": "json"}
    with registry_server() as registry:
        pushed = invoke("push", "hello.wasm", f"{registry.address}/a:v1", env=env, cwd=tmp_path)
        assert json.loads(pushed.stdout)["profile"] == "wasm-to-oci"
        assert "there is no setting 'plian-http' (did you mean plain-http?)" in pushed.stderr
        pulled = invoke("pull", f"{registry.address}/a:v1", "-o", "b.wasm", env=env, cwd=tmp_path)
        assert pulled.code == 0
        failed = invoke("resolve", f"{registry.address}/a:none", env=env)
        assert json.loads(failed.stdout)["error"]["category"] == "not-found"
        other = invoke("resolve", f"{registry.address}/a:none", "--format=text", env=env)
        assert other.stdout == ""
    assert list((tmp_path / "store").glob("blobs/*/*"))


def test_config_shows_each_value_and_where_it_comes_from(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('header = ["X-Key: secret"]\ntimeout = 9\n')
    env = {"HOME": str(tmp_path), "WASM2OCI_CONFIG": str(config), "WASM2OCI_RETRIES": "1"}
    ran = invoke("config", "--format", "json", env={**env, "WASM2OCI_PLAIN_HTPP": "1", "WASM2OCI_REGISTRY": "x"})
    assert ran.stderr == "warning: the variable WASM2OCI_PLAIN_HTPP is not known and has no effect\n"
    document = json.loads(ran.stdout)
    values = {one["key"]: (one["value"], one["origin"]) for one in document["settings"]}
    assert values["timeout"] == ("9", str(config))
    assert values["retries"] == ("1", "WASM2OCI_RETRIES")
    assert values["connect-timeout"] == ("10", "default")
    assert values["header"] == ("X-Key: ...", str(config))
    assert list(values) == [*KEYS, *TOOL_KEYS]
    assert variable_of("push.profile") == "WASM2OCI_PUSH_PROFILE"


def test_the_own_option_of_a_command_goes_before_the_shared_one() -> None:
    command = find("run")
    assert command is not None
    options = declaration_of(command).options
    assert options["--timeout"].target == "timeout"
    assert options["--registry-timeout"].field == "read_timeout"
