"""The examples in docstrings of the plugin author's world and of these plugins run."""

import doctest
import importlib
import pkgutil

import pytest

import hub.sdk
import plugins.segment
import plugins.stripe

MODULES = [
    found.name
    for package in (hub.sdk, plugins.segment, plugins.stripe)
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
]


@pytest.mark.parametrize("name", MODULES)
def test_its_examples_run(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples():
    finder = doctest.DocTestFinder()
    tests = [test for name in MODULES for test in finder.find(importlib.import_module(name))]
    assert sum(len(test.examples) for test in tests) > 5
