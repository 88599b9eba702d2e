"""Completion in bash, zsh and fish: the scripts, and what they ask the tool for.

A script calls `PROGRAM __complete WORD...` with the words up to the cursor. It gets one candidate a line (a tab and a
description may follow), or nothing, which means file names.
"""

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from wasm2oci.cli.catalogue import commands_of, find
from wasm2oci.cli.commands import declaration_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from wasm2oci.cli.declare import Parameter
    from wasm2oci.cli.terminal import Terminal

__all__ = ["SCRIPTS", "candidates"]

_BASH: Final = """\
# bash completion of wasm2oci
_wasm2oci() {
    local line word=${COMP_WORDS[COMP_CWORD]}
    COMPREPLY=()
    while IFS= read -r line; do
        COMPREPLY+=("${line%%$'\\t'*}")
    done < <("${COMP_WORDS[0]}" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _wasm2oci wasm2oci wasm-to-oci
"""

_ZSH: Final = """\
#compdef wasm2oci wasm-to-oci
# zsh completion of wasm2oci
_wasm2oci() {
    local -a lines found
    local line
    lines=("${(@f)$("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    for line in $lines; do
        found+=("${${line%%$'\\t'*}//:/\\\\:}${${(M)line%$'\\t'*}:+:${line#*$'\\t'}}")
    done
    if (( ${#found} )); then
        _describe 'wasm2oci' found
    else
        _files
    fi
}
if [[ ${funcstack[1]} == _wasm2oci ]]; then
    _wasm2oci "$@"
else
    compdef _wasm2oci wasm2oci wasm-to-oci
fi
"""

_FISH: Final = """\
# fish completion of wasm2oci
function __wasm2oci_complete
    set -l words (commandline -opc) (commandline -ct)
    $words[1] __complete $words[2..-1] 2>/dev/null
end
for program in wasm2oci wasm-to-oci
    complete -c $program -f -n 'test (count (__wasm2oci_complete)) -gt 0' -a '(__wasm2oci_complete)'
end
"""

SCRIPTS: Final = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
"""The script of each shell."""


def candidates(words: "Sequence[str]", terminal: "Terminal") -> list[str]:
    """What may take the place of the last word.

    Args:
        words: what follows the program's name, the unfinished word last (empty when nothing is typed of it).
        terminal: of which program.
    """
    *before, word = words or [""]
    if not before or before == ["help"]:
        if word.startswith("-") and not before:
            return [text for text in ("--help", "--version") if word in text]
        commands = commands_of(terminal.program)
        return [f"{command.name}\t{command.summary}" for command in commands if command.name.startswith(word)]
    command = find(before[0], terminal.program)
    if command is None:
        return []
    declaration = declaration_of(command)
    options = declaration.options
    previous = options.get(before[-1])
    if previous is not None and not previous.flag:
        return [choice for choice in previous.choices if choice.startswith(word)]
    if word.startswith("-"):
        return list(_option_lines(options, word))
    valued = {name for name, option in options.items() if not option.flag}
    position = sum(1 for earlier, text in pairwise(before) if not text.startswith("-") and earlier not in valued)
    arguments = declaration.arguments
    return [
        choice
        for argument in arguments[position : position + 1]
        for choice in argument.choices
        if choice.startswith(word)
    ]


def _option_lines(options: "Mapping[str, Parameter]", word: str) -> "Iterator[str]":
    texts = {name: parameter.declared.help for name, parameter in options.items()}
    for name, text in {**texts, "--help": "Show the help of this command."}.items():
        if name.startswith(word) and (name.startswith("--") or word == name):
            yield f"{name}\t{text}"
