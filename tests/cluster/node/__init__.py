"""A node whose pods are real processes: what a kubelet does with a pod, without containers.

`python -m tests.cluster.node` registers a Node, takes the pods that the scheduler binds to it, and gives each an
address of its own on loopback. Each container's own command is started as a process, with its environment, its mounted
ConfigMaps and emptyDirs; its probes and hooks are executed; it is ended by SIGTERM and, after the grace period, by
SIGKILL; the pod's status says what is so.

What a container runtime would add is missing: there is no image (`image` stands for the bundled runtime's), no file
system of a container's own (`paths` rewrites mount paths), no user, no limit on memory or processors.
"""
