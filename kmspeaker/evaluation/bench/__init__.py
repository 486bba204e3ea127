"""The bench: every system is asked the same, and one page holds the answers beside each other.

Place in the flow: ``wanted`` says what a report is made of, ``corpus_trials`` and ``people_trials``
make what is asked, ``answers`` asks it, ``results`` keeps what was measured, ``comparison`` puts
intervals and tests on it, ``tables``, ``figures`` and ``pictures`` show it, ``page`` writes the
report, ``run`` does it all.
"""
