"""A spec's model taken back to the version before, out of git's history of the file."""

from .going_back import Rollback, roll_back

__all__ = ["Rollback", "roll_back"]
