"""Completion in bash, zsh, fish and PowerShell: the scripts, and what they ask the tool for.

A script calls `PROGRAM __complete WORD...` with the words up to the cursor. It gets one candidate a line (a tab and a
description may follow), or nothing, which means file names.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from wasm2oci.cli.catalogue import commands_of, find
from wasm2oci.cli.commands import declaration_of
from wasm2oci.errors import Wasm2OciError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from wasm2oci.cli.declare import Declaration, Parameter
    from wasm2oci.cli.terminal import Terminal

__all__ = ["SCRIPTS", "candidates"]

_BASH: Final = """\
# bash completion of wasm2oci
_wasm2oci() {
    # bash takes words apart at colons and the like: put them together again.
    local line index piece rest=$COMP_LINE breaks= cut=
    local -a words=()
    for ((index = 0; index <= COMP_CWORD; index++)); do
        piece=${COMP_WORDS[index]}
        if ((index == 0)) || [[ -z $piece || $rest == [[:space:]]* ]]; then
            rest=${rest#"${rest%%[![:space:]]*}"}
            words+=("$piece")
        else
            words[${#words[@]} - 1]+=$piece
        fi
        rest=${rest#"$piece"}
    done
    for piece in : = @; do
        [[ $COMP_WORDBREAKS == *$piece* ]] && breaks+=$piece
    done
    piece=${words[${#words[@]} - 1]}
    [[ -n $breaks && $piece == *[$breaks]* ]] && cut=${piece%"${piece##*[$breaks]}"}
    COMPREPLY=()
    while IFS= read -r line; do
        line=${line%%$'\\t'*}
        [[ $line == *[/:] ]] && compopt -o nospace 2>/dev/null
        COMPREPLY+=("${line#"$cut"}")
    done < <("${COMP_WORDS[0]}" __complete "${words[@]:1}" 2>/dev/null)
}
complete -o default -F _wasm2oci wasm2oci wasm-to-oci
"""

_ZSH: Final = """\
#compdef wasm2oci wasm-to-oci
# zsh completion of wasm2oci
_wasm2oci() {
    local -a lines found unfinished
    local line
    lines=("${(@f)$("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    for line in $lines; do
        [[ ${line%%$'\\t'*} == *[/:] ]] && unfinished=(-S '')
        found+=("${${line%%$'\\t'*}//:/\\\\:}${${(M)line%$'\\t'*}:+:${line#*$'\\t'}}")
    done
    if (( ${#found} )); then
        _describe 'wasm2oci' found $unfinished
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

_POWERSHELL: Final = """\
# PowerShell completion of wasm2oci
Register-ArgumentCompleter -Native -CommandName wasm2oci, wasm-to-oci -ScriptBlock {
    param($word, $ast, $cursor)
    $words = @($ast.CommandElements | Where-Object { $_.Extent.StartOffset -lt $cursor } | ForEach-Object { "$_" })
    $program = $words[0]
    $words = @($words | Select-Object -Skip 1)
    if ($word -eq '') {
        # Before 7.3 an empty argument does not reach a program.
        $words += if ($PSVersionTable.PSVersion -lt [version]'7.3') { '""' } else { '' }
    }
    & $program __complete @words 2>$null | ForEach-Object {
        $text, $about = $_ -split "`t", 2
        if (-not $about) { $about = $text }
        [System.Management.Automation.CompletionResult]::new($text, $text, 'ParameterValue', $about)
    }
}
"""

SCRIPTS: Final = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH, "powershell": _POWERSHELL}
"""The script of each shell."""


def candidates(words: Sequence[str], terminal: Terminal) -> list[str]:
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
        name, equals, begun = word.partition("=")
        if equals:
            choices = options[name].choices if name in options else ()
            return [f"{name}={choice}" for choice in choices if choice.startswith(begun)]
        return list(_option_lines(options, word))
    valued = {name for name, option in options.items() if not option.flag}
    position = sum(1 for earlier, text in pairwise(before) if not text.startswith("-") and earlier not in valued)
    arguments = declaration.arguments
    argument = arguments[position] if position < len(arguments) else arguments[-1] if arguments else None
    if argument is None or (position >= len(arguments) and not argument.many):
        return []
    if argument.choices:
        return [choice for choice in argument.choices if choice.startswith(word)]
    return _names(declaration, before[1:], argument.declared.metavar or "", word, terminal)


_REFERENCES: Final = frozenset({"REF", "REFERENCE", "REPOSITORY", "SOURCE", "DESTINATION"})
"""What arguments are called that are references."""
_HOST: Final = "HOST"
_SECONDS: Final = 1.0
"""How long a shell waits for a registry at most, for a connection and for each piece of an answer."""


def _names(declaration: Declaration, before: Sequence[str], metavar: str, word: str, terminal: Terminal) -> list[str]:
    from wasm2oci.cli.parser import parse_unfinished
    from wasm2oci.cli.settings import load_settings
    from wasm2oci.client import Client, ConnectOptions, RetryPolicy

    meant = set(metavar.strip("[]").split("|"))
    if meant != {_HOST} and (not meant & _REFERENCES or (not word and "FILE" in meant)):
        return []
    options = ConnectOptions()
    try:
        settings = load_settings(terminal.variables)
        values = parse_unfinished(declaration, before, settings)
        if Client in declaration.given.values():
            options = next(values[target] for target, kind in declaration.given.items() if kind is Client)
        options = options._replace(connect_timeout=_SECONDS, read_timeout=_SECONDS, retry=RetryPolicy(tries=1))
        with Client(options, environ=settings.with_tool_keys()) as client:
            return list(client.complete_host(word) if meant == {_HOST} else client.complete(word))
    except Wasm2OciError:
        return []


def _option_lines(options: Mapping[str, Parameter], word: str) -> Iterator[str]:
    texts = {name: parameter.declared.summary for name, parameter in options.items()}
    for name, text in {**texts, "--help": "Show the help of this command."}.items():
        if name.startswith(word) and (name.startswith("--") or word == name):
            yield f"{name}\t{text}"
