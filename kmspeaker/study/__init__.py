"""The rating study: what is asked, of whom in which order, what they answered, what follows.

Place in the flow: ``design_file`` reads a study's YAML into a ``design``; ``build`` renders its
stimuli into a folder; ``plan`` says which pages a participant sees; ``store`` keeps what he
answers; ``analysis`` and ``report`` say what follows from it. Needs ``requirements-study.txt``.
"""
