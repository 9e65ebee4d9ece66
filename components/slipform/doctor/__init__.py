"""Is the stack's cluster what its config says? Looks at it, judges what was seen, and says what is missed."""

from .capabilities import Verdict, offered, verdicts
from .judging import Report, examine
from .looking import Looking
from .needs import Need, claimed, needs, with_everything
from .permissions import wanted_permissions
from .seen import Seen
from .views import as_json, as_text

__all__ = [
    "Looking",
    "Need",
    "Report",
    "Seen",
    "Verdict",
    "as_json",
    "as_text",
    "claimed",
    "examine",
    "needs",
    "offered",
    "verdicts",
    "wanted_permissions",
    "with_everything",
]
