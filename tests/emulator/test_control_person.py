"""The control interface takes a person's sign-in away, and lets another person come."""

from __future__ import annotations

import requests

from davbridge.emulator import Emulator


def test_a_sign_in_is_revoked_and_given_back(emulator: Emulator) -> None:
    """While it is revoked nothing that was issued is good; an unknown request is answered with where to read on."""
    door = emulator.control_url
    token = emulator.access_token()

    def status() -> int:
        answer = requests.get(
            f"{emulator.graph_url}/me/drive",
            headers={"Authorization": f"Bearer {token}"},
            verify=emulator.ca_file,
            timeout=10,
        )
        return answer.status_code

    assert status() == 200
    user = emulator.world.user
    try:
        assert requests.post(f"{door}/person", json={"revoked": True}, timeout=10).status_code == 200
        assert (status(), emulator.entra.revoked) == (401, True)
        assert requests.post(f"{door}/person", json={"revoked": False, "user": "eve@x"}, timeout=10).status_code == 200
        assert (emulator.world.user, emulator.entra.revoked) == ("eve@x", False)
    finally:
        emulator.world.user, emulator.entra.revoked = user, False
    unknown = requests.post(f"{door}/nothing", json={}, timeout=10)
    assert unknown.status_code == 400
    assert "--help" in unknown.json()["error"]
