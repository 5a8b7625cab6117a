"""For gunicorn: `gunicorn proca_crm.asgi --worker-class asgi`."""

from django.conf import settings

from proca_crm.threads import Threads
from proca_crm.wsgi import application as django
from sync.api.waiting import Waiting

#: A thread has a database connection of its own. Two workers, as the README starts them, use eight.
THREADS = 4

_threads = Threads(django, threads=THREADS, largest_body=settings.MAX_BODY_MB * 1024 * 1024)
application = Waiting(_threads, ask=_threads.call)
