"""What deploy/ has, as the tests see it: units, containers, and the commands they give."""

import configparser
import shlex
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted(DEPLOY.glob("*.service"))
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file() and path.name != ".env")


def service(path, section="Service"):
    """A section of a unit; of a key that is there twice, the last."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read(path)
    return unit[section]


def compose():
    """The services of compose.yaml, by name."""
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]


def ours():
    """Those of them that are Pulsehub."""
    return {name: one for name, one in compose().items() if one["image"].startswith("pulsehub:")}


def objects(kind=None):
    """Every object of deploy/kubernetes, or those of a kind."""
    found = [one for path in MANIFESTS for one in yaml.safe_load_all(path.read_text())]
    return [one for one in found if kind in (None, one["kind"])]


def pods():
    """What is run of each Deployment and Job, by name."""
    return {
        one["metadata"]["name"]: one["spec"]["template"]["spec"]
        for kind in ("Deployment", "Job")
        for one in objects(kind)
    }


def commands():
    """Where a command of ours is given, and its words after `pulsehub`."""
    for path in UNITS:
        program, *words = shlex.split(service(path)["ExecStart"])
        assert program == "/opt/pulsehub/.venv/bin/pulsehub"
        yield path.name, words
    for name, one in ours().items():
        yield f"compose.yaml {name}", one["command"]
    for name, pod in pods().items():
        for container in pod["containers"]:
            yield f"kubernetes {name}", container["args"]
