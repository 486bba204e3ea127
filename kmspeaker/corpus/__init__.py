"""Makes training performances: speech with phone times becomes a whole face.

In ``lips``, ``visemes`` and ``coarticulation`` move the mouth and ``contacts`` closes it; in
``performances``, ``upper_face`` and ``recordings`` move the rest and ``states`` gives both a style.
``speech.voices``, ``performances.videos`` and ``plan`` choose the speech and the real lips,
``build`` has ``parallel.Workers`` make the clips in a ``studio``, ``store`` keeps them. ``config``
says what a corpus is made of, and ``python -m kmspeaker corpus build`` makes it.
"""
