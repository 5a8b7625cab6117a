"""The project's settings for tests in this process: fixed secrets, and the private PostgreSQL by default."""

from tests.environment import use_test_environment

use_test_environment()

from proca_crm.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Every client of a test has a server of its own, which would look at each static file there is before its first answer:
# here a file is looked for when it is asked for.
WHITENOISE_AUTOREFRESH = True
