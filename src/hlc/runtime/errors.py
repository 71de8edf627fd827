"""What stops a command before or outside a session, in one line for the person at the keyboard."""

from __future__ import annotations


class SetupError(Exception):
    """The installation or the command is not as it must be. The text says what, why, and what to do.

    `exit_code` is 2 where the command was wrong, 1 where the command was right but cannot be done.
    """

    def __init__(self, text: str, exit_code: int = 1) -> None:
        super().__init__(text)
        self.exit_code = exit_code


class WrongUsage(SetupError):  # noqa: N818 - it names what the person did
    """The command itself is wrong."""

    def __init__(self, text: str) -> None:
        super().__init__(text, exit_code=2)
