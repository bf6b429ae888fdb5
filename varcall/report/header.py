"""What the header of a VCF says of how it was made."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_COMMANDS = re.compile(
    r"##(?:varcall_command|commandline|DeepVariant_command|GATKCommandLine|bcftools_callCommand)="
    r"(.*)",
    re.IGNORECASE,
)
_MODEL = re.compile(r"##varcall_model=<ID=([^,>]*),sha256=([0-9a-f]+)>")
_SEX = re.compile(r"##varcall_sex=<sex=(\w+)")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a call set comes from; an empty text is what the header does not say.

    Attributes
    ----------
    source
        Program and version.
    command
        The first command line that is stated.
    reference
        Path or name of the reference.
    model, model_sha256
        Weights of varcall.
    sex
        Sex that X and Y were called with: male, female or unknown.
    """

    source: str = ""
    command: str = ""
    reference: str = ""
    model: str = ""
    model_sha256: str = ""
    sex: str = ""

    @classmethod
    def of_header(cls, lines: Sequence[str]) -> "Origin":
        """Read the `##` lines of a header."""
        model = _first(_MODEL, lines)
        command = _first(_COMMANDS, lines)
        sex = _first(_SEX, lines)
        return cls(
            source=_value("source", lines),
            command=command[1] if command else "",
            reference=_value("reference", lines),
            model=model[1] if model else "",
            model_sha256=model[2] if model else "",
            sex=sex[1] if sex else "",
        )


def _first(pattern: re.Pattern[str], lines: Sequence[str]) -> re.Match[str] | None:
    return next((found for line in lines if (found := pattern.match(line))), None)


def _value(key: str, lines: Sequence[str]) -> str:
    start = f"##{key}="
    return next((line[len(start) :] for line in lines if line.startswith(start)), "")
