"""The licence check lets through what the list names, and nothing else."""

import pytest

from deploy.check_licences import LINKED, allowed, problems


@pytest.mark.parametrize(
    "said",
    ["MIT", "Apache-2.0 AND BSD-2-Clause", "EPL-2.0 OR BSD-3-Clause", "MIT License; BSD License"],
)
def test_allowed(said):
    assert allowed(said, LINKED)


@pytest.mark.parametrize(
    "said", ["GPL-3.0-only", "MIT AND GPL-2.0-only", "MIT; Proprietary", "UNKNOWN", ""]
)
def test_refused(said):
    assert not allowed(said, LINKED)


def test_lgpl_is_for_the_database_driver_of_hq_only():
    lgpl = "LGPL-3.0-only"
    assert not problems({"psycopg": lgpl}, linked=set(), hq={"psycopg"})
    assert problems({"psycopg": lgpl}, linked={"psycopg"}, hq={"psycopg"})
    assert problems({"other": lgpl}, linked=set(), hq={"other"})


def test_gpl_is_for_programs_only():
    gpl = "GPL-2.0-only"
    assert not problems({"codespell": gpl}, linked=set(), hq=set())
    assert problems({"codespell": gpl}, linked={"codespell"}, hq=set())
