"""A litmus-compatible harness in Python: the same suites, test names and verdicts, written from the RFC and from what
the program is seen to do. Alone: `python -m tests.litmus URL USER PASSWORD`.
"""
