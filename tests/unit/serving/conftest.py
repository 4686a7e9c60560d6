"""Databases for the stores: SQLite always, a real Postgres where there is one."""

import pytest

from tests.situations_postgres import postgres_server


@pytest.fixture(scope="session")
def postgres():
    """The address of a server of its own."""
    with postgres_server() as server:
        yield server.url


@pytest.fixture(params=["sqlite", "postgres"])
def database(request, tmp_path):
    """An empty database."""
    from serving.store import Database

    if request.param == "sqlite":
        found = Database(f"sqlite:///{tmp_path}/service.db")
    else:
        found = Database(request.getfixturevalue("postgres"))
        with found.write() as connection:
            connection.exec_driver_sql("DROP SCHEMA public CASCADE")
            connection.exec_driver_sql("CREATE SCHEMA public")
    yield found
    found.close()
