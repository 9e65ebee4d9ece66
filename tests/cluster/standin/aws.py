"""A stand-in for pulumi-aws that calls nobody: it makes up ids and ARNs, and what it was asked for is in the state."""

import re
import uuid
from typing import Any

from tests.cluster.standin.provider import StandIn, serve
from tests.cluster.standin.wire import UNKNOWN, Data, Difference

# From the ForceNew fields of the Terraform provider beneath pulumi-aws 7, on purpose apart from Slipform's own table.
FORCE_NEW: dict[str, tuple[str, ...]] = {
    "aws:eks/nodeGroup:NodeGroup": (
        "amiType", "capacityType", "clusterName", "diskSize", "instanceTypes", "launchTemplate.id",
        "launchTemplate.name", "nodeGroupName", "nodeGroupNamePrefix", "nodeRoleArn", "remoteAccess", "subnetIds",
    ),
    "aws:ec2/launchTemplate:LaunchTemplate": ("name", "namePrefix"),
    "aws:iam/role:Role": ("name", "namePrefix", "path"),
    "aws:iam/rolePolicy:RolePolicy": ("name", "namePrefix", "role"),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": ("role", "policyArn"),
    "aws:iam/policy:Policy": ("name", "namePrefix", "path", "description"),
}  # fmt: skip
ACCOUNT = "123456789012"
# A launch template has a new version after any change but of these (its CustomizeDiff, in the same provider).
SAME_VERSION = {"name", "namePrefix", "description", "defaultVersion", "updateDefaultVersion"}


class AwsStandIn(StandIn):
    version = "7.0.0"

    def replaces(self, found: Difference, new: Data, resource_type: str) -> bool:
        if resource_type not in FORCE_NEW:
            raise ValueError(f"the stand-in for AWS knows nothing of {resource_type}: add what replaces it")
        fields = ("region", *FORCE_NEW[resource_type])
        return any(re.match(re.escape(field) + r"($|[.\[])", found.path) for field in fields)

    def same_name(self, old: Data, new: Data) -> bool:
        return "name" in old and old["name"] == new.get("name")

    def create(self, inputs: Data, request: Any) -> tuple[str, Data]:
        service, kind = request.type.split(":")[1].split("/")
        name = inputs.get("name") or (inputs.get("namePrefix") or request.name) + uuid.uuid4().hex[:8]
        made = {"name": name, "arn": f"arn:aws:{service}::{ACCOUNT}:{kind}/{name}", "latestVersion": 1}
        return name, made | inputs

    def read(self, resource_id: str, inputs: Data, state: Data) -> tuple[Data, Data] | None:
        return state, inputs

    def update(self, resource_id: str, state: Data, inputs: Data, request: Any) -> Data:
        return self._kept(state) | inputs | self._version(state, inputs, state.get("latestVersion", 0) + 1)

    def preview_update(self, state: Data, inputs: Data) -> Data:
        return self._kept(state) | inputs | self._version(state, inputs, UNKNOWN)

    def _kept(self, state: Data) -> Data:
        return {key: state[key] for key in ("name", "arn", "latestVersion") if key in state}

    def _version(self, state: Data, inputs: Data, new: int | str) -> Data:
        changed = {key for key in inputs.keys() | state.keys() if inputs.get(key) != state.get(key)}
        return {"latestVersion": new} if changed - SAME_VERSION - {"arn", "latestVersion"} else {}

    def delete(self, resource_id: str, state: Data, timeout: float) -> None: ...


if __name__ == "__main__":
    serve(AwsStandIn())
