"""SPF: reading, evaluating, judging and making records (RFC 7208)."""
