"""Whole snapshots as they are kept: plain JSON values, redacted, each coded by its difference to the last."""
