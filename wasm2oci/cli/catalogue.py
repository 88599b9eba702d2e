"""The commands of `wasm2oci`: one row each, and nothing imported for it.

The module of command `foo-bar` is `wasm2oci.cli.commands.foo_bar`. It is imported only when that command runs or is
asked for help: start-up is a feature.
"""

from typing import Final, NamedTuple

__all__ = ["COMMANDS", "SECTIONS", "Command", "find", "similar"]


class Command(NamedTuple):
    """One command: its name on the command line, the help section it stands in, and what it does in one line."""

    name: str
    section: str
    summary: str

    @property
    def module(self) -> str:
        """The module that holds its function `command`."""
        return f"wasm2oci.cli.commands.{self.name.replace('-', '_')}"


SECTIONS: Final = ("Modules", "Repositories", "Registries", "This tool")
"""In the order that the help shows them."""

COMMANDS: Final = (
    Command("push", "Modules", "Put a module into a registry"),
    Command("pull", "Modules", "Get a module back, verified"),
    Command("run", "Modules", "Fetch a module, verify it and run it"),
    Command("verify", "Modules", "Check that an artifact is whole, and that a file is its module"),
    Command("validate", "Modules", "Check that a module is valid WebAssembly, every function of it"),
    Command("inspect", "Modules", "Show what an artifact or a module file holds"),
    Command("resolve", "Repositories", "Print the digest that a tag names"),
    Command("tags", "Repositories", "List the tags of a repository"),
    Command("tag", "Repositories", "Give an artifact further tags"),
    Command("copy", "Repositories", "Copy an artifact between registries and layouts"),
    Command("delete", "Repositories", "Remove an artifact, or one tag"),
    Command("login", "Registries", "Check and keep credentials for a registry"),
    Command("logout", "Registries", "Forget the credentials of a registry"),
    Command("demo", "Registries", "Show it all with a registry on this machine"),
    Command("serve", "Registries", "Serve a registry from this machine"),
    Command("completion", "This tool", "Print the completion script of a shell"),
    Command("version", "This tool", "Print the version"),
)
"""In the order that the help shows them."""


def find(name: str) -> Command | None:
    """The command of this name."""
    return next((command for command in COMMANDS if command.name == name), None)


def similar(name: str) -> list[str]:
    """Up to two command names that were perhaps meant, the best first."""
    from difflib import get_close_matches

    names = [command.name for command in COMMANDS]
    starting = [other for other in names if len(name) > 1 and other.startswith(name)]
    other_words = {"ls": "tags", "list": "tags", "cp": "copy", "rm": "delete", "show": "inspect", "info": "inspect"}
    known = [other_words[name]] if name in other_words else []
    close = get_close_matches(name, names, n=2)
    return list(dict.fromkeys(known + starting + close))[:2]
