"""Bearer tokens for an account: sign-in methods, the token store, single-flight refresh. MSAL lives here only."""

from davbridge.tokens.account import SignedInAccount, open_account
from davbridge.tokens.methods import METHODS, DeviceCode, Visitor, WebPage
from davbridge.tokens.report import AccountReport, report
from davbridge.tokens.settings import AccountSettings, CertificateFiles, SignInMethod
from davbridge.tokens.signing import sign_in
from davbridge.tokens.source import FixedToken, TokenSource
from davbridge.tokens.store import TokenStore
from davbridge.tokens.upkeep import Upkeep

__all__ = [
    "METHODS",
    "AccountReport",
    "AccountSettings",
    "CertificateFiles",
    "DeviceCode",
    "FixedToken",
    "SignInMethod",
    "SignedInAccount",
    "TokenSource",
    "TokenStore",
    "Upkeep",
    "Visitor",
    "WebPage",
    "open_account",
    "report",
    "sign_in",
]
