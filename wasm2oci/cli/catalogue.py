"""The commands of `wasm2oci` and of `wasm-to-oci`: one row each, and nothing imported for it.

A command's module is imported only when that command runs or is asked for help: start-up is a feature.
"""

from __future__ import annotations

from typing import Final

from wasm2oci.base.records import NamedTuple

__all__ = ["COMMANDS", "DROP_IN", "SECTIONS", "Command", "commands_of", "find", "similar"]


class Command(NamedTuple):
    """One command.

    Args:
        name: on the command line.
        section: the heading it has in the help.
        summary: what it does, in one line.
        home: `module:function` below `wasm2oci.cli`, where that is not `commands.NAME:command`.
    """

    name: str
    section: str
    summary: str
    home: str = ""

    @property
    def module(self) -> str:
        """The module that holds its function."""
        return f"wasm2oci.cli.{self.home.partition(':')[0] or f'commands.{self.name}'}"

    @property
    def function(self) -> str:
        """The name of its function."""
        return self.home.partition(":")[2] or "command"


SECTIONS: Final = ("Modules", "Signatures", "Repositories", "Registries", "This tool")
"""In the order that the help shows them."""

COMMANDS: Final = (
    Command("push", "Modules", "Put a module into a registry"),
    Command("pull", "Modules", "Get a module from a registry, verified"),
    Command("run", "Modules", "Fetch a module, verify it and run it"),
    Command("verify", "Modules", "Check that an artifact is complete, signed, and holds this file"),
    Command("validate", "Modules", "Check that a module is valid WebAssembly"),
    Command(
        "serve-http", "Modules", "Run a component as an HTTP server, for development", "commands.serve_http:command"
    ),
    Command("print", "Modules", "Print a module or component as text"),
    Command("assemble", "Modules", "Assemble the text format into a binary"),
    Command("wit", "Modules", "Print the WIT of a component or WIT package"),
    Command("inspect", "Modules", "Show what an artifact or a module file holds"),
    Command("sign", "Signatures", "Sign an artifact with a key, or as a CI job"),
    Command("attest", "Signatures", "Sign a statement about an artifact: an SBOM, a provenance"),
    Command("sign-file", "Signatures", "Sign a file that is in no registry", "commands.sign_file:command"),
    Command(
        "verify-file",
        "Signatures",
        "Verify the signature of a file that is in no registry",
        "commands.verify_file:command",
    ),
    Command("tree", "Signatures", "Show an artifact, its parts and what refers to it"),
    Command("attestations", "Signatures", "Show the statements about an artifact"),
    Command("sbom", "Signatures", "Print or attach the bill of materials of a module"),
    Command("provenance", "Signatures", "Print or attach the provenance of this CI job"),
    Command("policy", "Signatures", "Check an artifact against policy files, or explain them"),
    Command("key", "Signatures", "Make, import or show the keys that sign"),
    Command("resolve", "Repositories", "Print the digest that a tag names"),
    Command("tags", "Repositories", "List the tags of a repository"),
    Command("repos", "Repositories", "List the repositories of a registry"),
    Command("tag", "Repositories", "Give an artifact further tags"),
    Command("copy", "Repositories", "Copy an artifact between registries and layouts"),
    Command("delete", "Repositories", "Remove an artifact, or one tag"),
    Command("attach", "Repositories", "Attach files to an artifact"),
    Command("discover", "Repositories", "List what refers to an artifact"),
    Command("manifest", "Repositories", "Get, put or delete a manifest, or get its config"),
    Command("blob", "Repositories", "Get, put or delete one blob"),
    Command("login", "Registries", "Check and store credentials for a registry"),
    Command("logout", "Registries", "Remove the stored credentials of a registry"),
    Command("whoami", "Registries", "Show which credentials are used at a registry"),
    Command("demo", "Registries", "Show the main commands with a registry on this machine"),
    Command("serve", "Registries", "Run a registry on this machine"),
    Command("cache", "This tool", "Show the cache, or make it smaller"),
    Command("config", "This tool", "Show every setting, and where its value comes from"),
    Command("completion", "This tool", "Print the completion script of a shell"),
    Command("version", "This tool", "Print the version"),
)
"""In the order that the help shows them."""

DROP_IN: Final = (
    Command("pull", "Modules", "Pulls a WASM module from an OCI registry", "drop_in:pull"),
    Command("push", "Modules", "Pushes a WASM module to an OCI registry", "drop_in:push"),
)
"""The commands of `wasm-to-oci`."""

_OTHER_WORDS: Final = {
    # What other tools and people call it. What only looks is not answered with what writes.
    "artifact": "inspect",
    "auth": "whoami",
    "backup": "copy",
    "cat": "inspect",
    "catalog": "repos",
    "check": "validate",
    "clean": "cache",
    "compile": "assemble",
    "cp": "copy",
    "decompile": "print",
    "describe": "inspect",
    "digest": "resolve",
    "disassemble": "print",
    "download": "pull",
    "env": "config",
    "exec": "run",
    "export": "copy",
    "fetch": "pull",
    "find": "repos",
    "gc": "cache",
    "get": "pull",
    "hash": "resolve",
    "image": "inspect",
    "import": "copy",
    "info": "inspect",
    "lint": "validate",
    "list": "tags",
    "list-tags": "tags",
    "load": "copy",
    "ls": "tags",
    "mirror": "copy",
    "parse": "assemble",
    "preferences": "config",
    "prune": "cache",
    "publish": "push",
    "put": "push",
    "referrers": "discover",
    "remove": "delete",
    "repo": "repos",
    "repositories": "repos",
    "repository": "repos",
    "restore": "copy",
    "rm": "delete",
    "save": "copy",
    "search": "repos",
    "settings": "config",
    "sha256": "resolve",
    "show": "inspect",
    "sign-blob": "sign-file",
    "sign-in": "login",
    "sign-out": "logout",
    "signin": "login",
    "signout": "logout",
    "start": "run",
    "sync": "copy",
    "tag-list": "tags",
    "untag": "delete",
    "upload": "push",
    "user": "whoami",
    "verify-blob": "verify-file",
    "verify-signature": "verify",
    "wasm2wat": "print",
    "wat2wasm": "assemble",
}


def commands_of(program: str) -> tuple[Command, ...]:
    """The commands of `wasm2oci` or of `wasm-to-oci`."""
    return DROP_IN if program == "wasm-to-oci" else COMMANDS


def find(name: str, program: str = "wasm2oci") -> Command | None:
    """The command of this name."""
    return next((command for command in commands_of(program) if command.name == name), None)


def similar(name: str, program: str = "wasm2oci") -> list[str]:
    """Up to two command names that were perhaps meant, the best first."""
    from difflib import get_close_matches

    names = [command.name for command in commands_of(program)]
    if name in _OTHER_WORDS:
        known = _OTHER_WORDS[name]
        return [known] if known in names else []
    starting = [other for other in names if len(name) > 1 and other.startswith(name)]
    swapped = [other for other in names if sorted(other) == sorted(name)]  # `rnu`: close, but not by that measure
    return list(dict.fromkeys((*starting, *swapped, *get_close_matches(name, names, n=2, cutoff=0.7))))[:2]
