"""The whole test file of an expert: its promises come from the kit, and River's checks go over its pipeline."""

from acme_expert import Committee, pipeline
from river import checks

from hub.testing import ExpertContract


class TestCommittee(ExpertContract):
    expert = Committee


def test_river_finds_nothing_wrong_with_it() -> None:
    checks.check_estimator(pipeline(1))
