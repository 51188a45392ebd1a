"""The storm: faults at random, at a rate."""

from __future__ import annotations

import pytest
import requests

from davbridge.emulator import Emulator
from davbridge.emulator.storm import Storm
from tests.emulator.conftest import Api


def test_so_many_of_the_calls_are_hit() -> None:
    """Of 5,000 calls at 4 % some 200 go wrong, in every way that the operation knows; sign-ins are spared."""
    storm = Storm(0.04, seed=1)
    hit = sum(storm.take("put fragment") is not None for _ in range(5000))
    assert 150 < hit < 250
    kinds = {name.removeprefix("put fragment: ") for name in storm.served}
    assert kinds == {"429", "503", "reset", "lost answer"}
    assert sum(storm.served.values()) == hit
    assert not any(storm.take("token") for _ in range(1000))


def test_a_seed_makes_a_sequence() -> None:
    """The same seed brings the same faults in the same order, another one others."""
    first, again, other = (_sequence(seed) for seed in (1, 1, 2))
    assert first == again != other


def test_calls_go_wrong_until_it_clears(api: Api, emulator: Emulator, business: str) -> None:
    """At a rate of 1 no call comes through; after a reset each does."""
    emulator.storm(1, seed=3)
    for _ in range(10):
        try:
            answer = api("GET", f"{business}/root")
        except requests.RequestException:
            continue
        assert answer.status_code in (429, 500, 503)
    emulator.reset()
    api("GET", f"{business}/root", 200)


def test_the_control_door(emulator: Emulator) -> None:
    """Other processes raise it, too, and read what it did; nonsense is refused."""
    door = emulator.control_url + "/storm"
    assert requests.get(door, timeout=30).json() == {}
    assert requests.post(door, json={"rate": 1, "seed": 1}, timeout=30).status_code == 200
    assert emulator.world.storm is not None
    emulator.world.storm.take("delta")
    assert sum(requests.get(door, timeout=30).json().values()) == 1
    assert requests.post(door, json={"rate": 2}, timeout=30).status_code == 400
    requests.post(emulator.control_url + "/reset", timeout=30)
    assert emulator.world.storm is None


@pytest.mark.parametrize("rate", [-0.1, 1.1])
def test_a_rate_that_is_none(rate: float) -> None:
    """A share of the calls lies between 0 and 1."""
    with pytest.raises(ValueError, match="between 0 and 1"):
        Storm(rate, 0)


def _sequence(seed: int) -> list[object]:
    storm = Storm(0.5, seed)
    return [storm.take("download") for _ in range(50)]
