"""Build hook: compile the kernels and pack their machine code into the wheel.

It takes two or three minutes, and needs what varcall needs at run time, so a build in isolation
(plain `pip wheel .`) has none of it: that wheel is pure Python, and the first call on a machine
compiles. `make wheel` builds without isolation. VARCALL_BUILD_KERNELS=0 leaves the kernels out.
"""

import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SWITCH = "VARCALL_BUILD_KERNELS"
NEEDED = ("cyvcf2", "isal", "numba", "pyfaidx", "pysam", "torch", "typer")
SHIPPED = "pileup/compiled"
"""`pileup.kernel_cache.SHIPPED` in the wheel."""

LEVEL = "from pileup.accelerate import shipped_level; print(shipped_level() or '')"


class KernelHook(BuildHookInterface[Any]):
    """Adds the compiled kernels, and the tag of what they run on."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile the kernels and list their files."""
        reason = self._why_not(version)
        if reason:
            self.app.display_info(f"Without compiled kernels: {reason}")
            return
        self._folder = tempfile.TemporaryDirectory(prefix="varcall-kernels-")
        for path in self._compile(Path(self._folder.name)):
            build_data["force_include"][str(path)] = f"{SHIPPED}/{path.name}"
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was compiled."""
        del version, build_data, artifact_path
        if hasattr(self, "_folder"):
            self._folder.cleanup()

    def _why_not(self, version: str) -> str:
        if version == "editable":
            return "a checkout compiles its own"
        if os.environ.get(SWITCH) == "0":
            return f"{SWITCH}=0"
        missing = [name for name in NEEDED if find_spec(name) is None]
        if missing:
            return f"{', '.join(missing)} not found; build without isolation to have them"
        if not self._run("-c", LEVEL, cwd=Path(self.root)).strip():
            return "this CPU has not the level of x86-64 that is shipped"
        return ""

    def _compile(self, folder: Path) -> list[Path]:
        """Do what users do, and return the machine code that this took."""
        demo = folder / "demo"
        kept = {"NUMBA_CACHE_DIR": str(folder)}
        self._run("-m", "varcall", "demo", "-o", str(demo), "--threads", "1", cwd=folder, **kept)
        self._run(
            *("-m", "varcall", "call", str(demo / "sample.bam"), "--ref", str(demo / "sample.fa")),
            *("--gvcf", str(demo / "calls.g.vcf")),
            cwd=folder,
            **kept,
        )
        self._run(
            *("-m", "varcall", "eval", "--engine", "builtin", "--no-plots"),
            *("--truth", str(demo / "sample.truth.vcf.gz"), "--query", str(demo / "calls.vcf.gz")),
            *("--ref", str(demo / "sample.fa"), "-o", str(demo / "report")),
            cwd=folder,
            **kept,
        )
        return sorted((folder / "varcall").iterdir())

    def _run(self, *arguments: str, cwd: Path, **environment: str) -> str:
        ours = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
        ours |= {"PYTHONPATH": self.root, "VARCALL_NUMBA_CACHE": "1", **environment}
        result = subprocess.run(
            [sys.executable, *arguments], cwd=cwd, env=ours, capture_output=True, text=True
        )
        if result.returncode:
            raise RuntimeError(f"the kernels could not be compiled: {result.stderr.strip()}")
        return result.stdout
