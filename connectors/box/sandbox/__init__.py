"""A local Box to rehearse on: strict, observable, with faults on demand. Not a client of Box."""

from connectors.box.sandbox.server import Sandbox
from connectors.box.sandbox.settings import SandboxConfig

__all__ = ["Sandbox", "SandboxConfig"]
