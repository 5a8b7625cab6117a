"""For gunicorn: `gunicorn proca_crm.wsgi`."""

import os
from importlib import import_module

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proca_crm.settings")

application = get_wsgi_application()
# Django would let the first visitor wait for the desk and the API to be loaded.
import_module(settings.ROOT_URLCONF)
