"""Transactions' numbers with 64 bits and with 32.

The server counts with 64 (`pg_current_xact_id`, `pg_xact_status`). Its WAL, its log (`%x`), `xmin` and
pg_waldump have the lower 32 of them, and `recovery_target_xid` compares these alone, whatever it is given.
"""

ROUND = 2**32
FIRST_NORMAL_XID = 3
"""FirstNormalTransactionId (access/transam.h)."""


def meant_by(xid: int, next_xid: int) -> int:
    """The whole number of the transaction that is called `xid` where `next_xid` is the next to be given.

    Of one with 32 bits it is the nearest, as the server compares them (TransactionIdPrecedes).
    """
    if xid >= ROUND:
        return xid
    back = (next_xid - xid) % ROUND
    meant = next_xid - back if back <= ROUND // 2 else next_xid + ROUND - back
    return meant if meant >= FIRST_NORMAL_XID else xid


def told_as(xid: int, asked: int) -> str:
    """A whole number as somebody writes them who wrote `asked`."""
    return str(xid) if asked >= ROUND or xid < ROUND else f"{xid % ROUND} ({xid} with its epoch)"
