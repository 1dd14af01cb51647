"""Only networks that usually post and have fallen silent are found."""

from types import SimpleNamespace

import pytest

from ricochet.intake.find_quiet_networks import FindQuietNetworks
from ricochet.values import times

NOW = "2026-03-20T15:00:00.000Z"
EACH_DAY = range(1, 10)


class World:
    """Networks, and the times at which they posted."""

    def __init__(self, **moments):
        self.moments, self.asked = moments, 0

    def active_ids(self):
        return list(self.moments)

    def last_of_day(self, source, day):
        self.asked += 1
        of_day = [at for at in self.moments[source.removeprefix("network:")] if at[:10] == day]
        return SimpleNamespace(received_at=max(of_day)) if of_day else None

    def quiet(self, hours):
        return FindQuietNetworks(self, self, clock=lambda: NOW)(hours).network_ids


def before(*days, hours=0):
    return [times.plus(NOW, days=-day, hours=-hours) for day in days]


@pytest.mark.parametrize(("hours", "is_quiet"), [(5, True), (6, True), (7, False)])
def test_a_network_is_quiet_when_its_last_postback_is_too_old(hours, is_quiet):
    world = World(a=[*before(0, hours=6), *before(*EACH_DAY)])
    assert world.quiet(hours) == (["a"] if is_quiet else [])


def test_only_the_silent_network_is_reported():
    world = World(a=before(0, *EACH_DAY, hours=1), silent=before(*EACH_DAY), b=before(0, *EACH_DAY, hours=2))
    assert world.quiet(12) == ["silent"]


@pytest.mark.parametrize(("days", "is_quiet"), [((2, 3, 4, 6, 7), True), ((2, 3, 4, 7), False), ((), False)])
def test_a_network_that_posts_irregularly_is_not_reported(days, is_quiet):
    assert World(a=before(*days)).quiet(12) == (["a"] if is_quiet else [])


@pytest.mark.parametrize(("silent_days", "is_quiet"), [(2, False), (3, True), (6, True), (7, False)])
def test_a_long_silence_is_reported_until_it_becomes_usual(silent_days, is_quiet):
    days = range(silent_days, silent_days + 9)
    assert World(a=before(*days)).quiet(72) == (["a"] if is_quiet else [])


def test_a_silence_across_midnight_is_found():
    world = World(a=[*before(1, hours=-1), *before(*range(2, 10))])  # yesterday at 16:00
    assert (world.quiet(22), world.quiet(24)) == (["a"], [])


def test_a_network_that_posts_costs_one_read():
    world = World(a=before(0, *EACH_DAY, hours=1))
    assert (world.quiet(72), world.asked) == ([], 1)


def test_nothing_is_read_when_the_check_is_switched_off():
    world = World(a=before(*EACH_DAY))
    assert (world.quiet(0), world.asked) == ([], 0)
