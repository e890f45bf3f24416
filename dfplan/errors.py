"""The one error a user is meant to read: it says what is wrong, what was found, and how to fix it."""


class UserError(ValueError):
    """A mistake that the person at the keyboard can mend.

    The command line prints its text as one line and exits with status 2; in a program it is an ordinary ``ValueError``.
    """
