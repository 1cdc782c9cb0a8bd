"""The composition root: what a process is made of, and how it starts and stops."""

from hub.worker.beside import Beside
from hub.worker.engine import Engine
from hub.worker.hub import Hub

__all__ = ["Beside", "Engine", "Hub"]
