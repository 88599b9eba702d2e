"""The part of `Client` that is about text: print, assemble and wit; see `wasm2oci.client`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from wasm2oci.client_signatures import SignatureMethods

if TYPE_CHECKING:
    from wasm2oci.operations.assemble import Assembled
    from wasm2oci.operations.print_module import Printed
    from wasm2oci.operations.wit import Wit

__all__ = ["TextMethods"]


class TextMethods(SignatureMethods):
    """What `Client` does with modules as text."""

    def print(
        self,
        subject: str | Path | bytes,
        output: str | Path | None = None,
        *,
        folded: bool = False,
        offsets: bool = False,
        function: str | None = None,
        module: str | None = None,
        platform: str | None = None,
    ) -> Printed:
        """Print a module or component in the text format.

        Args:
            subject: a reference, a file, or the bytes.
            output: the file to write; without one the result has the text.
            folded: whether instructions hold their operands in parentheses.
            offsets: whether each line says where in the binary it comes from.
            function: only the function of this name, export or index.
            module: which one, if an artifact holds several.
            platform: which entry of an index.

        Raises:
            MalformedError: it does not decode; what is only invalid is printed.
            NotFoundError: there is no such file, artifact or function.
            Wasm2OciError: it cannot be read, fetched or written.
        """
        from wasm2oci.operations.fetch_module import FetchPolicy, Pull
        from wasm2oci.operations.print_module import print_module
        from wasm2oci.operations.subject import parse_subject

        return print_module(
            parse_subject(subject),
            FetchPolicy(Pull.ALWAYS, None, module, platform),
            self.environment,
            None if output is None else Path(output),
            folded=folded,
            offsets=offsets,
            function=function,
        )

    def assemble(self, source: Path | bytes) -> bytes:
        """The binary of a module or component in the text format.

        Args:
            source: a file with the text, or the text.

        Raises:
            TextError: it is neither; `line` and `column` tell where.
            UsageError: it is in the binary format already.
            LocalIOError: the file cannot be read.
        """
        from wasm2oci.operations.assemble import assemble_text

        return assemble_text(source)

    def assemble_file(self, source: Path | bytes, output: str | Path) -> Assembled:
        """Assemble into a file, which appears whole or not at all. Raises as `assemble`."""
        from wasm2oci.operations.assemble import assemble_file

        return assemble_file(source, Path(output))

    def wit(self, subject: str | Path | bytes, *, module: str | None = None, platform: str | None = None) -> Wit:
        """The world of a component, or the interfaces and worlds of a WIT package, as WIT.

        Args:
            subject: a reference, a file, or the bytes.
            module: which one, if an artifact holds several.
            platform: which entry of an index.

        Raises:
            ModuleError: it is no component, or its types are invalid.
            NotFoundError: there is no such file or artifact.
            Wasm2OciError: it cannot be read or fetched.
        """
        from wasm2oci.operations.fetch_module import FetchPolicy, Pull
        from wasm2oci.operations.subject import parse_subject
        from wasm2oci.operations.wit import wit

        return wit(parse_subject(subject), FetchPolicy(Pull.ALWAYS, None, module, platform), self.environment)
