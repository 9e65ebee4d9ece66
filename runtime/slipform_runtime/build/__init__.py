"""The build step: from a trained model to the engine that serves it, with a report that shows what it is worth.

`command` is the command line, `pipeline` the build from end to end, `manifest` what it reads, `report` what it
answers. The packages that it needs are those of the extra `slipform-runtime[build]`; a server needs none of them.
"""
