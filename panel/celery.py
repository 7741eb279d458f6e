"""The Celery application; tasks live in `mailadmin/tasks.py`."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "panel.settings")

app = Celery("postkontor")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
