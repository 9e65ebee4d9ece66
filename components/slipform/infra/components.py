"""The components by their names, for a stack's program and for components of one's own."""

from .autoscaler import Autoscaler, AutoscalerArgs, ScaleTarget
from .build import EngineBuild, EngineBuildArgs
from .dashboard.component import Dashboard, DashboardArgs
from .disruption import PodDisruptionBudget, PodDisruptionBudgetArgs
from .identity import WorkloadIdentity, WorkloadIdentityArgs
from .model_service import ModelService, ModelServiceArgs
from .network_policy import NetworkPolicy, NetworkPolicyArgs
from .nodes import GpuNodePool, GpuNodePoolArgs
from .platform import Platform
from .program import load_project
from .progressive import ProgressiveRollout, ProgressiveRolloutArgs
from .rules.component import ServiceLevelRules, ServiceLevelRulesArgs
from .serving import ServingDeployment, ServingDeploymentArgs
from .shared import Shared, SharedArgs
from .traffic import TrafficRoute, TrafficRouteArgs

__all__ = [
    "Autoscaler",
    "AutoscalerArgs",
    "Dashboard",
    "DashboardArgs",
    "EngineBuild",
    "EngineBuildArgs",
    "GpuNodePool",
    "GpuNodePoolArgs",
    "ModelService",
    "ModelServiceArgs",
    "NetworkPolicy",
    "NetworkPolicyArgs",
    "Platform",
    "PodDisruptionBudget",
    "PodDisruptionBudgetArgs",
    "ProgressiveRollout",
    "ProgressiveRolloutArgs",
    "ScaleTarget",
    "ServiceLevelRules",
    "ServiceLevelRulesArgs",
    "ServingDeployment",
    "ServingDeploymentArgs",
    "Shared",
    "SharedArgs",
    "TrafficRoute",
    "TrafficRouteArgs",
    "WorkloadIdentity",
    "WorkloadIdentityArgs",
    "load_project",
]
