"""`wasm2oci completion`."""

from enum import StrEnum
from typing import Annotated, NamedTuple

from wasm2oci.cli.declare import Argument
from wasm2oci.cli.output import Output

__all__ = ["Script", "Shell", "command"]


class Shell(StrEnum):
    """The shells that can complete."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"


class Script(NamedTuple):
    """The completion script of a shell."""

    shell: Shell
    script: str


def command(output: Output, shell: Annotated[Shell, Argument("SHELL", f"One of {', '.join(Shell)}.")]) -> None:
    """Print the completion script of a shell.

    Put it where the shell looks for such scripts:

      wasm2oci completion bash >> ~/.bashrc
      wasm2oci completion zsh > ~/.zfunc/_wasm2oci
      wasm2oci completion fish > ~/.config/fish/completions/wasm2oci.fish
      wasm2oci completion powershell >> $PROFILE

    (zsh: with ~/.zfunc in fpath before compinit runs.) It completes commands,
    options, registries with stored credentials, image layouts, and tags, for which
    it asks the registry.
    """
    from wasm2oci.cli.completion import SCRIPTS

    script = SCRIPTS[shell.value]
    output.result(Script(shell, script), script.splitlines(), quiet=script.splitlines())
