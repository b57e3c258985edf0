"""The clear cases of claim and record as functions of PostgreSQL; see carillon/ledger/clear.py"""

from alembic import op

revision = "0003"
down_revision = "0002"
runs = "before"
oldest = "0001"

# Each statement inside such a function sees what was committed before it, not before the function: so what is counted
# after the account's lock was had includes what its last holder wrote. The clock is read after the lock, too.
# Plans are kept for as long as a connection lives, also those made while a table was still empty: hence no scans.

_CLAIM = """
CREATE FUNCTION claim_if_clear(
    the_broadcast bigint, the_version bigint, the_account bigint, the_token text, the_host text, the_pid bigint,
    the_birth text, the_lease_seconds double precision, the_timeout_seconds double precision,
    the_request_digest text, the_baseline text, the_who text
) RETURNS TABLE (attempt_id bigint, number bigint)
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    the_creator record;
    the_instant timestamptz;
    the_lease timestamptz;
    the_taken timestamptz;
    the_used bigint;
    the_due bigint;
BEGIN
    SELECT c.platform, c.key, c.limit_count, c.limit_seconds, c.cool_down_until INTO the_creator
    FROM creator AS c
    WHERE c.id = the_account AND c.stopped_at IS NULL AND coalesce(c.quiet_hours, '') = ''
    FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    the_instant := clock_timestamp();
    IF the_creator.cool_down_until > the_instant THEN
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM pause) THEN  -- hardly ever, and then the whole question is worth its price
        IF EXISTS (
            SELECT FROM pause AS p JOIN broadcast AS b ON b.id = the_broadcast
            WHERE p.level = 'all' OR (p.level, p.target) IN (
                ('platform', the_creator.platform), ('creator', the_creator.key), ('campaign', b.campaign)
            )
        ) THEN
            RETURN;
        END IF;
    END IF;
    SELECT (
        SELECT count(*) FROM slot AS s
        WHERE s.creator_id = the_account
        AND s.ended_at > the_instant - make_interval(secs => the_creator.limit_seconds)
    ), (
        SELECT count(*) FROM (
            SELECT FROM broadcast AS b
            WHERE b.creator_id = the_account AND b.state IN ('queued', 'planned') AND b.due_at <= the_instant
            LIMIT the_creator.limit_count + 1
        ) AS some_due
    ) INTO the_used, the_due;
    IF the_used + the_due > the_creator.limit_count THEN
        RETURN;
    END IF;
    UPDATE broadcast AS b SET
        state = 'sending', version = b.version + 1, state_since = the_instant, attempts = b.attempts + 1,
        waiting_for = NULL, not_before = NULL
    WHERE b.id = the_broadcast AND b.version = the_version AND b.state = 'queued'
    AND b.due_at <= the_instant AND b.expires_at > the_instant
    RETURNING b.attempts INTO number;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    the_lease := the_instant + make_interval(secs => the_lease_seconds);
    INSERT INTO attempt (
        broadcast_id, number, token, host, pid, process_birth, started_at, lease_until, timeout_seconds,
        request_digest, baseline
    ) VALUES (
        the_broadcast, number, the_token, the_host, the_pid, the_birth, the_instant, the_lease, the_timeout_seconds,
        the_request_digest, the_baseline
    ) RETURNING id INTO attempt_id;
    SELECT greatest(the_instant, max(s.taken_at)) INTO the_taken FROM slot AS s
    WHERE s.creator_id = the_account AND s.ended_at > the_instant;
    INSERT INTO slot (attempt_id, creator_id, taken_at, ended_at) VALUES (
        attempt_id, the_account, the_taken, the_taken + make_interval(secs => the_lease_seconds + the_timeout_seconds)
    );
    INSERT INTO event (broadcast_id, creator_id, at, source, target, why, who) VALUES (
        the_broadcast, the_account, the_instant, 'queued', 'sending', 'claimed, attempt ' || number, the_who
    );
    RETURN NEXT;
END
$$
"""

_RECORD = """
CREATE FUNCTION record_if_clear(
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
    IF the_creator.wake_at IS NULL OR the_creator.wake_at > the_instant THEN
        UPDATE creator AS c SET wake_at = the_instant WHERE c.id = the_account;
    END IF;
    RETURN true;
END
$$
"""


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for function in (_CLAIM, _RECORD):
            op.get_bind().exec_driver_sql(function.replace("%", "%%"))
