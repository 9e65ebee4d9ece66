"""Runs one Pulumi program and writes down everything that it registers.

This folder is executed by the program's own Python, which may be another environment than Slipform's and need not
hold Slipform at all. So it imports the standard library and `pulumi`, nothing else, and its modules import each
other relatively. `slipform.plan.record` starts it (`BOOTSTRAP`), writes a job to its standard input and reads the
answer from its standard output; both are JSON objects, described in `job`.
"""
