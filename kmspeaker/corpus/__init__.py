"""Makes training performances: speech with phone times becomes a whole face.

``visemes`` and ``coarticulation`` move the mouth and ``contacts`` closes it; ``upper_face`` and
``recordings`` move the rest, ``performances`` gives both a style. ``voices``, ``videos`` and
``plan`` choose the speech and the real lips, ``build`` has ``workers`` make the clips in a
``studio``, ``store`` keeps them. ``config`` says what a corpus is made of, and
``python -m kmspeaker corpus build`` makes it.
"""
