"""A million rows as a stream take the server's processes no more memory than a thousand do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.api.serving import served

MEGABYTE = 1024
A_MILLION = """
    INSERT INTO sync_supporter (email, first_name, last_name, phone, postcode, country, area, language, extra,
                                contact_refs, other_emails, action_count, search_key, created_at, updated_at)
    SELECT 'person' || n || '@example.org', 'Anne', 'Martin' || n, '+33612345678', '69001',
           CASE WHEN n <= 1000 THEN 'MT' ELSE 'FR' END, 'FR', 'fr', '{}', json_build_array('ref' || n), '[]', 1, '',
           now(), now()
      FROM generate_series(1, 1000000) AS n
"""


@pytest.mark.slow
@pytest.mark.parametrize("form", ["ndjson", "csv"])
def test_a_million_rows_take_no_more_memory_than_a_thousand(installed, tokens, form):
    if not installed.value("SELECT count(*) FROM sync_supporter WHERE country = 'MT'"):
        installed.query(A_MILLION)

    with served(installed) as server:
        few, short = streamed(server, tokens["read"], f"format={form}&country=MT")
        many, long = streamed(server, tokens["read"], f"format={form}")

    print(f"{form}: {short / MEGABYTE:.0f} MB for {few:,} lines, {long / MEGABYTE:.0f} MB for {many:,}")
    assert few < 1_010 < 1_000_000 <= many
    assert long - short < 50 * MEGABYTE


def streamed(server, token: str, query: str) -> tuple[int, int]:
    """Read a whole list; return its lines, and the largest peak of a process meanwhile, in kB."""
    processes = workers_of(server.process.pid)
    for one in processes:
        # Forgets the peak so far.
        (one / "clear_refs").write_text("5")
    lines = 0
    with server.client(token) as client, client.stream("GET", f"/api/v1/supporters/?{query}", timeout=300) as answer:
        assert answer.status_code == 200
        for piece in answer.iter_bytes():
            lines += piece.count(b"\n")
    return lines, max(peak_of(one) for one in processes)


def workers_of(master: int) -> list[Path]:
    found = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    return [Path("/proc") / one for one in found]


def peak_of(process: Path) -> int:
    line = next(one for one in (process / "status").read_text().splitlines() if one.startswith("VmHWM:"))
    return int(line.split()[1])
