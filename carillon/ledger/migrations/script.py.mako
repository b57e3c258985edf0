"""${message}"""

import sqlalchemy as sa
from alembic import op

from carillon.ledger.tables import BigId, Instant

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}

# "before" the code that needs it: only adds, so that the code of the last release still works on it.
# "after": takes away what that code used, once none of it runs.
runs = "before"

# The oldest revision whose code may still work on this: of one that runs before, where the last release ended;
# of one that runs after, its own.
oldest = ${repr(down_revision)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}
