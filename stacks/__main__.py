"""What a stack is made of: what its models share, then one ModelService for each server."""

import pulumi

from slipform.infra.components import ModelService, ModelServiceArgs, Shared, SharedArgs, load_project

project = load_project()
shared = Shared("platform", SharedArgs(project.stack_name, project.stack, project.engines))

for service in project.services:
    args = ModelServiceArgs(shared.platform, service.specs, project.root, shared.pools)
    model = ModelService(service.name, args)
    pulumi.export(service.name, model.summary)
