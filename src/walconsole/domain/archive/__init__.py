"""The archive as its keys tell it: layouts, the index of segments, continuity, comparison of copies.

Arithmetic only: pages of keys and the heads of objects come in, answers go out.
"""
