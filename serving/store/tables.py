"""The tables of jobs: a row per job, a row per finished spec, a row per event."""

from typing import Final

import sqlalchemy as sa

from serving.store.database import METADATA

VERSION: Final = 1

JOBS: Final = sa.Table(
    "worldgen_jobs",
    METADATA,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("owner", sa.String(200), nullable=False),
    sa.Column("fingerprint", sa.String(64), nullable=False),
    sa.Column("request", sa.Text, nullable=False),
    sa.Column("model", sa.String(200), nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("created", sa.Double, nullable=False),
    sa.Column("started", sa.Double),
    sa.Column("finished", sa.Double),
    sa.Column("deadline", sa.Double),
    sa.Column("cancel_requested", sa.Boolean, nullable=False, default=False),
    sa.Column("attempt", sa.Integer, nullable=False, default=0),
    sa.Column("executor", sa.String(100), nullable=False, default=""),
    sa.Column("variants_total", sa.Integer, nullable=False),
    sa.Column("last_event", sa.Integer, nullable=False, default=0),
    sa.Column("progress", sa.Text, nullable=False, default="{}"),
    sa.Column("error", sa.Text),
    sa.Index("worldgen_jobs_by_state", "state", "priority", "created", "id"),
    sa.Index("worldgen_jobs_by_owner", "owner", "created", "id"),
    sa.Index("worldgen_jobs_by_fingerprint", "owner", "fingerprint"),
)
"""Times are seconds since 1970. ``priority`` is the rank: lower goes first."""

VARIANTS: Final = sa.Table(
    "worldgen_job_variants",
    METADATA,
    sa.Column(
        "job_id",
        sa.String(64),
        sa.ForeignKey(JOBS.c.id, ondelete="CASCADE"),
        primary_key=True,
        nullable=False,
    ),
    sa.Column("variant_id", sa.String(64), primary_key=True, nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("line", sa.Text, nullable=False),
    sa.Index("worldgen_job_variants_by_id", "variant_id"),
)

EVENTS: Final = sa.Table(
    "worldgen_job_events",
    METADATA,
    sa.Column(
        "job_id",
        sa.String(64),
        sa.ForeignKey(JOBS.c.id, ondelete="CASCADE"),
        primary_key=True,
        nullable=False,
    ),
    sa.Column("id", sa.Integer, primary_key=True, nullable=False, autoincrement=False),
    sa.Column("body", sa.Text, nullable=False),
)

BATCH_VARIANTS: Final = sa.Table(
    "worldgen_batch_variants",
    METADATA,
    sa.Column("owner", sa.String(200), primary_key=True, nullable=False),
    sa.Column("variant_id", sa.String(64), primary_key=True, nullable=False),
)
"""What an owner's batches made or reused, as far as it asked about them: it may see these, too."""

TABLES: Final = (JOBS, VARIANTS, EVENTS, BATCH_VARIANTS)
