from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("sync", "0006_deliveries_by_remote_id"),
    ]

    operations = [
        migrations.AddField(
            model_name="link",
            name="marked",
            field=models.BooleanField(default=False),
        ),
        migrations.AddIndex(
            model_name="link",
            index=models.Index(condition=models.Q(("marked", True)), fields=["id"], name="link_marked"),
        ),
        # Of links made before nobody knows whether a hash leads to one: each is looked at, and then says it itself.
        migrations.RunSQL("UPDATE sync_link SET marked = TRUE", migrations.RunSQL.noop),
    ]
