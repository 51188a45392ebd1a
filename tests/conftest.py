"""What most tests share: one bridge over one emulator, and clients of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from hypothesis import settings

from davbridge.graph import tempo
from tests.support import leaks
from tests.support.dav import Dav
from tests.support.serving import serving, write_configuration
from tests.support.world import MOUNTS, World, add_nginx, add_tls, running_world

# a machine that is busy with something else is no reason to fail
settings.register_profile("house", deadline=None)
settings.load_profile("house")


@pytest.fixture(scope="session", autouse=True)
def _watching() -> Iterator[None]:
    """Every test is watched for leaks."""
    with leaks.watching():
        yield


@pytest.fixture(autouse=True)
def _no_leaks(_watching: None) -> Iterator[None]:
    """No secret of the emulator's has come to light."""
    leaks.found.clear()
    yield
    assert not leaks.found, "a secret came to light: " + "; ".join(leaks.found[:3])


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The bridge of the whole session, over plain HTTP and TLS."""
    with running_world(tmp_path_factory.mktemp("world")) as world:
        add_tls(world)
        yield world


@pytest.fixture
def world(running: World) -> Iterator[World]:
    """The bridge with empty drives, no quirks, and nothing known or counted."""
    running.reset()
    yield running
    assert not running.emulator.calls.leaks, "a bearer token went to a pre-authenticated URL"


@pytest.fixture(params=list(MOUNTS))
def mount(request: pytest.FixtureRequest) -> str:
    """Each policy in turn: OneDrive, then SharePoint."""
    return str(request.param)


@pytest.fixture
def small_fragments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fragments do not grow: an upload that is not very large has several."""
    monkeypatch.setattr(tempo, "LARGEST", tempo.FIRST)


@pytest.fixture
def dav(world: World, mount: str) -> Iterator[Dav]:
    """A client at the root of a policy's mount, over plain HTTP."""
    client = world.dav(mount)
    yield client
    client.close()


@pytest.fixture(scope="module")
def workers(running: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a bridge with two worker processes, on the same emulator.

    Not for the session: its pollers call Graph at any time, and would take the faults, and be counted among the calls,
    of tests that have not asked for it.
    """
    folder = tmp_path_factory.mktemp("workers")
    path = write_configuration(running.emulator, folder, listen="127.0.0.1:0", workers=2, nextcloud_chunks="64M")
    with serving(path) as served:
        assert served.address, served.log
        running.workers, running.workers_state = f"http://{served.address}", folder / "state"
        yield running.workers
        running.workers, running.workers_state = "", None


@pytest.fixture(scope="session")
def nginx(running: World) -> str:
    """The address of an nginx that ends TLS in front of the bridge."""
    program = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if program is None:
        pytest.skip("nginx is not installed")
    if not running.nginx:
        add_nginx(running, program)
    return running.nginx
