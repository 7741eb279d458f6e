"""The root helper: fixed verbs on a Unix socket, arguments matched by pattern, no shell."""
