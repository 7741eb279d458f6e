from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class PanelConfig(AppConfig):
    name = "panel"

    def ready(self) -> None:
        from panel import checks  # noqa: F401  (registers the system checks)


class PanelAdminConfig(AdminConfig):
    """The stock admin, behind our own log-in."""

    default_site = "panel.adminsite.PanelAdminSite"
