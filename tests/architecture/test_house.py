"""The house keeps its own rules."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.data import ROOT
from tests.support.generated_docs import DOCS, PAGES, all_modules, error_classes
from wasm2oci.cli.catalogue import COMMANDS
from wasm2oci.cli.commands import declaration_of
from wasm2oci.cli.remedies import _WORDS
from wasm2oci.errors import ExitCode, RemedyKind, Wasm2OciError

SOURCES = sorted((ROOT / "wasm2oci").rglob("*.py"))


def test_imports_keep_the_contracts() -> None:
    pytest.importorskip("importlinter", reason="import-linter is part of the extra `dev`: pip install -e '.[dev]'")
    ran = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_every_module_says_what_it_exports_and_has_it() -> None:
    wrong = []
    for module in all_modules():
        names = getattr(module, "__all__", None)
        source = Path(module.__file__ or "")
        if names is None:
            if ast.parse(source.read_text()).body[1:]:
                wrong.append(f"{module.__name__} has no __all__")
            continue
        wrong += [f"{module.__name__}.{name} is not there" for name in names if not hasattr(module, name)]
        wrong += [f"{module.__name__}.{name} is said twice" for name in names if names.count(name) > 1]
    assert not wrong


def test_every_error_has_an_exit_code_and_says_when_it_is_raised() -> None:
    classes = error_classes()
    assert len(classes) > 20
    assert not [kind for kind in classes if kind.exit_code is ExitCode.BUG]
    assert not [kind.__name__ for kind in classes if not kind.__doc__ or kind.__doc__ == Wasm2OciError.__doc__]
    assert not [kind.__name__ for kind in classes if not kind.__name__.endswith(("Error", "Trap"))]


@pytest.mark.parametrize("name", PAGES)
def test_generated_pages_are_fresh(name: str, *, bless: bool) -> None:
    path, text = DOCS / name, PAGES[name]()
    if bless:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert path.read_text() == text, f"docs/{name} is stale: `pytest tests/architecture --bless`"


_NOT_ERRORS = (
    "operations/git_state.py",  # arguments of git
    "operations/notation.py",  # a command of notation
    "operations/registry_site.py",  # this and the next: the page of `serve` shows visitors what to type
    "server/site.py",
    "registry/flavours.py",  # docs/registries.md is made from it
)
"""Files whose texts name commands and options, and are not messages of errors."""


def test_hints_name_no_option_or_command_outside_the_terminal() -> None:
    # A caller of the library gave parameters, not options: errors carry a remedy as data, and `cli.remedies` words it.
    options = {name for command in COMMANDS for name in declaration_of(command).options if name.startswith("--")}
    ours = re.compile(
        "|".join(
            [
                rf"wasm2oci ({'|'.join(command.name for command in COMMANDS)})\b",
                *(rf"`{command.name}[ `]" for command in COMMANDS),
                *(rf"(?<![\w-]){name}(?![\w-])" for name in sorted(options)),
            ]
        )
    )
    wrong = []
    for path in SOURCES:
        place = str(path.relative_to(ROOT / "wasm2oci"))
        tree = ast.parse(path.read_text())
        docstrings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        wrong += [
            f"{place}:{text.lineno}: {text.value}"
            for text in ast.walk(tree)
            if isinstance(text, ast.Constant) and isinstance(text.value, str) and text not in docstrings
            if ours.search(text.value) and not place.startswith(("cli/", *_NOT_ERRORS))
        ]
    assert not wrong


def test_every_remedy_has_words_on_the_terminal() -> None:
    assert set(_WORDS) == set(RemedyKind)


def test_there_are_no_catch_all_modules() -> None:
    assert not [path for path in SOURCES if path.stem in {"utils", "helpers_misc", "common", "misc"}]


_LONGEST = 400
_LONG_FILES = {
    "engine/runtime/numeric.py": "a function for each instruction",
    "engine/syntax/opcodes.py": "a table",
    "engine/validate/fast.py": "one loop",
    "wasi/abi.py": "a table",
}
"""Files of more than 400 lines, and why. A file that is split leaves this list; another joins it only with a reason."""


def test_files_are_short_enough_to_be_read() -> None:
    lengths = {str(path.relative_to(ROOT / "wasm2oci")): len(path.read_text().splitlines()) for path in SOURCES}
    assert {name for name, lines in lengths.items() if lines > _LONGEST} <= _LONG_FILES.keys()
    assert max(lengths.values()) <= 2 * _LONGEST


_READ_AT_RUN_TIME = ("cli/commands/", "cli/demonstration.py", "cli/drop_in.py")
"""Commands are declared by the annotations of their functions."""
_COMPILED_AT_EACH_START = ("__init__.py", "errors.py")
"""What every command loads, and has no annotation that needs the import."""


def test_annotations_are_not_in_quotes() -> None:
    # Below the import, ruff (UP037) refuses quotes.
    without = {
        str(path.relative_to(ROOT / "wasm2oci"))
        for path in SOURCES
        if "\nfrom __future__ import annotations\n" not in path.read_text()
        and any(
            isinstance(node, ast.AnnAssign) or (isinstance(node, ast.FunctionDef) and node.returns is not None)
            for node in ast.walk(ast.parse(path.read_text()))
        )
    }
    assert {name for name in without if not name.startswith(_READ_AT_RUN_TIME)} <= {*_COMPILED_AT_EACH_START}


def test_no_abstract_method_raises_not_implemented() -> None:
    assert not [path for path in SOURCES if "NotImplementedError" in path.read_text()]


def test_only_main_exits() -> None:
    allowed = {"cli/app.py", "runtime/child.py"}  # the second ends a forked child, which must not return
    found = {
        str(path.relative_to(ROOT / "wasm2oci"))
        for path in SOURCES
        if any(
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and (node.func.value.id, node.func.attr) in {("sys", "exit"), ("os", "_exit")}
            for node in ast.walk(ast.parse(path.read_text()))
        )
    }
    assert found <= allowed


def test_prints_go_through_the_output() -> None:
    assert not [
        str(path)
        for path in SOURCES
        if any(
            isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
            for node in ast.walk(ast.parse(path.read_text()))
        )
    ]


def test_links_between_the_documents_lead_somewhere() -> None:
    broken = []
    for page in (*ROOT.glob("*.md"), *DOCS.rglob("*.md")):
        targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
        broken += [
            f"{page.relative_to(ROOT)}: {target}"
            for target in targets
            if "://" not in target and not (page.parent / target).exists()
        ]
    assert not broken


def test_the_glossary_names_what_is_there_and_each_word_once() -> None:
    page = (DOCS / "glossary.md").read_text()
    words = [word for word in re.findall(r"^\| ([a-z][a-z ]+) \|", page, re.MULTILINE) if word != "word"]
    assert len(words) > 30
    assert len(words) == len(set(words))
    missing = []
    for file, name in re.findall(r"`([\w/]+\.py): (\w+)`", page):
        path = ROOT / "wasm2oci" / file
        defined = rf"^(class|def) {name}\b|^{name}\b.* ="
        if not path.is_file() or re.search(defined, path.read_text(), re.MULTILINE) is None:
            missing.append(f"{file}: {name}")
    assert not missing


_SHARED_CLASS_NAMES = {
    "Places": "of operations; in the engine those of the translator",
    "Reference": "of an artifact; in the engine that of the component model's text format",
    "Request": "of the client, and of the server: decision 21",
    "Response": "of the client, and of the server: decision 21",
    "Scope": "of a token; in the engine that of names in a component",
    "Source": "of a guest's input; in the engine that of generated code",
    "Tree": "of an artifact; in the engine that of control flow",
}
"""Class names with two meanings, on purpose."""


def test_no_class_name_has_two_meanings() -> None:
    # The engine follows two specifications that use the same nouns (module, instance, table): it counts once.
    found: dict[str, set[str]] = {}
    for path in SOURCES:
        place = str(path.relative_to(ROOT / "wasm2oci"))
        for name in re.findall(r"^class ([A-Z]\w*)", path.read_text(), re.MULTILINE):
            found.setdefault(name, set()).add("engine" if place.startswith("engine/") else place)
    doubled = {name: places for name, places in found.items() if len(places) > 1}
    assert doubled.keys() == _SHARED_CLASS_NAMES.keys(), doubled


def test_decisions_have_one_form_and_are_listed() -> None:
    folder = DOCS / "decisions"
    order = ["Context", "Options", "Decision", "Measured", "Consequences"]
    listed = (folder / "README.md").read_text()
    paths = sorted(folder.glob("0*.md"))
    assert [int(path.name[:4]) for path in paths] == list(range(1, len(paths) + 1))
    for path in paths:
        text = path.read_text()
        title = text.splitlines()[0]
        assert title.startswith(f"# {path.name[:4]}. "), path.name
        sections = re.findall(r"^## (.*)$", text, re.MULTILINE)
        assert sections == [name for name in order if name in sections], path.name
        assert {"Context", "Decision", "Consequences"} <= set(sections), path.name
        assert f"[{path.name[:4]}]({path.name}) | " in listed, path.name


def test_groups_repeated_possessively_end_with_an_empty_alternative() -> None:
    """Python before 3.11.5, which Debian 12 has, goes on from where the last, failed, repetition came to."""
    wrong = []
    for module in all_modules():
        patterns = [value for value in vars(module).values() if isinstance(value, re.Pattern)]
        wrong += [f"{module.__name__}: {one.pattern!r}" for one in patterns if loses_its_place(one)]
    assert not wrong


@pytest.mark.parametrize("pattern", [r"(?:a|bc)*+", r"x(?:y(?:a|bc)++)?", r"(?:bc)?+", r"(?>a|bc)", r"(?:|bc)*+"])
def test_patterns_that_lose_their_place_are_found(pattern: str) -> None:
    assert loses_its_place(re.compile(pattern))
    assert not loses_its_place(re.compile(r"[ab]*+(?:c|d)*x++(?:(?:bc|)*+d|)*+"))


def loses_its_place(pattern: re.Pattern[str] | re.Pattern[bytes]) -> bool:
    """Whether a group is atomic, or repeated possessively without an empty alternative at its end."""
    pending: list[object] = [re._parser.parse(pattern.pattern, pattern.flags)]  # type: ignore[attr-defined]
    while pending:
        part = pending.pop()
        if isinstance(part, tuple) and str(part[0]) == "ATOMIC_GROUP":
            return True
        if isinstance(part, tuple) and str(part[0]) == "POSSESSIVE_REPEAT":
            (kind, what), *more = part[1][2]
            one_character = str(kind) in {"LITERAL", "NOT_LITERAL", "IN", "ANY"}
            may_be_empty = str(kind) == "BRANCH" and not len(what[1][-1])
            if more or not (one_character or may_be_empty):
                return True
        if isinstance(part, (tuple, list)) or type(part).__name__ == "SubPattern":
            pending += part  # type: ignore[arg-type]
    return False
