"""Digests of models and images: which a file lacks, what they are now, and the file with them written in."""

from .pins import Pin, Place, pins_of_spec, pins_of_stack, specs_of_stack
from .resolving import Pinned, resolve, with_digests

__all__ = ["Pin", "Pinned", "Place", "pins_of_spec", "pins_of_stack", "resolve", "specs_of_stack", "with_digests"]
