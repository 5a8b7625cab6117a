"""The rows that a consumer ended up with, by COPY into an empty database. Arguments: database URL, folder of files."""

import json
import sys
import time
from pathlib import Path

import psycopg

_BLOCK = 1 << 18


def main(url: str, folder: Path) -> None:
    """Copies each file into the table that it is named after, all of them in one transaction."""
    with psycopg.connect(url) as connection:
        begun = time.monotonic()
        for path in sorted(folder.glob("*.copy")):
            with path.open("rb") as rows, connection.cursor().copy(f"COPY {path.stem} FROM STDIN") as copy:
                while block := rows.read(_BLOCK):
                    copy.write(block)
        connection.commit()
    print(json.dumps({"seconds": time.monotonic() - begun}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
