"""A YAML file changed in place: comments, order, quoting and line ends stay as whoever wrote it left them."""

from .files import checked, diff_of, new_errors, print_diff, read_text, replace
from .places import put, remove, written

__all__ = ["checked", "diff_of", "new_errors", "print_diff", "put", "read_text", "remove", "replace", "written"]
