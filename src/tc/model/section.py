"""What every section of a RunSpec has in common: frozen, strict, no unknown key, no contradiction."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from tc.model.problem import Problem

CONTRADICTION = "contradiction"


class Section(BaseModel):
    """A frozen part of a RunSpec; unknown keys and wrong types are refused."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    def contradictions(self) -> Iterable[Problem]:
        """Return where fields of this section do not go together; paths start at the section."""
        return ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        errors = [
            InitErrorDetails(type=PydanticCustomError(CONTRADICTION, "{text}", {"text": text}), loc=path, input=None)
            for path, text in self.contradictions()
        ]
        if errors:
            raise ValidationError.from_exception_data(type(self).__name__, errors)
        return self
