"""Becomes a container as a restricted pod has it: run by `unshare --pid --mount --net --fork`, with a JSON on argv.

The root is read-only but for /tmp, the network is loopback, the user has no capability and can gain none, and the
command takes this process's place: it is process 1.
"""

import ctypes
import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

_PR_SET_NO_NEW_PRIVS = 38
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1


def main() -> None:
    given = json.loads(sys.argv[1])
    _loopback_up()
    _mount_all(Path(given["root"]), given["volumes"])
    os.chroot(given["root"])
    os.chdir("/")
    ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(given["group"])
    os.setuid(given["user"])
    os.execvpe(given["command"][0], given["command"], given["environment"])


def _loopback_up() -> None:
    with socket.socket() as any_socket:
        request = struct.pack("16sh", b"lo", 0)
        (flags,) = struct.unpack("16xh", fcntl.ioctl(any_socket, _SIOCGIFFLAGS, request)[:18])
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh", b"lo", flags | _IFF_UP))


def _mount_all(root: Path, volumes: dict[str, str]) -> None:
    _mount("--make-rprivate", "/")
    _mount("--bind", root, root)
    for source, place in volumes.items():
        _mount("--bind", source, root / place.lstrip("/"))
        _mount("-o", "remount,bind,ro", root / place.lstrip("/"))
    _mount("-t", "tmpfs", "tmpfs", root / "tmp")
    _mount("-t", "proc", "proc", root / "proc")
    _mount("--rbind", "/dev", root / "dev")
    _mount("-o", "remount,bind,ro", root)


def _mount(*arguments: str | Path) -> None:
    subprocess.run(["mount", *map(str, arguments)], check=True)


if __name__ == "__main__":
    main()
