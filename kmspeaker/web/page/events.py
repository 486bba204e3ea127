"""What the page's events have in common."""

from typing import Any

PRIVATE: dict[str, Any] = {"api_visibility": "private", "api_name": "page"}
"""Options of events that are the page's alone; programs call the endpoints of ``web.api``."""
PRESS_DOWNLOAD = "() => { setTimeout(() => document.querySelector('#download').click(), 50); }"
"""A script: save the file that has just been made."""
