"""The interface for Python: `varcall.call`, `varcall.evaluate`, `varcall.Caller`.

A thin layer over what the command line calls too. It prints nothing, ends no process, sets no
signal handler, no environment variable and no logging; messages go to the loggers below "varcall",
and warnings stand in the results, too.
"""
