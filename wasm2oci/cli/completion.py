"""Completion in bash, zsh and fish: the scripts, and what they ask the tool for.

A script calls `wasm2oci __complete WORD...` with the words up to the cursor. It gets one candidate a line (a tab and a
description may follow), or nothing, which means file names.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from wasm2oci.cli.catalogue import COMMANDS, find
from wasm2oci.cli.loader import load

__all__ = ["SCRIPTS", "candidates"]

_BASH: Final = """\
# bash completion of wasm2oci
_wasm2oci() {
    local line word=${COMP_WORDS[COMP_CWORD]}
    COMPREPLY=()
    while IFS= read -r line; do
        COMPREPLY+=("${line%%$'\\t'*}")
    done < <(wasm2oci __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _wasm2oci wasm2oci
"""

_ZSH: Final = """\
#compdef wasm2oci
# zsh completion of wasm2oci
_wasm2oci() {
    local -a lines found
    local line
    lines=("${(@f)$(wasm2oci __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
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
    compdef _wasm2oci wasm2oci
fi
"""

_FISH: Final = """\
# fish completion of wasm2oci
function __wasm2oci_complete
    set -l words (commandline -opc) (commandline -ct)
    wasm2oci __complete $words[2..-1] 2>/dev/null
end
complete -c wasm2oci -f -n 'test (count (__wasm2oci_complete)) -gt 0' -a '(__wasm2oci_complete)'
"""

SCRIPTS: Final = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
"""The script of each shell."""


def candidates(words: Sequence[str]) -> list[str]:
    """What may stand where the last word stands.

    Args:
        words: what follows the program's name, the unfinished word last (empty when nothing is typed of it).
    """
    *before, word = words or [""]
    if not before or before == ["help"]:
        named = [f"{command.name}\t{command.summary}" for command in COMMANDS if command.name.startswith(word)]
        return (
            named if before or not word.startswith("-") else [text for text in ("--help", "--version") if word in text]
        )
    row = find(before[0])
    if row is None:
        return []
    params: list[Any] = load(row.module, row.name).params
    options = {name: param for param in params for name in param.opts if name.startswith("-")}
    previous = options.get(before[-1])
    if previous is not None and not previous.is_flag:
        return [choice for choice in _choices(previous) if choice.startswith(word)]
    if word.startswith("-"):
        return list(_option_lines(options, word))
    position = sum(1 for text in before[1:] if not text.startswith("-"))
    arguments = [param for param in params if param.param_type_name == "argument"]
    if position < len(arguments):
        return [choice for choice in _choices(arguments[position]) if choice.startswith(word)]
    return []


def _option_lines(options: dict[str, Any], word: str) -> Iterator[str]:
    for name, param in (*options.items(), ("--help", None)):
        if name.startswith(word) and (name.startswith("--") or word == name):
            text = getattr(param, "help", None) or "Show the help of this command."
            yield f"{name}\t{text}"


def _choices(param: Any) -> list[str]:
    return [str(getattr(choice, "value", choice)) for choice in getattr(param.type, "choices", ())]
