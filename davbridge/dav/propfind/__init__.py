"""PROPFIND in parts: what is wanted, how items become XML, what is listed, and how the answer is sent.

The verb itself is `verbs/propfind.py`; everything here is fast on purpose, and `tests/support/multistatus.py` says in
slow and plain words what the bytes mean.
"""
