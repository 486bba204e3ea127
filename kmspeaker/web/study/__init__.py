"""Taking part in a rating study: pages of plain HTML over a few JSON endpoints.

Place in the flow: ``study.store`` -> here; ``kmspeaker study serve`` opens it. ``views`` says what
of a session leaves the server, ``participant`` and ``owner`` answer, ``guard`` refuses, ``serving``
runs it, and ``static/`` is the page, which no tool builds.
"""
