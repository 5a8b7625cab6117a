from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("sync", "0004_find_what_an_erasure_reaches"),
    ]

    operations = [
        migrations.AddField(
            model_name="org",
            name="folded_to",
            field=models.BigIntegerField(editable=False, null=True),
        ),
    ]
