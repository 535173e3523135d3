"""Errors that are the user's to mend."""


class InputError(ValueError):
    """Bad input: the message names the file or argument, the field and the rule that it breaks.

    A stage that meets one stops with exit status 65 and prints the message alone; a scheduler need not try again.
    """
