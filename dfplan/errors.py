"""The one error a user is meant to read: it says what is wrong, what was found, and how to fix it; and an early end."""


class UserError(ValueError):
    """A mistake that the person at the keyboard can mend.

    The command line prints its text as one line and exits with status 2; in a program it is an ordinary ``ValueError``.
    """


class EndedEarly(Exception):  # noqa: N818 - no error: all that there is to say was said
    """A command that did what it could, said so, and ends with a status other than 0.

    Args:
        status: the exit status.
    """

    def __init__(self, status: int) -> None:
        super().__init__(f"ended with status {status}")
        self.status = status
