"""Makes training performances: speech with phone times becomes a whole face.

``visemes`` and ``coarticulation`` move the mouth and ``contacts`` closes it; ``upper_face`` and
``recordings`` move the rest, ``performances`` gives both a manner. ``voices`` and ``plan`` choose
the speech, ``build`` makes the clips, ``store`` keeps them. ``python -m kmspeaker.corpus`` does it
all.
"""
