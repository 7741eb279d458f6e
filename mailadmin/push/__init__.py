"""The way to the mail host: host rows, rendering, the wire, applying, proving, repairing."""
