"""What identifies an item's content: the DAV entity tag, which changes with the content and with nothing else.

A cTag is just that, but delta on business drives leaves it out (facts/graph.md §2.4), and an eTag changes with names
and times. The hash is in both kinds of answers, though not at once after an upload. So a tag is made once, from what
there is to make it of, and kept in the mirror's row until news says that the content is another. It is made of the hash
first, so that a lost mirror comes back with the same tags.
"""

from __future__ import annotations

import hashlib

from davbridge.graph.model import DriveItem


def content_tag(item: DriveItem, salt: str = "") -> str:
    """32 hex digits for a file's content, as far as `item` tells; empty for folders."""
    if item.kind != "file":
        return ""
    if item.quick_xor_hash:
        content = f"{item.quick_xor_hash} {item.size}"
    else:
        content = item.ctag or item.etag if item.size else "empty"
    return hashlib.blake2b(f"{item.id}\n{content}\n{salt}".encode(), digest_size=16).hexdigest()


def is_other_content(news: DriveItem, known: DriveItem) -> bool:
    """Whether `news` tells of another content than `known`, two states of one file. When in doubt, yes."""
    if news.ctag and known.ctag:
        return news.ctag != known.ctag
    if news.etag == known.etag:
        return False
    if news.quick_xor_hash and known.quick_xor_hash:
        return (news.quick_xor_hash, news.size) != (known.quick_xor_hash, known.size)
    return news.size != known.size or news.modified != known.modified or news.size > 0


def next_tag(news: DriveItem, known: DriveItem | None) -> str:
    """The tag of `news`, where `known` is the item's state so far.

    The hash is no cryptographic one: an edit that leaves it and the size alone (two lines change places) must still
    change the tag.
    """
    if known is None or not known.tag:
        return content_tag(news)
    if not is_other_content(news, known):
        return known.tag
    tag = content_tag(news)
    return tag if tag != known.tag else content_tag(news, news.ctag or news.etag)
