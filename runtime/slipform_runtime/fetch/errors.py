"""Why a fetch failed, each with the exit code that says it to a script."""

from slipform_runtime.failures import CommandError


class FetchError(CommandError):
    """Nothing is half-written when this is raised."""

    exit_code = 3


class ManifestError(FetchError):
    """The manifest, or the folder to fill, is wrong."""

    exit_code = 2


class UnreachableError(FetchError):
    """The store has not given the files, after all tries."""

    exit_code = 3


class DigestError(FetchError):
    """The files are not those that the manifest pins."""

    exit_code = 4
