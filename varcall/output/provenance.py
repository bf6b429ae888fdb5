"""Where a call set comes from: version, reference, model and command, as header lines.

The command recorded is not the one typed but the options that decide the result, spelled one way.
So threads, shards, batch size and names of outputs leave no trace in the bytes of the output.
"""

from __future__ import annotations

import dataclasses
import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from varcall.output.header import escape_control
from varcall.version import __version__

# Options that say how to run or where to write; none may change a record of the VCF. What a gVCF
# is, its header says.
NEUTRAL_OPTIONS = frozenset(
    {
        "batch_size",
        "executor",
        "gvcf",
        "gvcf_alt",
        "gvcf_gq_bands",
        "log_file",
        "output",
        "output_type",
        "resume",
        "shard",
        "threads",
        "timings",
        "no_version",
        "workdir",
        "write_index",
    }
)


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Name of the weights and SHA-256 (hex) of their file."""

    name: str
    sha256: str


def normalised_command(command: str, options: Any) -> str:
    """Spell a command by the options that decide its result.

    Parameters
    ----------
    command
        Name of the subcommand.
    options
        Its frozen options dataclass. Fields of `NEUTRAL_OPTIONS` and fields at their default are
        left out; a field without default is always named; names are sorted.

    Returns
    -------
    str
        For instance `varcall call --reads a.bam --ref b.fa --regions 20:1-100`.
    """
    words = ["varcall", command]
    for field in sorted(dataclasses.fields(options), key=lambda field: field.name):
        value = getattr(options, field.name)
        if field.name not in NEUTRAL_OPTIONS and value != _default(field):
            words += _words("--" + field.name.replace("_", "-"), value)
    return shlex.join(words)


def _default(field: dataclasses.Field[Any]) -> object:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _words(name: str, value: object) -> Iterator[str]:
    """Yield the words of one option: a flag, name and value, or one such pair per element."""
    if isinstance(value, bool):
        yield name if value else "--no-" + name.removeprefix("--")
    elif isinstance(value, tuple | list):
        for element in value:
            yield from (name, _text(element))
    elif value is not None:
        yield from (name, _text(value))


def _text(value: object) -> str:
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)


def header_lines(
    *,
    reference: str,
    model: ModelIdentity | None,
    command: str | None,
    other_contigs: Sequence[str] = (),
) -> tuple[str, ...]:
    """Return the provenance lines of a VCF header.

    Parameters
    ----------
    reference
        Path of the reference as the user gave it.
    model
        Which weights answered; None where no model was asked.
    command
        `normalised_command`; None (`--no-version`) leaves out the command and the version.
    other_contigs
        Contigs whose sequence is not the one that the reads were aligned to.
    """
    lines = [
        "##source=varcall" if command is None else f"##source=varcall {__version__}",
        f"##reference={escape_control(reference)}",
    ]
    if other_contigs:
        lines.append(f"##varcall_other_reference={escape_control(','.join(other_contigs))}")
    if model is not None:
        name = escape_control(model.name)
        for mark in ',<>"':
            name = name.replace(mark, f"%{ord(mark):02X}")
        lines.append(f"##varcall_model=<ID={name},sha256={model.sha256}>")
    if command is not None:
        lines.append(f"##varcall_command={escape_control(command)}")
    return tuple(lines)
