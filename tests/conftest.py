"""Options of the test-suite itself."""

import gc
import os
import signal
import sys
import warnings
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

# A shell starts what runs in its background with SIGINT ignored: commands that tests interrupt would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Servers of tests are on this machine: what downloads may go through a proxy, they are not asked through one.
for _name in ("no_proxy", "NO_PROXY"):
    os.environ[_name] = ",".join(filter(None, [os.environ.get(_name), "127.0.0.1,localhost,::1"]))

# Without this Hypothesis fails a test on a busy machine, for the time that an example or its generation takes.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

_LONGEST_ID = 40
"""Characters of a value in the name of a test."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--bless",
        action="store_true",
        help="rewrite transcripts and generated docs with what the code says now; review the difference",
    )
    parser.addoption(
        "--no-skips",
        action="store_true",
        help="a skipped test is a failure, unless its reason begins with 'optional:' (for CI)",
    )


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name long text, and numbers as long as a key's, by their place.

    Where a key or a time is in it, the processes of a run do not find the same tests, and xdist ends the whole run.
    """
    text = str(val) if isinstance(val, int) else val if isinstance(val, (str, bytes)) else ""
    return argname if len(text) > _LONGEST_ID else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and item.config.getoption("--no-skips"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not reason.removeprefix("Skipped: ").startswith("optional:"):
            report.outcome = "failed"
            report.longrepr = f"skipped where nothing may be skipped: {reason}"
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Close what a failed test left open before the next one begins, which would fail for it too.

    The traceback of a failure keeps sockets and files alive until another test is called. They are garbage then, and
    garbage that complains is an error of the test that runs.
    """
    before = item.session.testsfailed
    result = yield
    if item.session.testsfailed > before:
        for name in ("last_type", "last_value", "last_traceback", "last_exc"):
            vars(sys).pop(name, None)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
    return result


@pytest.fixture(scope="session")
def bless(pytestconfig: pytest.Config) -> bool:
    """Whether expected outputs are to be rewritten."""
    return bool(pytestconfig.getoption("--bless"))
