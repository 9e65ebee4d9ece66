"""The keys and certificates of a control plane that lives for one test run."""

from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Certificates:
    """Paths of PEM files. The aggregator shows `proxy` to extension API servers, which trust `authority`."""

    authority: Path
    server: Path
    server_key: Path
    proxy: Path
    proxy_key: Path
    service_account_key: Path


def issue(folder: Path) -> Certificates:
    authority = trustme.CA()
    server = authority.issue_cert("127.0.0.1", "localhost")
    proxy = authority.issue_cert("front-proxy", common_name="front-proxy")
    files = {
        "authority": authority.cert_pem, "server": server.cert_chain_pems[0], "server_key": server.private_key_pem,
        "proxy": proxy.cert_chain_pems[0], "proxy_key": proxy.private_key_pem,
        "service_account_key": authority.issue_cert("service-accounts").private_key_pem,
    }  # fmt: skip
    paths = {name: folder / f"{name}.pem" for name in files}
    for name, pem in files.items():
        pem.write_to_path(str(paths[name]))
    return Certificates(**paths)
