from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MailDnsConfig(AppConfig):
    name = "maildns"
    verbose_name = _("DNS")
