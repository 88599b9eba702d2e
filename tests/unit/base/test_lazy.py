from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from wasm2oci.base.lazy import lazily

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    folder = tmp_path / "example_of_lazy"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "from wasm2oci.base.lazy import lazily\n"
        "__getattr__ = lazily(__name__, {'good': ('one', 'absent'), 'broken': ('two',)})\n"
    )
    (folder / "good.py").write_text("one = 1\n")
    (folder / "broken.py").write_text("import sys\nsys.there_is_no_such_thing\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.startswith("example_of_lazy")]:
        monkeypatch.delitem(sys.modules, name)
    return folder.name


def test_a_name_is_imported_when_it_is_used(package: str) -> None:
    module = __import__(package)
    assert f"{package}.good" not in sys.modules
    assert module.one == 1
    assert f"{package}.good" in sys.modules
    with pytest.raises(AttributeError, match="has no attribute 'three'"):
        _ = module.three


def test_a_mistake_in_a_module_is_not_taken_for_a_missing_name(package: str) -> None:
    with pytest.raises(ImportError, match="there_is_no_such_thing") as caught:
        exec(f"from {package} import two")
    assert isinstance(caught.value.__cause__, AttributeError)


def test_a_package_offers_only_what_its_table_names() -> None:
    with pytest.raises(AttributeError):
        lazily("wasm2oci", {})("x")
