"""Why a build failed, each with the exit code that says it to a script. Nothing is half-written when one is raised."""

from errno import EDQUOT, EFBIG, ENOSPC

from slipform_runtime.failures import CommandError


class BuildError(CommandError):
    """Its text says what is wrong, with what, and what to do."""

    exit_code = 7


class GateMissed(BuildError):
    """The artefact was built, and is not good enough; what was there before is untouched."""

    exit_code = 1


class BadInput(BuildError):
    """The manifest, the model or the samples are wrong, or the target cannot take the model."""

    exit_code = 2


class Unreachable(BuildError):
    """A store has not given or taken the files."""

    exit_code = 3


class WrongDigest(BuildError):
    """The model is not the one that the manifest pins."""

    exit_code = 4


class Missing(BuildError):
    """This machine lacks a package, a library or a device that the build needs."""

    exit_code = 5


class CannotWrite(BuildError):
    """The disk is full, or the folder can't be written."""

    exit_code = 6


class ToolFailed(BuildError):
    """A converter, quantiser or engine builder failed on a model that it should take."""

    exit_code = 7


def disk_is_full(error: BaseException | None) -> bool:
    """Whether the error, or one that led to it, is that of a disk without room; C++ libraries say it in words only."""
    while error is not None:
        if getattr(error, "errno", None) in (ENOSPC, EDQUOT, EFBIG) or "No space left on device" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


EXIT_CODES = (
    "0 built, or already there; 1 a gate was missed; 2 bad input: manifest, model, samples, or an operator that the "
    "target lacks; 3 a store could not be reached; 4 a digest differs; 5 this machine lacks a package, a library or a "
    "device; 6 the disk is full or can't be written; 7 a tool failed; 130, 143 interrupted."
)
