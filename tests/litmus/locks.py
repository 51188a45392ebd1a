"""The suite `locks`, with a second session that holds no token."""

from __future__ import annotations

from tests.litmus.harness import Fail, Session, Skip, Suite, whole
from tests.support.dav import Answer

FILE, INNER, COLLECTION = "lockme", "lockcoll/lockme.txt", "lockcoll/"
BOGUS = '["bogus-etag"]'


def options(session: Session) -> None:
    """Class 2, or there is nothing to test."""
    classes = {part.strip() for part in session.succeed(session.dav.options(""), "OPTIONS").header("DAV").split(",")}
    if "2" not in classes:
        raise Skip("the server does not claim class 2")
    session.notes["class2"] = "yes"


def precond(session: Session) -> None:
    """The rest needs class 2."""
    session.need("class2")


def init_locks(session: Session) -> None:
    """Forget what was locked."""
    session.need("class2")
    session.notes["path"] = FILE


def put(session: Session) -> None:
    """A file to lock."""
    session.need("class2")
    session.succeed(session.dav.put(FILE, "content"), "PUT")


def _lock(session: Session, path: str, *, depth: str = "0", shared: bool = False) -> Answer:
    headers = {"Depth": depth, "Timeout": "Second-3600", "Content-Type": "application/xml"}
    answer = session.succeed(session.dav.lock(path, shared=shared, owner="litmus test suite", headers=headers), "LOCK")
    if not answer.token:
        raise Fail("LOCK gave no Lock-Token")
    session.notes["token"], session.notes["held"] = answer.token, path
    return answer


def lock_excl(session: Session) -> None:
    """An exclusive lock, with a token."""
    session.need("class2")
    _lock(session, FILE)


def lock_shared(session: Session) -> None:
    """A shared lock, with a token."""
    session.need("class2")
    _lock(session, FILE, shared=True)
    session.notes["shared"] = "yes"


def discover(session: Session) -> None:
    """lockdiscovery shows the lock and its token."""
    token = session.need("token")
    found = session.succeed(session.dav.propfind(session.notes["held"], body="<D:lockdiscovery/>"), "PROPFIND")
    if token not in found.resources[0]["lockdiscovery"]:
        raise Fail("lockdiscovery does not show the lock")


def _refresh(session: Session, path: str) -> None:
    headers = {"If": f"(<{session.need('token')}>)", "Timeout": "Second-3600", "Content-Length": "0"}
    session.succeed(session.dav.request("LOCK", path, headers=headers), "LOCK refresh")


def refresh(session: Session) -> None:
    """A refresh."""
    _refresh(session, session.notes.get("held", FILE))


def indirect_refresh(session: Session) -> None:
    """A refresh by the URL of a member."""
    _refresh(session, INNER)


def _path(session: Session) -> str:
    return INNER if session.notes.get("held") == COLLECTION else FILE


def notowner_modify(session: Session) -> None:
    """423 for everything that changes it, without the token."""
    session.need("token")
    path = _path(session)
    if session.dav.head("whocares").status != 404:
        session.dav.delete("whocares")
    session.succeed(session.dav.put("whocares2", "x"), "PUT")
    session.refuse(session.other.delete(path), "DELETE of a locked resource", 423)
    session.refuse(session.other.move(path, "whocares"), "MOVE of a locked resource", 423)
    session.refuse(
        session.other.copy("whocares2", path, headers={"Overwrite": "T"}), "COPY onto a locked resource", 423
    )
    session.refuse(session.other.proppatch(path, "<x:random>foobar</x:random>"), "PROPPATCH of a locked resource", 423)
    session.refuse(session.other.put(path, "lost"), "PUT on a locked resource", 423)
    session.dav.delete("whocares2")


def notowner_lock(session: Session) -> None:
    """423 for a second lock, unless both are shared."""
    session.need("token")
    path = _path(session)
    if not session.notes.get("shared"):
        session.refuse(session.other.lock(path, shared=True, headers={"Depth": "0"}), "a second, shared LOCK", 423)
    session.refuse(session.other.lock(path, headers={"Depth": "0"}), "a second LOCK", 423)


def owner_modify(session: Session) -> None:
    """With the token everything goes."""
    path, token = _path(session), session.need("token")
    held = {"If": f"<{session.dav.url(session.notes['held'])}> (<{token}>)"}
    session.succeed(session.dav.put(path, "more content", headers=held), "PUT with the token")
    session.succeed(
        session.dav.proppatch(path, "<x:random>foobar</x:random>", headers=held), "PROPPATCH with the token"
    )


