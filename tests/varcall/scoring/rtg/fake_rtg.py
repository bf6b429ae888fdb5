"""Stands in for rtg in tests: replays the outputs recorded in a folder, or fails in a named way.

The environment variable FAKE_RTG is a folder with ``expected/`` or the name of a failure.
"""

import gzip
import os
import re
import shutil
import sys
from pathlib import Path

FAILURES = {
    "no-java": (1, "/usr/bin/rtg: line 9: java: command not found\n"),
    "out-of-memory": (1, "Error: There is not enough memory available: java heap space\n"),
    "no-index": (1, "Error: Index not found for file query.vcf.gz.tbi\n"),
    "bad-sdf": (1, "Error: The specified SDF does not seem to be a valid SDF.\n"),
}


def value_of(arguments: list[str], *names: str) -> str:
    """The value behind an option."""
    return next(arguments[arguments.index(name) + 1] for name in names if name in arguments)


def make_sdf(arguments: list[str]) -> int:
    """rtg format."""
    folder = Path(value_of(arguments, "-o"))
    if os.environ["FAKE_RTG"] == "bad-reference":
        sys.stderr.write("Error: Unrecognized symbols appeared before label symbol.\n")
        return 1
    folder.mkdir()
    for name in ("mainIndex", "done"):
        (folder / name).write_text("")
    return 0


def recorded_failure(folder: Path, tool: str) -> tuple[int, str] | None:
    """Exit code and message of a tool in error.txt."""
    path = folder / "expected" / "error.txt"
    if not path.exists():
        return None
    for part in path.read_text().split("tool: ")[1:]:
        if part.splitlines()[0] == tool:
            found = re.search(r"exit: (\d+)\nmessage:\n(.*)", part, re.DOTALL)
            assert found is not None
            return int(found[1]), found[2]
    return None


def as_ga4gh(annotated: str) -> str:
    """hap.py's annotated VCF without what hap.py added."""
    lines = []
    for line in annotated.splitlines():
        if not line.startswith("#"):
            fields = line.split("\t")
            fields[7] = ";".join(x for x in fields[7].split(";") if x.startswith("BS")) or "."
            keys = fields[8].split(":")
            kept = [i for i, key in enumerate(keys) if key in ("GT", "BD", "BK", "QQ")]
            for column in (8, 9, 10):
                values = fields[column].split(":")
                fields[column] = ":".join(values[i] for i in kept)
            line = "\t".join(fields)
        lines.append(line + "\n")
    return "".join(lines)


def vcfeval(arguments: list[str]) -> int:
    """rtg vcfeval."""
    output = Path(value_of(arguments, "-o"))
    if not (Path(value_of(arguments, "-t", "--template")) / "mainIndex").exists():
        sys.stderr.write("Error: the SDF does not exist\n")
        return 1
    behaviour = os.environ["FAKE_RTG"]
    if behaviour in FAILURES:
        code, message = FAILURES[behaviour]
        sys.stderr.write(message)
        return code
    output.mkdir(parents=True)
    if behaviour == "stopped":
        return 0
    folder = Path(behaviour)
    is_ga4gh = "-m" in arguments
    failure = recorded_failure(folder, "rtg vcfeval -m ga4gh" if is_ga4gh else "rtg vcfeval")
    if failure is not None:
        sys.stderr.write(failure[1])
        return failure[0]
    if is_ga4gh:
        text = as_ga4gh((folder / "expected" / "happy" / "annotated.vcf").read_text())
        (output / "output.vcf.gz").write_bytes(gzip.compress(text.encode()))
    else:
        for path in (folder / "expected" / "rtg").iterdir():
            if path.suffix in (".vcf", ".tsv"):
                (output / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
            elif path.name == "stderr.txt":
                sys.stderr.write(path.read_text())
            else:
                shutil.copy(path, output)
    (output / "done").write_text("")
    return 0


def main(arguments: list[str]) -> int:
    """Play the command."""
    if arguments[0] == "version":
        sys.stdout.write("Product: RTG Tools 3.12.1\n")
        return 0
    return {"format": make_sdf, "vcfeval": vcfeval}[arguments[0]](arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
