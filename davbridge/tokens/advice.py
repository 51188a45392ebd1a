"""What Entra's codes mean: one plain sentence each: what happened, who can mend it, what to type.

The codes are those of facts: Graph §10.6. `{name}` is the account, `{client_id}` and `{tenant}` are its own;
`{login}` is the command that signs in again. A sentence must never tell a person to do what does not help.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Mends(Enum):
    """What ends the trouble, and so which error it is."""

    SIGN_IN = "a person signs in again: NeedsSignIn"
    SETUP = "the configuration or the app registration is changed: ConfigError"
    CONSENT = "consent: in the next sign-in, or by an administrator where no person signs in"
    TIME = "it passes by itself: Busy"


@dataclass(frozen=True)
class Advice:
    """`sentence` is a template."""

    mends: Mends
    sentence: str


def _all(mends: Mends, sentences: dict[tuple[int, ...], str]) -> dict[int, Advice]:
    return {code: Advice(mends, sentence) for codes, sentence in sentences.items() for code in codes}


ADVICE: dict[int, Advice] = {
    **_all(
        Mends.SIGN_IN,
        {
            (50173,): "the sign-in was revoked, by a new password or an administrator: {login}",
            (700082,): "the sign-in was not used for 90 days and has ended: {login}",
            (70008,): "the sign-in has expired: {login}",
            (700003,): "the device of the sign-in was removed or disabled in your organisation: {login} on another one",
            (70043,): "your organisation asks for a new sign-in from time to time (sign-in frequency): {login}",
            (700084,): "the app is registered as a single-page app, whose sign-ins end after 24 hours: register "
            "http://localhost under `Mobile and desktop applications` instead, then {login}",
            (50072, 50074, 50076, 50078, 50079, 50158): "Microsoft wants a second factor: {login}",
            (50055, 50144): "the person's password has expired: they change it, then {login}",
            (50057,): "the person's account is disabled: an administrator enables it, then {login}",
            (50053,): "the person's account is locked after too many attempts: wait, or ask an administrator, then "
            "{login}",
            (50034, 51004): "there is no such person in the tenant {tenant}: check the name, or `tenant`, then {login}",
            (50126,): "user name or password are wrong: {login}",
            (50058, 50199, 16000, 50089): "Microsoft wants the person to be there: {login}",
            (65004, 70021): "the person declined: {login}, and accept",
            (70016, 70018, 70019, 70020): "the code was mistyped or its 15 minutes were over: {login}",
            (70000, 54005, 9002313, 501481): "the sign-in was damaged or used twice: {login}",
            (50097, 53000, 53001, 53002, 530001): "your organisation lets in only devices that it manages (conditional"
            " access): sign in from such a device, or ask an administrator for an exception, then {login}",
            (53003, 530032, 530033, 530035): "a conditional access policy of your organisation forbids this sign-in; "
            "device codes are often forbidden: try `sign_in: browser`, or ask an administrator to let the app "
            "{client_id} in, then {login}",
            (50105,): "the person is not assigned to the app: an administrator assigns them under Enterprise "
            "applications, Users and groups, then {login}",
            (90072, 50020): "that account does not belong to the tenant {tenant}: use another account, have it invited"
            " as a guest, or change `tenant`, then {login}",
            (500208,): "that kind of account cannot sign in here: {login} with another one, or change `tenant`",
        },
    ),
    **_all(
        Mends.CONSENT,
        {
            (65001,): "nobody has agreed to the app's permissions: {consent}",
            (90094, 90095): "an administrator must agree to the app's permissions: {admin_consent}",
        },
    ),
    **_all(
        Mends.SETUP,
        {
            (7000215,): "the client secret is wrong: make a new one under Certificates & secrets, and put its Value "
            "where `client_secret` points",
            (7000222,): "the client secret has expired: make a new one under Certificates & secrets, and put its Value"
            " where `client_secret` points; nothing else has to be done",
            (70002,): "Microsoft misses a valid client secret or certificate: check `client_secret` or `certificate`",
            (7000218,): "the app registration does not allow public client flows: under Authentication set `Allow "
            "public client flows` to Yes",
            (700025,): "the app is registered as a public client, which has no secret: use `sign_in: device_code` or "
            "`browser`, or register a web app",
            (
                700027,
                50012,
                900384,
            ): "the certificate is not one of the app registration's: upload it under Certificates "
            "& secrets, and compare the thumbprints; a wrong clock on this machine does this, too",
            (700030,): "the app registration does not take this certificate: make another one and upload it",
            (
                50027,
                700021,
                700022,
                700211,
                700212,
                700213,
                700024,
            ): "the token in `federated_token_file` does not fit the "
            "app's federated credential: compare issuer, subject and audience under Certificates & secrets, "
            "Federated credentials",
            (50011, 500113): "the redirect URI is not registered: under Authentication add the platform `Mobile and "
            "desktop applications` with http://localhost",
            (700016,): "the tenant {tenant} has no app with the client_id {client_id}: compare it with `Application "
            "(client) ID`; for personal accounts check `Supported account types`; for a national cloud check "
            "`cloud`",
            (700011, 70001, 7000112): "the app {client_id} is missing or disabled in the tenant {tenant}: an "
            "administrator enables it under Enterprise applications",
            (50194,): "the app is registered for one tenant only: name it in `tenant`, or change `Supported account "
            "types`",
            (9002332, 9002331): "`Supported account types` of the app registration are other ones than `tenant: "
            "{tenant}` asks for: change either",
            (9001023, 50059, 90019): "the tenant must be named: `tenant: {tenant}` does not work with this `sign_in`",
            (90002, 50128): "there is no tenant {tenant}: check `tenant` and `cloud`",
            (90038,): "the tenant {tenant} is in another cloud: set `cloud` (us_gov, us_gov_dod or china)",
            (500011, 50001): "this tenant does not know the Graph host: check `cloud`",
            (70011, 1002012): "Microsoft does not know the permissions that were asked for: check `scopes` and `cloud`",
            (650052, 650056, 650057, 65005): "the app registration lacks a permission: add it under API permissions "
            "(docs/setup-entra.md), then consent",
            (700005,): "the sign-in was begun at another tenant: check `tenant`",
            (700054, 9002325, 9002327, 9002326): "the redirect URI is registered under the wrong platform: it belongs "
            "to `Mobile and desktop applications`",
        },
    ),
    **_all(
        Mends.TIME,
        {
            (90033, 90024, 90090, 90091, 90092): "the Microsoft sign-in service is unavailable for now",
            (50196,): "Microsoft was asked too often; it goes on by itself in some minutes",
        },
    ),
}

NOT_A_VALUE = (
    "the client secret is wrong: it looks like a secret's ID. Put its Value where `client_secret` points; the portal "
    "shows it only once, so make a new secret if it is gone"
)
"""For 7000215 when the secret has a GUID's form."""