def copy(session: Session) -> None:
    """A copy is not locked."""
    session.need("token")
    session.dav.delete("copydest")
    session.succeed(session.dav.copy(FILE, "copydest", headers={"Overwrite": "T"}), "COPY of a locked resource")
    if "activelock" in session.dav.propfind("copydest", body="<D:lockdiscovery/>").text:
        raise Fail("the copy is locked, too")
    session.succeed(session.dav.delete("copydest"), "DELETE of the copy")


def _conditional(session: Session, condition: str) -> Answer:
    return session.dav.put(FILE, "conditional content", headers={"If": condition})


def _token_and_etag(session: Session) -> tuple[str, str]:
    etag = session.succeed(session.dav.head(FILE), "HEAD").etag
    if not etag:
        raise Skip("the server gives no ETag")
    return session.need("token"), etag


def cond_put(session: Session) -> None:
    """Token and ETag are right."""
    token, etag = _token_and_etag(session)
    session.succeed(_conditional(session, f"(<{token}> [{etag}])"), "conditional PUT")


def fail_cond_put(session: Session) -> None:
    """412 when the ETag is wrong."""
    token, _ = _token_and_etag(session)
    session.refuse(_conditional(session, f"(<{token}> {BOGUS})"), "conditional PUT with a wrong ETag", 412)


def cond_put_with_not(session: Session) -> None:
    """Negation."""
    condition = f"(<{session.need('token')}>) (Not <DAV:no-lock>)"
    session.succeed(_conditional(session, condition), "conditional PUT with Not")


def cond_put_corrupt_token(session: Session) -> None:
    """423: the condition holds, but the token is not the lock's."""
    condition = f"(<{session.need('token')}x>) (Not <DAV:no-lock>)"
    session.refuse(_conditional(session, condition), "conditional PUT with a corrupt token", 423)


def complex_cond_put(session: Session) -> None:
    """Two lists, each with an ETag."""
    token, etag = _token_and_etag(session)
    condition = f"(<{token}> [{etag}]) (Not <DAV:no-lock> [{etag}])"
    session.succeed(_conditional(session, condition), "conditional PUT with two lists")


def fail_complex_cond_put(session: Session) -> None:
    """412 when neither holds."""
    token, _ = _token_and_etag(session)
    condition = f"(<{token}> {BOGUS}) (Not <DAV:no-lock> {BOGUS})"
    session.refuse(_conditional(session, condition), "conditional PUT with two wrong lists", 412)


def unlock(session: Session) -> None:
    """The lock ends."""
    token = session.need("token")
    session.succeed(session.dav.unlock(session.notes["held"], token), "UNLOCK")
    del session.notes["token"]
    session.notes.pop("shared", None)


def fail_cond_put_unlocked(session: Session) -> None:
    """412: nothing is ever locked by DAV:no-lock."""
    session.refuse(_conditional(session, "(<DAV:no-lock>)"), "conditional PUT with DAV:no-lock", 412)


def double_sharedlock(session: Session) -> None:
    """Two shared locks stand side by side."""
    session.need("token")
    headers = {"Depth": "0", "Timeout": "Second-3600"}
    answer = session.succeed(session.other.lock(FILE, shared=True, headers=headers), "a second shared LOCK")
    session.succeed(session.other.unlock(FILE, answer.token), "UNLOCK of the second")


def prep_collection(session: Session) -> None:
    """A collection with a member."""
    session.need("class2")
    session.dav.delete(COLLECTION)
    session.succeed(session.dav.mkcol(COLLECTION), "MKCOL")
    session.succeed(session.dav.put(INNER, "content"), "PUT")


def lock_collection(session: Session) -> None:
    """A lock with Depth infinity."""
    session.need("class2")
    _lock(session, COLLECTION, depth="infinity")


def unmapped_lock(session: Session) -> None:
    """201 for a lock on a free name."""
    session.need("class2")
    session.dav.delete("unmapped_url")
    answer = _lock(session, "unmapped_url")
    if answer.status != 201:
        session.warn(f"LOCK on a free name gave {answer.status}, not 201")


_NAMES = """
options precond init_locks put lock_excl discover refresh notowner_modify notowner_lock owner_modify notowner_modify
notowner_lock copy cond_put fail_cond_put cond_put_with_not cond_put_corrupt_token complex_cond_put
fail_complex_cond_put unlock fail_cond_put_unlocked lock_shared notowner_modify notowner_lock owner_modify
double_sharedlock notowner_modify notowner_lock unlock prep_collection lock_collection owner_modify notowner_modify
refresh indirect_refresh unlock unmapped_lock unlock
"""
SUITE: Suite = whole([(name, globals()[name]) for name in _NAMES.split()])
