"""What all models of the configuration have in common."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

from davbridge.redact import Secret


class Model(BaseModel):
    """Frozen, and strict about keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SecretPlace(Model):
    """Where a secret is: in a file, an environment variable, or a systemd credential. Never the value itself."""

    file: Path | None = None
    env: str | None = None
    credential: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _no_value(cls, value: Any) -> Any:
        if isinstance(value, str):
            raise ValueError("takes no secret itself; write {file: PATH}, {env: NAME} or {credential: NAME}")
        return value

    @model_validator(mode="after")
    def _one_place(self) -> SecretPlace:
        if sum(place is not None for place in (self.file, self.env, self.credential)) != 1:
            raise ValueError("needs exactly one of file, env and credential")
        return self

    def read(self) -> Secret:
        """The secret.

        Raises:
            ValueError: it is not there, or empty; the message names the place.
        """
        if self.env is not None:
            value, where = os.environ.get(self.env, ""), f"the environment variable {self.env}"
        else:
            path = self.file or self._credential()
            where = str(path)
            try:
                value = path.read_text("utf-8").strip()
            except OSError as error:
                raise ValueError(f"{where} cannot be read: {error.strerror}") from None
        if not value:
            raise ValueError(f"{where} is empty or not set")
        return Secret(value)

    def _credential(self) -> Path:
        """Raises: ValueError: systemd has not started us, so there is none."""
        folder = os.environ.get("CREDENTIALS_DIRECTORY")
        if not folder:
            raise ValueError(
                f"the credential {self.credential} is there only in a systemd service with "
                f"LoadCredential={self.credential}:FILE, or below `systemd-run -p` with the same"
            )
        return Path(folder) / str(self.credential)
