"""The directive `command-line`: the reference of all commands, from the program itself."""

from collections.abc import Iterator
from typing import Any

import typer
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from varcall.cli import app


class CommandLine(SphinxDirective):
    """Writes a section for each command, with its usage, arguments and options."""

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        text = "\n".join(reference_lines())
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def reference_lines() -> Iterator[str]:
    """Yield the lines of the reference, as reStructuredText."""
    # typer's commands are of a copy of click, which has no types.
    group: Any = typer.main.get_command(app)
    for name, command in group.commands.items():
        title = f"varcall {name}"
        context = command.context_class(command, info_name=title)
        yield from (title, "-" * len(title), "", *_escaped(command.help).splitlines(), "")
        usage = " ".join(command.collect_usage_pieces(context))
        yield from (".. code-block:: text", "", f"   {title} {usage}", "")
        yield from (f".. program:: {title}", "")
        for parameter in command.params:
            if record := parameter.get_help_record(context):
                spelling, text = record
                yield from (f".. option:: {spelling.replace(' / ', ', ')}", "")
                yield from (f"   {_escaped(text)}", "")


def _escaped(text: str) -> str:
    """Return a help text whose characters mean nothing to reStructuredText."""
    return "".join(f"\\{letter}" if letter in "\\*`|_" else letter for letter in text)


def setup(application: Sphinx) -> ExtensionMetadata:
    """Register the directive."""
    application.add_directive("command-line", CommandLine)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
