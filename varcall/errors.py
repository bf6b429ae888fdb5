"""The errors a user may see, and the exit code of each."""


class VarcallError(Exception):
    """Base of every error reported to the user as one sentence: what, where, how to mend."""

    exit_code = 1


class UsageError(VarcallError):
    """The command line asks for something that cannot be (exit code 2)."""

    exit_code = 2


class InputError(VarcallError):
    """An input file is missing, broken, or does not fit the other inputs."""


class OutputError(VarcallError):
    """An output cannot be written."""


class WorkerError(VarcallError):
    """A worker process died."""
