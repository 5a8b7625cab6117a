from django.db import migrations

#: How much of a page new rows fill, in percent. A row that changes, as at a second action of somebody, then stays on its
#: page, and its indexes need not be touched where no indexed column changes.
_FILLED = 85
_TABLES = ("sync_contact", "sync_supporter")


def _leave_room(apps, schema_editor):
    _alter(schema_editor, f"SET (fillfactor = {_FILLED})")


def _fill(apps, schema_editor):
    _alter(schema_editor, "RESET (fillfactor)")


def _alter(schema_editor, how):
    # SQLite has no such thing.
    if schema_editor.connection.vendor == "postgresql":
        for table in _TABLES:
            schema_editor.execute(f"ALTER TABLE {table} {how}")


class Migration(migrations.Migration):
    dependencies = [
        ("sync", "0007_find_a_link_by_a_hash"),
    ]

    operations = [
        migrations.RunPython(_leave_room, _fill),
    ]
