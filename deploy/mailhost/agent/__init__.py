"""The agent: one unprivileged daemon that makes a mail host equal to what the panel sends.

Python standard library only; runs on the mail host's own Python.
"""

__version__ = "0.1.0"
