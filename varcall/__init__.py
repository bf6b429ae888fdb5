"""Germline small-variant caller: reads as pictures, genotypes from a prompted model.

`call`, `evaluate` and `Caller` are the interface for Python (`varcall.api`); what they take and
return has types, and what they raise is below `VarcallError` or is a `ModelError`. They are
imported when they are first used, so that `import varcall` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from varcall.version import __version__

if TYPE_CHECKING:
    from models.errors import ModelError
    from varcall.api.caller import Answer, Caller, Pileup, RegionCalls
    from varcall.api.calling import CallResult, Progress, call
    from varcall.api.evaluation import EvalResult, EvalRow, evaluate
    from varcall.api.variants import Variant
    from varcall.errors import InputError, OutputError, UsageError, VarcallError, WorkerError

__all__ = [
    "Answer",
    "CallResult",
    "Caller",
    "EvalResult",
    "EvalRow",
    "InputError",
    "ModelError",
    "OutputError",
    "Pileup",
    "Progress",
    "RegionCalls",
    "UsageError",
    "VarcallError",
    "Variant",
    "WorkerError",
    "__version__",
    "call",
    "evaluate",
]

_MODULES = {
    "models.errors": ("ModelError",),
    "varcall.api.caller": ("Answer", "Caller", "Pileup", "RegionCalls"),
    "varcall.api.calling": ("CallResult", "Progress", "call"),
    "varcall.api.evaluation": ("EvalResult", "EvalRow", "evaluate"),
    "varcall.api.variants": ("Variant",),
    "varcall.errors": ("InputError", "OutputError", "UsageError", "VarcallError", "WorkerError"),
}


def __getattr__(name: str) -> object:
    """Import what is asked for."""
    for module, names in _MODULES.items():
        if name in names:
            value = getattr(import_module(module), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """List what can be asked for, imported or not."""
    return sorted({*globals(), *__all__})
