"""What became of one broadcast, for a person: what is believed, who says what, and when it is asked about next."""

from typing import Any

from sqlalchemy import Connection, func, select

from carillon.ledger import tracking
from carillon.ledger.figures import Evidence, Said, chosen, evidence_of
from carillon.ledger.questions import instant
from carillon.ledger.tables import broadcasts
from carillon.ledger.tables_results import sales


def results_of(connection: Connection, broadcast_id: int) -> dict[str, Any]:
    """In the words of `carillon show --json`."""
    found = evidence_of(connection, broadcasts.c.id == broadcast_id).get(broadcast_id, Evidence())
    believed, asked = chosen(found), tracking.tracking_of(connection, broadcast_id)
    return {
        "recipients": believed.recipients,
        "views": believed.views,
        "purchases": believed.purchases,
        "revenue_cents": believed.revenue_cents,
        "estimated": believed.estimated,
        "tips_cents": believed.tips_cents,
        "sources": [_said(one) for one in found.said],
        "sales": _sales(connection, broadcast_id),
        "asked_at": instant(asked.asked_at) if asked else None,
        "next_at": instant(asked.next_at) if asked else None,
        "until": instant(asked.until) if asked else None,
        "words": asked.words if asked else None,
    }


def _said(one: Said) -> dict[str, Any]:
    return {
        "source": one.source,
        "at": instant(one.at),
        "recipients": one.recipients,
        "views": one.views,
        "purchases": one.purchases,
        "revenue_cents": one.revenue_cents,
        "estimated": one.estimated,
    }


def _sales(connection: Connection, broadcast_id: int) -> list[dict[str, Any]]:
    """Those that were told one by one, summed up by who told of them."""
    columns = (sales.c.source, sales.c.kind, func.count(), func.sum(sales.c.amount_cents), func.max(sales.c.at))
    summed = select(*columns).where(sales.c.broadcast_id == broadcast_id).group_by(sales.c.source, sales.c.kind)
    return [
        {
            "source": source,
            "kind": kind,
            "count": count,
            "amount_cents": None if cents is None else int(cents),
            "newest_at": instant(newest),
        }
        for source, kind, count, cents, newest in connection.execute(summed.order_by(sales.c.source, sales.c.kind))
    ]
