"""Errors that are the user's to mend, and errors that time mends."""


class InputError(ValueError):
    """Bad input: the message names the file or argument, the field and the rule that it breaks.

    A stage that meets one stops with exit status 65 and prints the message alone; a scheduler need not try again.
    """


class Unavailable(RuntimeError):
    """A service did not answer for as long as was agreed: the message names it, and what is kept until it does.

    A stage that meets one stops with exit status 75 and prints the message alone; a later try goes on from there.
    """
