"""Bearer tokens for an account: sign-in methods, the token store, single-flight refresh. MSAL lives here only."""

from davbridge.tokens.account import AccountSettings, SignedInAccount, open_account, sign_in
from davbridge.tokens.source import FixedToken, TokenSource
from davbridge.tokens.store import TokenStore

__all__ = ["AccountSettings", "FixedToken", "SignedInAccount", "TokenSource", "TokenStore", "open_account", "sign_in"]
