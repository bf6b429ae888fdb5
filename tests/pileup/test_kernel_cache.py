"""Machine code on disk is used where it is whole and of this content, else compiled again."""

import importlib.util
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

import numba
import numpy as np
import pytest

from pileup import kernel_cache
from pileup.accelerate import kernel
from pileup.kernel_cache import content_digest

_FACTOR = 2


def scaled(value: int) -> int:
    return _FACTOR * value


def misses(jitted: Any) -> int:
    return sum(jitted.stats.cache_misses.values())


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where code is kept; nothing comes with the package."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(kernel_cache, "SHIPPED", tmp_path / "shipped")
    kernel_cache._say_it_is_lost.cache_clear()
    return tmp_path / "cache" / "varcall"


def test_code_is_compiled_once(folder: Path) -> None:
    first, second = kernel(scaled), kernel(scaled)
    assert first(21) == second(21) == 42
    assert (misses(first), misses(second)) == (1, 0)
    assert sorted(path.suffix for path in folder.iterdir()) == [".nbc", ".nbi"]


def test_each_signature_has_its_code(folder: Path) -> None:
    assert (kernel(scaled)(21), kernel(scaled)(0.25)) == (42, 0.5)
    again = kernel(scaled)
    assert (again(21), again(0.25)) == (42, 0.5)
    assert misses(again) == 0
    assert len(list(folder.glob("*.nbc"))) == 2


def empty(content: bytes) -> bytes:
    return b""


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def zeroed(content: bytes) -> bytes:
    return bytes(len(content))


def one_bit_flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


DAMAGES = [
    *((suffix, damage) for suffix in (".nbi", ".nbc") for damage in (empty, cut, zeroed)),
    (".nbc", one_bit_flipped),
]


@pytest.mark.parametrize(("suffix", "damage"), DAMAGES)
def test_a_damaged_file_is_made_anew(
    folder: Path, suffix: str, damage: Callable[[bytes], bytes]
) -> None:
    kernel(scaled)(21)
    (path,) = folder.glob(f"*{suffix}")
    path.write_bytes(damage(path.read_bytes()))
    first, second = kernel(scaled), kernel(scaled)
    assert first(21) == second(21) == 42
    assert (misses(first), misses(second)) == (1, 0)


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
def test_a_missing_file_is_made_anew(folder: Path, suffix: str) -> None:
    kernel(scaled)(21)
    (path,) = folder.glob(f"*{suffix}")
    path.unlink()
    first, second = kernel(scaled), kernel(scaled)
    assert first(21) == second(21) == 42
    assert (misses(first), misses(second)) == (1, 0)


def test_shipped_code_is_used_and_nothing_is_written(folder: Path) -> None:
    kernel(scaled)(21)
    folder.rename(kernel_cache.SHIPPED)
    shipped = kernel(scaled)
    assert shipped(21) == 42
    assert misses(shipped) == 0
    assert not folder.exists()


@pytest.mark.parametrize(("suffix", "damage"), DAMAGES)
def test_damaged_shipped_code_is_replaced_by_the_users(
    folder: Path, suffix: str, damage: Callable[[bytes], bytes]
) -> None:
    kernel(scaled)(21)
    folder.rename(kernel_cache.SHIPPED)
    (path,) = kernel_cache.SHIPPED.glob(f"*{suffix}")
    broken = damage(path.read_bytes())
    path.write_bytes(broken)
    first, second = kernel(scaled), kernel(scaled)
    assert first(21) == second(21) == 42
    assert (misses(first), misses(second)) == (1, 0)
    assert path.read_bytes() == broken


def test_where_nothing_can_be_kept_the_run_goes_on_and_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "file"))
    with caplog.at_level(logging.WARNING, "pileup"):
        assert [kernel(scaled)(21) for _ in range(2)] == [42, 42]
    (said,) = caplog.messages
    assert "compiled kernels cannot be kept" in said
    assert "NUMBA_CACHE_DIR" in said


def test_the_users_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kernel_cache.user_folder() == tmp_path / "cache" / "varcall"
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert kernel_cache.user_folder() == tmp_path / "varcall"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert kernel_cache.user_folder() == tmp_path / "home" / ".cache" / "varcall"
    monkeypatch.setattr(Path, "expanduser", lambda self: self)  # as for a user without a home
    with pytest.raises(OSError, match="no home folder"):
        kernel_cache.user_folder()


