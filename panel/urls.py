from allauth.account import views as account
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from panel.pages import (
    aliases,
    audit,
    dashboard,
    domains,
    errors,
    forwards,
    mailboxes,
    preferences,
    status,
    wizard,
)

handler400 = "panel.pages.errors.bad_request"
handler403 = "panel.pages.errors.forbidden"
handler404 = "panel.pages.errors.not_found"
handler500 = "panel.pages.errors.server_error"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", dashboard.show, name="dashboard"),
    path("healthz", status.healthz, name="healthz"),
    # Only the doors of allauth that we open: no sign-up, no e-mail pages, no social log-in.
    path("accounts/login/", account.login, name="account_login"),
    path("accounts/logout/", account.logout, name="account_logout"),
    path("accounts/password/change/", account.password_change, name="account_change_password"),
    path("accounts/password/reset/", account.password_reset, name="account_reset_password"),
    path(
        "accounts/password/reset/done/",
        account.password_reset_done,
        name="account_reset_password_done",
    ),
    path(
        "accounts/password/reset/key/<slug:uidb36>-<str:key>/",
        account.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
    path(
        "accounts/password/reset/key/done/",
        account.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
    path("accounts/signup/", errors.gone, name="account_signup"),
    path("accounts/inactive/", account.account_inactive, name="account_inactive"),
    path("accounts/reauthenticate/", account.reauthenticate, name="account_reauthenticate"),
    path("accounts/password/set/", account.password_set, name="account_set_password"),
    path("domains/", domains.show_all, name="domains"),
    path("domains/<str:name>/", domains.show, name="domain"),
    path("domains/<str:name>/catch-all/", domains.catch_all, name="domain_catch_all"),
    path("domains/<str:name>/state/", domains.state, name="domain_state"),
    path("mailboxes/", mailboxes.show_all, name="mailboxes"),
    path("mailboxes/new/", wizard.address, name="mailbox_new"),
    path("mailboxes/new/free/", wizard.free, name="address_free"),
    path("mailboxes/new/person/", wizard.person, name="mailbox_new_person"),
    path("mailboxes/new/review/", wizard.review, name="mailbox_new_review"),
    path("mailboxes/new/cancel/", wizard.cancel, name="mailbox_new_cancel"),
    path("mailboxes/<uuid:uid>/", mailboxes.show, name="mailbox"),
    path("mailboxes/<uuid:uid>/password/", mailboxes.password, name="mailbox_password"),
    path("mailboxes/<uuid:uid>/quota/", mailboxes.quota, name="mailbox_quota"),
    path("mailboxes/<uuid:uid>/name/", mailboxes.name, name="mailbox_name"),
    path("mailboxes/<uuid:uid>/forwarding/", mailboxes.forwarding, name="mailbox_forwarding"),
    path("addresses/<uuid:uid>/state/", mailboxes.state, name="address_state"),
    path("addresses/<uuid:uid>/trash/", mailboxes.trash, name="address_trash"),
    path("addresses/<uuid:uid>/restore/", mailboxes.restore, name="address_restore"),
    path("addresses/<uuid:uid>/delete/", mailboxes.delete, name="address_delete"),
    path("addresses/<uuid:uid>/status/", status.of_address, name="address_status"),
    path("aliases/", aliases.show_all, name="aliases"),
    path("aliases/new/", aliases.create, name="alias_new"),
    path("aliases/<uuid:uid>/", aliases.show, name="alias"),
    path("forwards/", forwards.show_all, name="forwards"),
    path("forwards/new/", forwards.create, name="forward_new"),
    path("forwards/<uuid:uid>/", forwards.show, name="forward"),
    path("trash/", mailboxes.show_trash, name="trash"),
    path("audit/", audit.show_all, name="audit"),
    path("domain-status/<str:name>/", status.of_domain, name="domain_status"),
    path("preferences/theme/", preferences.theme, name="theme"),
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin/", admin.site.urls),
]
