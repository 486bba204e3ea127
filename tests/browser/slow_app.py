"""The page around a speaker that needs no weights but takes its time: `slow_app.py PORT SECONDS`"""

import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from speaker import FakeSpeaker

from kmspeaker.web import serve, service

if __name__ == "__main__":
    # What videos show is tested elsewhere: here they only have to come.
    service.save_comparison = partial(service.save_comparison, width=320, height=180, fps=5.0)
    port, seconds = int(sys.argv[1]), float(sys.argv[2])
    serve(FakeSpeaker(steps=100, step_seconds=seconds / 100), port=port)
