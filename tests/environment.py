"""The environment that tests run in: nothing of the developer's own settings gets into them."""

import os

SECRETS = {
    # A leading $ is part of a secret. Here it proves it in every test.
    "SECRET_KEY": "$test-secret-key-that-is-long-enough-for-everybody",
    "FIELD_ENCRYPTION_KEY": "$test-field-encryption-key",
    "HASH_KEY": "$test-hash-key",
}
# An empty value is no value, and wins over a .env file.
UNSET = (
    "DEBUG",
    "ALLOWED_HOSTS",
    "PROCA_URL",
    "PROCA_USERNAME",
    "PROCA_PASSWORD",
    "PROCA_QUEUE",
    "PROCA_ORG",
    "PROCA_CA_FILE",
    "PROCA_KEYS",
    "PROCA_MAX_RETRIES",
    "SUBSCRIPTION_POLICY",
    "PUBLIC_URL",
    "TRUST_PROXY",
    "MAX_BODY_MB",
    "PUSH_ALLOW_HOSTS",
    "EXPORT_DIR",
    "CHANGES_KEEP_DAYS",
    "SENTRY_DSN",
    "LOG_FORMAT",
    "LOG_LEVEL",
    "DATABASE_URL",
)


def environment_for_tests() -> dict[str, str]:
    """Settings as environment variables: secrets fixed, everything else at its default."""
    return dict.fromkeys(UNSET, "") | SECRETS


def use_test_environment() -> None:
    """Makes this process's own environment that of the tests."""
    os.environ.update(environment_for_tests())
    # The port is not known yet: the fixture `postgres` starts the server and fills it in.
    os.environ["DATABASE_URL"] = "postgres://proca@127.0.0.1:1/proca"