_BLOCKED = (53003, 530032, 530033, 530035)

IN_A_BROWSER = dict.fromkeys(
    _BLOCKED,
    "a conditional access policy of your organisation forbids this sign-in: an administrator sees in the sign-in logs "
    "which one, and lets the app {client_id} in, then {login}",
)
"""Where `sign_in: browser` is no way out: it is in use."""

FOR_APPS = dict.fromkeys(
    _BLOCKED,
    "a conditional access policy of your organisation forbids the app's sign-in: an administrator lets the app "
    "{client_id} in, or the address of this machine",
)
"""Where nobody signs in; other codes that a person would mend are told in Microsoft's words."""

NO_SUCH_IDENTITY = (
    "this machine has no identity with the client id {client_id}: compare `client_id` with that of its user-assigned "
    "identity (not the object id), or leave it out for the machine's own"
)
NO_OWN_IDENTITY = "this machine's own identity is switched off: switch it on, or name another one by `client_id`"
"""Azure says `Identity not found` of both (facts: Graph §10.9)."""

LOOP = 50196
"""The one code of `TIME` after which each question makes it longer."""

CONSENT = "run `davbridge login {name}` and accept, or {admin_consent}"
ADMIN_CONSENT = "an administrator presses `Grant admin consent` under App registrations, {client_id}, API permissions"
