"""What an operator asks of a running node: one line of JSON, the same for who sends it and who answers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import ValidationError

from tc.errors import InputError
from tc.model.problem import Problem
from tc.model.section import Section

Verb = Literal["status", "cancel", "standdown", "resume", "mode"]
WORDS_LENGTH_MAX = 500
REQUEST_BYTES_MAX = 16_384


class OperatorRequest(Section):
    """One request; what has no strategy and no instrument is for the whole account.

    `everything` cancels orders that only reduce, too. With `is_plan` nothing is done: the answer says what would be.
    """

    verb: Verb
    strategy_id: str | None = None
    instrument_id: str | None = None
    everything: bool = False
    mode: Literal["off", "observe", "active"] | None = None
    by: str = ""
    reason: str = ""
    is_plan: bool = False

    def contradictions(self) -> Iterable[Problem]:
        """Yield what a request lacks or has too much of."""
        if self.verb == "status":
            return
        for name, text in (("by", self.by), ("reason", self.reason)):
            if not text.strip() or not text.isprintable() or len(text) > WORDS_LENGTH_MAX:
                yield Problem((name,), f"--{name} is empty, or no plain text of at most {WORDS_LENGTH_MAX} letters")
        if self.verb in ("standdown", "resume") and self.strategy_id is not None and self.instrument_id is not None:
            yield Problem(("instrument_id",), "a stand-down is of a strategy or of an instrument; give one of the two")
        if self.verb == "mode" and (self.strategy_id is None or self.mode is None):
            yield Problem(("mode",), "a mode is of a strategy; give its id and the mode")

    def line(self) -> bytes:
        """Return it as it is sent."""
        return self.model_dump_json(exclude_defaults=True).encode() + b"\n"

    @classmethod
    def checked(cls, **words: object) -> OperatorRequest:
        """Return a request.

        Raises:
            InputError: something is missing or contradicts itself.
        """
        try:
            return cls.model_validate(words)
        except ValidationError as error:
            raise _input_error(error) from None

    @classmethod
    def from_line(cls, line: bytes) -> OperatorRequest:
        """Return the request in a line.

        Raises:
            InputError: it is none.
        """
        try:
            return cls.model_validate_json(line)
        except ValidationError as error:
            raise _input_error(error) from None


def _input_error(error: ValidationError) -> InputError:
    found = error.errors(include_input=False, include_url=False)
    said = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'the line'}: {each['msg']}" for each in found)
    return InputError(f"this cannot be asked of a node: {said}")
