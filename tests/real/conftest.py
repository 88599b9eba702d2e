"""These programs run only when their marker asks for them: they take minutes, and have to be fetched first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "real" not in config.getoption("-m"):
        config.hook.pytest_deselected(items=[item for item in items if HERE in item.path.parents])
        items[:] = [item for item in items if HERE not in item.path.parents]
