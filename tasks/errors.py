"""What went wrong and what to do about it: the one error that users see as a line instead of a traceback."""


class UserError(Exception):
    """Bad input. The message names the value, its place (``file:line`` or params key) and the remedy."""


class Defect(UserError):
    """One raw row that cannot be used. ``on_defect: skip`` leaves it out and lists it.

    Args:
        kind: short stable name that is counted, e.g. ``broken columns``.
        place: ``file:line`` of the row.
        message: what is wrong, with the value.
        remedy: the next step.
        entities: gold entities that the row would have held, as far as they can be counted.
    """

    def __init__(self, kind: str, place: str, message: str, remedy: str, entities: int = 0) -> None:
        super().__init__(f"{place}: {message}; {remedy}")
        self.kind = kind
        self.place = place
        self.message = message
        self.entities = entities
