"""A user's script is checked by mypy in its strict mode, and its mistakes are found."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = '''\
"""Call a region, look at what is uncertain, and score the rest."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from varcall import Caller, CallResult, InputError, ModelError, Variant, call, evaluate


def uncertain(result: CallResult, below: int) -> list[Variant]:
    return [variant for variant in result if variant.gq is not None and variant.gq < below]


def main(reads: Path, reference: Path) -> float:
    try:
        result = call(
            reads, reference, output="calls.vcf.gz", regions=["20:1-2000"], threads=2,
            min_mapq=10, haploid_contigs=("X", "Y"), progress=lambda step: print(step.region),
        )
    except (InputError, ModelError) as error:
        raise SystemExit(str(error)) from error
    depths: NDArray[np.int32] = result.to_numpy()["dp"]
    with Caller(reference, model="tiny", ploidy=2) as caller:
        for variant in uncertain(result, below=10):
            pileup = caller.pileup(reads, f"{variant.contig}:{variant.pos}", alt=variant.alts[0])
            image: NDArray[np.uint8] = pileup.image[pileup.panels[0].rows]
            answer = caller.ask(reads, f"{variant.contig}:{variant.pos}", task="cause")
            print(image.mean(), answer.answer, dict(zip(answer.options, answer.probabilities)))
        first: Variant = caller.call(reads, "20:1-2000")[0]
        print(first.genotype, float(depths.mean()))
    return evaluate("truth.vcf.gz", "calls.vcf.gz", reference, confident="sure.bed").snp.recall
'''
MISTAKES = {
    "call(reads, reference, thread=2)": "call-arg",
    "call(reads, reference, min_mapq='10')": "arg-type",
    "call(reads, reference, output=1)": "arg-type",
    "call(reads)": "call-arg",
    "Caller(reference).call(reads)": "call-arg",
    "Caller(reference).pileup(reads, '1:5').imgae": "attr-defined",
    "evaluate('a', 'b', 'c').snp.recal": "attr-defined",
    "next(iter(call(reads, reference))).gq + 1": "operator",
}


@pytest.mark.slow
def test_a_users_script_passes_and_its_mistakes_do_not(tmp_path: Path, root: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    head = "from varcall import Caller, call, evaluate\nreads, reference = 'a.bam', 'b.fa'\n"
    (tmp_path / "mistakes.py").write_text(head + "\n".join(MISTAKES) + "\n")
    # Not this project's settings, but those of a user who has none.
    words = ["--strict", "--config-file", "", "--cache-dir", str(tmp_path / "cache")]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *words, "script.py", "mistakes.py"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "MYPYPATH": str(root), "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.stderr == ""
    shown = done.stdout.splitlines()
    assert [line for line in shown if line.startswith("script.py")] == []
    for number, (text, code) in enumerate(MISTAKES.items(), start=3):
        assert any(
            line.startswith(f"mistakes.py:{number}:") and f"[{code}]" in line for line in shown
        ), f"{text}\n{done.stdout}"
