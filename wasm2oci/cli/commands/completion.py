"""`wasm2oci completion`."""

from enum import StrEnum
from typing import Annotated

import typer

from wasm2oci.cli.options import Reporting
from wasm2oci.cli.session import Session

__all__ = ["Shell", "command"]


class Shell(StrEnum):
    """The shells that can complete."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def command(session: Session, shell: Annotated[Shell, typer.Argument(help="Which shell.", show_default=False)]) -> None:
    """Print the completion script of a shell.

    Put it where the shell looks for such scripts:

      wasm2oci completion bash >> ~/.bashrc
      wasm2oci completion zsh > ~/.zfunc/_wasm2oci
      wasm2oci completion fish > ~/.config/fish/completions/wasm2oci.fish

    (zsh: with ~/.zfunc in fpath before compinit runs.)
    """
    from wasm2oci.cli.completion import SCRIPTS

    script = SCRIPTS[shell.value]
    session.output(Reporting()).result({}, script.splitlines())
