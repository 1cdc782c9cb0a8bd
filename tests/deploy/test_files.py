"""What compose and Kubernetes are given fits the program, and itself."""

import os
import re
import tomllib

import psycopg
import pytest
import yaml

from hub.cli.app import COMMANDS
from tests.deploy.files import DEPLOY, FILES, ROOT, commands, compose, objects, ours, pods
from tests.docs.test_commands import wrong_with
from tests.engines import VARIABLE, need
from tests.servers.database import settings_of

SETTINGS = set(re.findall(r"`(PULSEHUB_[A-Z_]+)`", (ROOT / "docs" / "settings.md").read_text()))
ROLES = ("web", "worker", "learner", "migrate")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(DEPLOY)))
def test_every_setting_that_is_named_is_one(path):
    assert set(re.findall(r"PULSEHUB_[A-Z_]+", path.read_text())) - SETTINGS == set()


def test_every_command_and_option_is_one():
    given = list(commands())
    there = [(where, words) for where, words in given if words[0] in COMMANDS]
    assert {words[0] for _, words in given} <= {"up", *ROLES}
    assert {" ".join(words): why for _, words in there if (why := wrong_with(["pulsehub", *words]))} == {}
    assert there


def test_each_role_is_run_by_compose_and_by_kubernetes():
    given = list(commands())
    for way in ("compose.yaml", "kubernetes"):
        assert {words[0] for where, words in given if where.startswith(way)} == set(ROLES)


def test_compose_runs_two_webs_three_workers_and_a_learner():
    count = {}
    for one in ours().values():
        role = one["command"][0]
        count[role] = count.get(role, 0) + one.get("deploy", {}).get("replicas", 1)
    assert count == {"migrate": 1, "web": 2, "worker": 3, "learner": 1}


def test_compose_waits_for_what_can_say_that_it_is_well():
    services = compose()
    for name, one in services.items():
        for other, wanted in one.get("depends_on", {}).items():
            if wanted["condition"] == "service_healthy":
                assert "healthcheck" in services[other], f"{name} waits for {other}"
            else:
                assert services[other]["restart"] == "no", f"{name} waits for the end of {other}"


def test_the_proxy_leads_to_every_web():
    webs = {f"{name}:8420" for name, one in ours().items() if one["command"] == ["web"]}
    (upstreams,) = re.findall(r"reverse_proxy (.*) \{", (DEPLOY / "Caddyfile").read_text())
    assert set(upstreams.split()) == webs


def test_what_compose_needs_is_in_its_example():
    example = re.findall(r"^([A-Z_]+)=", (DEPLOY / "compose.env").read_text(), re.MULTILINE)
    assert set(re.findall(r"\$\{([A-Z_]+)", (DEPLOY / "compose.yaml").read_text())) <= set(example)


def test_the_image_has_all_that_is_installed_and_no_more():
    told = (DEPLOY / "Dockerfile.dockerignore").read_text().split("\n")
    let_in = {line[1:] for line in told if line.startswith("!")}
    assert "*" in told
    assert {"hub", "plugins", "scoring", "sinks", "pyproject.toml", "deploy/requirements.lock"} <= let_in
    assert [name for name in let_in if not (ROOT / name).exists()] == []


def pins(path):
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", path.read_text(), re.MULTILINE))


def test_what_is_installed_to_run_is_what_was_tested_without_the_tests():
    tested, runs = pins(ROOT / "requirements.lock"), pins(DEPLOY / "requirements.lock")
    assert runs.items() <= tested.items()
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [
        *wanted["dependencies"],
        *wanted["optional-dependencies"]["otel"],
        *wanted["optional-dependencies"]["build"],
    ]
    assert {re.match(r"[a-z0-9._-]+", one)[0] for one in asked} <= runs.keys()
    assert runs.keys() & {"pytest", "mypy", "ruff", "playwright", "lightgbm"} == set()


def test_kustomize_is_given_files_that_there_are():
    listed = yaml.safe_load((DEPLOY / "kubernetes" / "kustomization.yaml").read_text())["resources"]
    there = {path.name for path in (DEPLOY / "kubernetes").glob("*.yaml")}
    assert there - set(listed) == {"kustomization.yaml", "secret.yaml", "migrate.yaml"}
    assert set(listed) <= there


def test_what_pods_refer_to_is_there():
    there = {(one["kind"], one["metadata"]["name"]) for one in objects() if "metadata" in one}
    for name, pod in pods().items():
        for container in pod["containers"]:
            for source in container["envFrom"]:
                kind = "ConfigMap" if "configMapRef" in source else "Secret"
                assert (kind, next(iter(source.values()))["name"]) in there, name
    for one in objects("HorizontalPodAutoscaler") + objects("ScaledObject"):
        assert ("Deployment", one["spec"]["scaleTargetRef"]["name"]) in there


def test_selectors_find_the_pods_they_mean():
    labels = {one["metadata"]["name"]: one["spec"]["template"]["metadata"]["labels"] for one in objects("Deployment")}
    for one in objects("Service"):
        assert one["spec"]["selector"] == labels[one["metadata"]["name"]]
    for one in objects("Deployment") + objects("PodDisruptionBudget"):
        assert one["spec"]["selector"]["matchLabels"] == labels[one["metadata"]["name"]]
    (policy, _) = objects("NetworkPolicy")
    (monitor,) = objects("PodMonitor")
    for selector in (policy["spec"]["podSelector"], monitor["spec"]["selector"]):
        assert all(selector["matchLabels"].items() <= one.items() for one in labels.values())


def test_pods_are_asked_whether_they_live_and_whether_they_can_work():
    for name, pod in pods().items():
        for container in pod["containers"]:
            if container["args"] == ["migrate"]:
                continue
            paths = {
                probe: container[f"{probe}Probe"]["httpGet"]["path"] for probe in ("startup", "liveness", "readiness")
            }
            assert paths == {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"}, name
            assert pod["terminationGracePeriodSeconds"] >= 40


def test_kubernetes_sets_no_variables_of_its_own_making():
    """A Service named pulsehub would set PULSEHUB_PORT to tcp://…, which is a setting of ours."""
    assert {name: pod.get("enableServiceLinks") for name, pod in pods().items()} == dict.fromkeys(pods(), False)


def test_more_workers_than_partitions_are_never_asked_for():
    (settings,) = objects("ConfigMap")
    (scaling,) = objects("ScaledObject")
    assert scaling["spec"]["maxReplicaCount"] <= int(settings["data"]["PULSEHUB_PARTITIONS"])


def test_postgresql_knows_every_setting_that_it_is_given():
    need()
    given = dict(one.split("=", 1) for one in settings_of(DEPLOY / "postgresql.conf"))
    with psycopg.connect(os.environ[VARIABLE]) as connection:
        known = dict(connection.execute("select name, enumvals from pg_settings").fetchall())
    assert given.keys() - known.keys() == set()
    assert [name for name, value in given.items() if known[name] and value not in known[name]] == []
    assert "/etc/postgresql/postgresql.conf" in " ".join(compose()["postgres"]["volumes"])
