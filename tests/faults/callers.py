"""What the worker processes of the pool's tests do; imports nothing heavy, as each loads it."""

import os
import signal
import time
from pathlib import Path

from models.errors import ModelError
from varcall.errors import InputError, OutputError

ERRORS = {"input": InputError, "output": OutputError, "model": ModelError, "memory": MemoryError}


class Obedient:
    """Does what each item says; the plan says what to do at the start."""

    def __init__(self, plan: str) -> None:
        self.call(plan)

    def call(self, item: str) -> str:
        what, _, detail = item.partition(" ")
        if what in ERRORS:
            raise ERRORS[what](detail)
        if what == "die":
            while not Path(detail).exists():
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGKILL)
        if what == "sleep":
            time.sleep(float(detail))
        if what == "tell":
            Path(detail, str(os.getpid())).touch()
            time.sleep(60)
        return item.upper()


def obey(item: str) -> None:
    """Do what an item says, once."""
    Obedient("").call(item)
