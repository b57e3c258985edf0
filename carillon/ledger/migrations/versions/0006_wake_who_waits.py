"""A send that is recorded wakes its account only where something is due: a wake-up costs a look of the scheduler"""

from alembic import op

revision = "0006"
down_revision = "0005"
runs = "before"
oldest = "0001"

_RECORD = """
CREATE OR REPLACE FUNCTION record_if_clear(
    the_broadcast bigint, the_account bigint, the_attempt bigint, the_number bigint, the_token text,
    the_latency_ms bigint, the_status bigint, the_verdict text, the_words text, the_message_id text,
    the_recipient_count bigint, the_delivery text, the_who text
) RETURNS boolean
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    the_creator record;
    the_instant timestamptz;
BEGIN
    SELECT c.wake_at INTO the_creator FROM creator AS c
    WHERE c.id = the_account AND c.throttled_in_a_row = 0
    FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    the_instant := clock_timestamp();
    UPDATE attempt AS a SET
        finished_at = the_instant, latency_ms = the_latency_ms, status = the_status, verdict = the_verdict,
        words = the_words
    WHERE a.id = the_attempt AND a.token = the_token AND a.finished_at IS NULL
    AND EXISTS (
        SELECT FROM broadcast AS b
        WHERE b.id = the_broadcast AND b.state = 'sending' AND b.attempts = the_number
    ) AND NOT EXISTS (
        SELECT FROM broadcast AS b
        WHERE b.creator_id = the_account AND b.platform_message_id = the_message_id
    );
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE broadcast AS b SET
        state = 'sent', version = b.version + 1, state_since = the_instant, waiting_for = NULL, not_before = NULL,
        reason = NULL, platform_message_id = the_message_id, recipient_count = the_recipient_count,
        sent_at = the_instant, delivery = the_delivery
    WHERE b.id = the_broadcast AND b.state = 'sending' AND b.attempts = the_number;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'broadcast % was moved without its account''s lock', the_broadcast
        USING ERRCODE = 'serialization_failure';
    END IF;
    UPDATE slot AS s SET ended_at = greatest(the_instant, (
        SELECT max(other.taken_at) FROM slot AS other
        WHERE other.creator_id = the_account AND other.ended_at > the_instant
    )) WHERE s.attempt_id = the_attempt;
    INSERT INTO event (broadcast_id, creator_id, at, source, target, why, who) VALUES (
        the_broadcast, the_account, the_instant, 'sending', 'sent', the_verdict || ': ' || the_words, the_who
    );
    IF (the_creator.wake_at IS NULL OR the_creator.wake_at > the_instant) AND EXISTS (
        SELECT FROM broadcast AS b
        WHERE b.creator_id = the_account AND b.state = 'planned' AND b.due_at <= the_instant
    ) THEN
        UPDATE creator AS c SET wake_at = the_instant WHERE c.id = the_account;
    END IF;
    RETURN true;
END
$$
"""


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.get_bind().exec_driver_sql(_RECORD.replace("%", "%%"))
