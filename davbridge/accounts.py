"""From the configuration to what the token layer is told: how each account signs in, for what, and where it is kept.

Least scopes: what the policies of an account need, and no more. A person sees the list before signing in.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from davbridge.clock import Clock
from davbridge.config import Account, Config, Policy
from davbridge.tokens import METHODS, AccountSettings, CertificateFiles, TokenStore

WORDS = {
    "Files.Read": "read your files",
    "Files.ReadWrite": "read and change your files",
    "Files.Read.All": "read all files that you can open",
    "Files.ReadWrite.All": "read and change all files that you can open",
    "Sites.Read.All": "find SharePoint sites and their libraries",
    ".default": "what an administrator has granted to the app",
}


def settings(config: Config, name: str) -> AccountSettings:
    """How an account signs in."""
    account = config.accounts[name]
    cloud = account.where
    certificate = account.certificate
    return AccountSettings(
        name=name,
        client_id=account.client_id,
        authority=f"{cloud.login}/{account.tenant}",
        scopes=tuple(f"{cloud.graph_origin}/{scope}" for scope in scopes(config, name)),
        method=account.sign_in,
        client_secret=account.client_secret.read if account.client_secret else None,
        secret_expires=account.secret_expires,
        certificate=CertificateFiles(
            certificate.file,
            certificate.passphrase.read if certificate.passphrase else None,
            certificate.thumbprint,
        )
        if certificate
        else None,
        federated_token_file=account.federated_token_file,
        instance_discovery=isinstance(account.cloud, str),
        verify=cloud.verify,
    )


def scopes(config: Config, name: str) -> tuple[str, ...]:
    """What the account asks for, in Microsoft's short names."""
    account = config.accounts[name]
    if not METHODS[account.sign_in].needs_person:
        return (".default",)
    if account.scopes:
        return tuple(account.scopes)
    policies = {key: policy for key, policy in config.policies.items() if policy.account == name}
    return _least(account, policies)


def _least(account: Account, policies: Mapping[str, Policy]) -> tuple[str, ...]:
    writes = any("write" in policy.access.values() for policy in policies.values())
    sharepoint = any(policy.driver == "sharepoint" for policy in policies.values())
    # somebody else's drive, or a library: both are files that only `.All` reaches
    wide = sharepoint or any(policy.user for policy in policies.values())
    files = f"Files.{'ReadWrite' if writes else 'Read'}{'.All' if wide else ''}"
    # personal accounts cannot even ask for sites
    return (files, "Sites.Read.All") if sharepoint and account.tenant != "consumers" else (files,)


def token_store(config: Config, folder: Path, clock: Clock) -> TokenStore:
    """Where the sign-ins are, in the state folder."""
    key = config.state.key
    return TokenStore(folder / "tokens", key=key.read if key else None, clock=clock)
