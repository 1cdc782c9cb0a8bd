"""What Alembic runs: steps go into the transaction they were handed, so that all of them happen or none."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
