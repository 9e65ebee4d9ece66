"""Errors that nobody foresaw: the client is told that there was one, the log has the rest."""

import traceback

from slipform_runtime.errors import InferenceError
from slipform_runtime.logs import log


def told(error: Exception, what: str = "the server failed at this request; its log says why") -> InferenceError:
    """What the client is told of an error that came up, e.g. while its answer was written.

    A batch's answers are written one after another: a defect of ours in one of them must cost its own request only.
    """
    if isinstance(error, InferenceError):
        return error
    log.error("defect", error=repr(error), traceback="".join(traceback.format_exception(error)))
    return InferenceError(what)