CALLEE = """
from pileup.accelerate import part

@part
def inner(value):
    return value + {step}
"""
CALLER = """
from pileup.accelerate import kernel
from {callee} import inner

@kernel
def outer(value):
    return inner(value) * 10
"""


def imported(folder: Path, step: int, name: str = "kernel_cache_callee") -> Any:
    """Import a caller and its callee from files that always have the same time."""
    folder.mkdir(exist_ok=True)
    modules = []
    for module, text in (
        (name, CALLEE.format(step=step)),
        ("kernel_cache_caller", CALLER.format(callee=name)),
    ):
        path = folder / f"{module}.py"
        path.write_text(text)
        os.utime(path, (1_000_000_000, 1_000_000_000))
        spec = importlib.util.spec_from_file_location(module, path)
        assert spec is not None
        assert spec.loader is not None
        modules.append(importlib.util.module_from_spec(spec))
        sys.modules[module] = modules[-1]
        # From its text: Python would take the bytecode of the earlier text, which is as old.
        exec(compile(text, str(path), "exec"), vars(modules[-1]))
    return modules[-1].outer


def test_an_edited_callee_in_another_file_is_seen(tmp_path: Path) -> None:
    before = imported(tmp_path / "one", step=1)
    assert before(4) == 50
    after = imported(tmp_path / "one", step=2)
    assert after(4) == 60
    assert misses(after) == 1


def test_code_belongs_to_its_content_wherever_the_files_lie(tmp_path: Path) -> None:
    assert imported(tmp_path / "one", step=1)(4) == 50
    elsewhere = imported(tmp_path / "two", step=1)
    assert elsewhere(4) == 50
    assert misses(elsewhere) == 0


def test_a_changed_constant_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert kernel(scaled)(21) == 42
    content_digest.cache_clear()
    monkeypatch.setattr(sys.modules[__name__], "_FACTOR", 3)
    try:
        assert kernel(scaled)(21) == 63
    finally:
        content_digest.cache_clear()


def test_the_content_is_told_apart() -> None:
    named = (np.arange(3), np.arange(4), np.arange(3.0), (1, 2), (1, 2.0), {1}, None, np, 1, 2)
    functions = [FunctionType(scaled.__code__, {"_FACTOR": value}) for value in named]
    assert len({content_digest(function) for function in functions}) == len(named)


MODULE = """
from pileup.accelerate import kernel
from pileup.kernel_cache import content_digest
from pileup.kernels.image import draw
from pileup.kernels.reads import records
from pileup.kernels.reassembly import reassemble

def named(value):
    return value in {"a", "b", "c", "d", "e"}

@kernel
def inner(value):
    return value + 1

@kernel
def outer(value):
    return inner(value) * 10

def digests():
    kernels = (draw.support_level, records.unpack_records, reassemble.reassemble)
    return [content_digest(f) for f in (named, *(kernel.py_func for kernel in kernels))]
"""


def printed(root: Path, tmp_path: Path, expression: str, seed: str = "0") -> str:
    """Evaluate an expression in a process of its own, in a module with kernels."""
    (tmp_path / "kernels_of_a_process.py").write_text(MODULE)
    environment = {
        **os.environ,
        "NUMBA_CACHE_DIR": str(tmp_path / "cache"),
        "PYTHONHASHSEED": seed,
        "PYTHONPATH": f"{tmp_path}:{root}",
    }
    script = f"from kernels_of_a_process import *; print({expression})"
    return subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, check=True, text=True
    ).stdout


def test_the_content_is_the_same_in_every_process(root: Path, tmp_path: Path) -> None:
    digests = {printed(root, tmp_path, "*digests()", seed) for seed in ("1", "2")}
    assert len(digests) == 1
    assert len(digests.pop().split()) == 4


def test_code_from_the_disk_is_inlined_where_a_caller_is_compiled(
    root: Path, tmp_path: Path
) -> None:
    missed = "*inner.stats.cache_misses.values(), *outer.stats.cache_misses.values()"
    assert printed(root, tmp_path, f"inner(4), {missed}") == "5 1\n"
    assert printed(root, tmp_path, f"inner(4), outer(4), {missed}") == "5 50 1\n"
    # The caller stands alone: nothing in this process has the code of what it calls.
    assert printed(root, tmp_path, f"outer(4), {missed}") == "50\n"
