"""How an application proves who it is at the token endpoint: by secret, signed assertion or federated token (§10.2)."""

from __future__ import annotations

import base64
import json
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from davbridge.emulator.httpd import Request
from davbridge.emulator.refusal import Refused
from davbridge.emulator.world import World

_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def authenticate(world: World, request: Request, form: dict[str, str]) -> None:
    """Let a confidential client in.

    Raises:
        Refused: with the code that Entra has for what is wrong.
    """
    assertion = form.get("client_assertion", "")
    if assertion:
        if form.get("client_assertion_type") != _TYPE:
            raise Refused("invalid_request", 900144, "The parameter 'client_assertion_type' is missing.")
        if assertion in world.federated_tokens:
            return
        _check(world, request, assertion)
        return
    if world.secret_expired:
        raise Refused("invalid_client", 7000222, "The provided client secret keys are expired.", 401)
    if form.get("client_secret") != world.client_secret:
        text = "Invalid client secret provided. Ensure the secret being sent is the client secret value, not its ID."
        raise Refused("invalid_client", 7000215, text, 401)


def _check(world: World, request: Request, assertion: str) -> None:
    """The assertion is signed by a registered certificate, is for us, and of now."""
    try:
        head, body, signature = assertion.split(".")
        header, claims = _part(head), _part(body)
    except ValueError:
        raise Refused("invalid_client", 50027, "The assertion is no JWT.", 401) from None
    if claims.get("iss") != world.client_id or claims.get("sub") != world.client_id:
        raise Refused("invalid_client", 700213, "No matching federated identity record found.", 401)
    certificate = _named(world, header)
    if certificate is None or not _signed(certificate, header, f"{head}.{body}".encode(), _bytes(signature)):
        raise Refused("invalid_client", 700027, "Client assertion contains an invalid signature.", 401)
    audience = f"https://{request.headers.get('host', '')}{request.path}"
    if claims.get("aud") != audience or float(claims.get("exp", 0)) < world.clock.now().timestamp():
        raise Refused("invalid_client", 700024, "The assertion is not within its valid time range or audience.", 401)


def _named(world: World, header: dict[str, Any]) -> x509.Certificate | None:
    for certificate in world.certificates:
        for name, method in (("x5t#S256", hashes.SHA256()), ("x5t", hashes.SHA1())):  # noqa: S303 - Entra's names
            if name in header and _bytes(str(header[name])) == certificate.fingerprint(method):
                return certificate
    return None


def _signed(certificate: x509.Certificate, header: dict[str, Any], data: bytes, signature: bytes) -> bool:
    key = certificate.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    try:
        key.verify(signature, data, pss if header.get("alg") == "PS256" else padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _part(text: str) -> dict[str, Any]:
    value = json.loads(_bytes(text))
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value
