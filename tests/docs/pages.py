"""The pages that people read, taken apart: fenced blocks, code spans, commands."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language and its text."""

    language: str
    text: str

    @property
    def commands(self) -> list[str]:
        """The command lines of a shell block, comments left out and continued lines joined."""
        if self.language == "console":
            return [command for command, _ in self.session()]
        lines = self.text.replace("\\\n", " ").splitlines()
        return [line.strip() for line in lines if line.strip() and not line.startswith("#")]

    def session(self) -> Iterator[tuple[str, str]]:
        """The commands of a console block, each with the output that is shown."""
        for part in re.split(r"^\$ ", self.text, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            yield command, output


def pages(root: Path) -> list[Path]:
    """All pages of a checkout."""
    found = [root / "README.md", root / "CONTRIBUTING.md", *(root / "docs").rglob("*.md")]
    return sorted(page for page in found if "_build" not in page.parts)


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page."""
    return [Block(language, text) for language, text in _FENCE.findall(page.read_text())]


def code_spans(page: Path) -> list[str]:
    """What stands between backticks outside of fenced blocks."""
    return _SPAN.findall(_FENCE.sub("", page.read_text()))
