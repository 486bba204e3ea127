"""The one exception that is meant to be read by the person at the keyboard."""


class InputError(ValueError):
    """A file, option or value of the user's cannot be used.

    The message is one sentence: what was got, what is needed, what to do. The command line prints
    it and exits with 2; the app shows it as a notice.
    """
