"""What `samtools mpileup` shows, counted by the rule that docs/howto/given-sites.md states."""

import re
import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path


def pileup(
    bam: Path, reference: Path, positions: Sequence[int], contig: str, folder: Path
) -> dict[int, Counter[str]]:
    """Count bases at some POS, by POS.

    Of the bases of a fragment the better one counts, if its quality is 10 or more; "DP" counts
    fragments that have a base or a deletion there.
    """
    listed = folder / "positions"
    listed.write_text("".join(f"{contig}\t{pos}\n" for pos in positions))
    words = ["samtools", "mpileup", "-x", "-A", "-B", "-d", "0", "-q", "5", "-Q", "0"]
    words += ["--ff", "3844", "--output-QNAME", "-l", listed, "-f", reference, bam]
    shown = subprocess.run(list(map(str, words)), check=True, capture_output=True, text=True)
    counted = {}
    for line in shown.stdout.splitlines():
        _, pos, ref, _, column, qualities, names = line.split("\t")
        best: dict[str, tuple[int, str]] = {}
        for base, quality, name in zip(
            _bases(column, ref), qualities, names.split(","), strict=True
        ):
            if base in "<>":
                continue
            known = ord(quality) - 33 if base in "ACGT" else 0
            rank = (known if known >= 10 else -1, base)
            if name not in best or rank[0] > best[name][0]:
                best[name] = rank
        counted[int(pos)] = Counter(base for known, base in best.values() if known >= 0)
        counted[int(pos)]["DP"] = len(best)
    return counted


def _bases(column: str, ref: str) -> list[str]:
    """Take a column of a pileup apart: starts, ends and indels left out."""
    plain = re.sub(r"\^.|\$", "", column)
    while found := re.search(r"[+-](\d+)", plain):
        plain = plain[: found.start()] + plain[found.end() + int(found[1]) :]
    return [ref.upper() if base in ".," else base.upper() for base in plain]
