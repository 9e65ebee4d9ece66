"""Slipform: one reviewed YAML spec per model becomes everything that the model needs in production.

The layers, each importing only those before it: ``spec`` (typed, checked plain data), ``engines`` (what a serving
engine needs, as plain data), ``infra`` (Pulumi components), ``plan`` (runs the program, reads what it
registered), ``cli``. Importing ``slipform`` itself imports none of them; Pulumi programs take what they need from
``slipform.infra``.
"""

__version__ = "0.1.0"
