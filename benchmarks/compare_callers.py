"""Time varcall, bcftools and freebayes on one BAM in one run: wall, CPU seconds, peak memory.

Usage: python -m benchmarks.compare_callers [--slice NAME | --reads BAM --ref FASTA -r REGION]
"""

import argparse
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.callers import PEERS, VARCALL, Job, Usage, timings_path
from benchmarks.machine import RESULTS, ROOT, commit, describe
from benchmarks.slices import SLICES, stage


def time_callers(job: Job, repeats: int, directory: Path) -> dict[str, Usage]:
    """Run each installed caller `repeats` times; return its run of the least CPU time.

    The least of several is what the program costs; the rest is what else the machine was doing.
    """
    usages: dict[str, Usage] = {}
    for caller in (VARCALL, *PEERS):
        if caller.available():
            asked = replace(job, output=directory / f"{caller.name}.vcf.gz")
            usages[caller.name] = min(
                (caller.run(asked) for _ in range(repeats)), key=lambda usage: usage.cpu
            )
    return usages


def table(usages: dict[str, Usage]) -> str:
    """Format the costs as markdown."""
    lines = ["| caller | wall s | CPU s | peak MB |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {name} | {usage.wall:.1f} | {usage.cpu:.1f} | {usage.peak_mb:.0f} |"
        for name, usage in usages.items()
    ]
    return "\n".join(lines) + "\n"


def stage_table(timings: Path) -> str:
    """Format varcall's CPU seconds by stage (`varcall call --timings`) as markdown."""
    rows = [line.split("\t") for line in timings.read_text().splitlines()]
    seen = ", ".join(f"{row[1]} {row[0][2:]}" for row in rows if row[0].startswith("#"))
    lines = ["| stage | CPU s | share |", "| --- | --- | --- |"]
    lines += [f"| {' | '.join(row)} |" for row in rows[1:] if not row[0].startswith("#")]
    return "\n".join([*lines, "", f"One run of varcall: {seen}."]) + "\n"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--slice", default=SLICES[0].name, help="row label in benchmarks/slices.py")
    parser.add_argument("--reads", type=Path, help="a BAM instead of a slice")
    parser.add_argument("--ref", type=Path, help="its plain FASTA")
    parser.add_argument("-r", "--region", help="contig:start-end, 1-based inclusive")
    parser.add_argument("-t", "--threads", type=int, default=1, help="varcall's worker processes")
    parser.add_argument("-m", "--model", help="varcall's model: a name or a .safetensors path")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--no-append", action="store_true", help="print only")
    return parser.parse_args()


def main() -> None:
    """Run the benchmark."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="varcall-compare-") as temporary:
        directory = Path(temporary)
        if arguments.reads:
            if not (arguments.ref and arguments.region):
                raise SystemExit("--reads needs --ref and --region")
            reads, reference, region = arguments.reads, arguments.ref, arguments.region
            name = reads.name
        else:
            item = next((item for item in SLICES if item.name == arguments.slice), None)
            if item is None:
                raise SystemExit(f"no slice {arguments.slice!r}: see benchmarks/slices.py")
            staged = stage(item, directory)
            reads, reference, region, name = (
                staged.reads,
                staged.reference,
                item.region,
                item.name,
            )
        job = Job(
            reads, reference, region, Path(), threads=arguments.threads, model=arguments.model
        )
        usages = time_callers(job, arguments.repeats, directory)
        stages = stage_table(timings_path(replace(job, output=directory / "varcall.vcf.gz")))
    text = f"{table(usages)}\n{stages}"
    print(text)
    if not arguments.no_append:
        title = f"{datetime.now(UTC):%Y-%m-%d}, commit {commit(ROOT)}, {describe()}"
        with RESULTS.open("a") as out:
            out.write(
                f"\n## Cost of calling {name}, {region}, "
                f"{arguments.threads} worker process(es) of varcall: {title}\n\n{text}"
            )


if __name__ == "__main__":
    main()
