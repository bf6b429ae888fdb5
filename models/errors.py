"""The one error this package reports to a user."""


class ModelError(Exception):
    """Model weights, a model configuration or a training recipe cannot be used.

    The message is one sentence: what, where, how to mend. `varcall` reports it as it does its own
    errors; it is defined here because this package works without `varcall`.
    """

    exit_code = 1
