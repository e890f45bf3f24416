"""The one error a user is meant to read: what is wrong, what was found, how to fix it; an early end; and its words."""

LIBRARIES = ("dfplan", "numpy", "torch")  # in which code that is not ours raises, but is not mended


class UserError(ValueError):
    """A mistake that the person at the keyboard can mend.

    The command line prints its text as one line and exits with status 2; in a program it is an ordinary ``ValueError``.
    What the text quotes may come from a file that anybody made, so it is made printable, and one line, here, once for
    all.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(map(str.strip, printable(message).split("\n"))))


class EndedEarly(Exception):  # noqa: N818 - no error: all that there is to say was said
    """A command that did what it could, said so, and ends with a status other than 0.

    Args:
        status: the exit status.
    """

    def __init__(self, status: int) -> None:
        super().__init__(f"ended with status {status}")
        self.status = status


class CodeOfOthers:
    """A ``with`` block that tells in one line what goes wrong in code that is not ours, and in which line of it.

    Raises:
        UserError: the block raised anything but one of these itself, or memory that is full.

    Args:
        what: names the code.
    """

    def __init__(self, what: str) -> None:
        self.what = what

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        is_of_memory = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"  # torch's own
        if not isinstance(error, Exception) or isinstance(error, UserError) or is_of_memory:
            return
        import traceback  # not for --help

        frames = list(traceback.walk_tb(error.__traceback__))
        theirs = [each for each in frames if each[0].f_globals.get("__name__", "").partition(".")[0] not in LIBRARIES]
        frame, line = (theirs or frames)[-1]
        place, said = frame.f_code.co_filename.replace("\\", "/").rpartition("/")[2], " ".join(str(error).split())[:200]
        raise UserError(
            f"{self.what} raised {type(error).__name__}: {said} ({place}, line {line}); mend it there"
        ) from error


def check_kind(kinds: type | tuple[type, ...], *, such_as: str, **values: object) -> None:
    """Refuse what is of none of the ``kinds``, by its name.

    Raises:
        UserError: one is none; says what it must be, ``such_as`` tells.
    """
    for name, value in values.items():
        if not isinstance(value, kinds):
            raise UserError(f"{name} must be {such_as}; got {value!r:.60}")


def printable(text: str) -> str:
    """The text with what a terminal would obey, or not show, written as an escape; only line breaks stay."""
    return "".join(
        each if each.isprintable() or each == "\n" else each.encode("unicode_escape").decode() for each in text
    )


def counted(number: int, word: str) -> str:
    """``1 episode``, ``2 episodes``, ``10,000 rows``."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"
