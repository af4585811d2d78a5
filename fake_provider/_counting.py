"""Counting: input tokens of a prompt, by the tokenizer of the model that it is for."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from fake_provider._tokens import characters_as_tokens
from fake_provider._wire._prompt import prompt

if TYPE_CHECKING:
    from fake_provider._wire._shapes import Ask

LIBRARY = "tiktoken"


class Counting:
    """Counts the texts of a prompt with tiktoken, whose encodings belong to OpenAI's models.

    A model that it does not know is counted as characters / 4, and a warning says so once.
    What frames the messages of a prompt is not counted.

    Raises:
        ImportError: tiktoken is not installed.
    """

    def __init__(self) -> None:
        try:
            import tiktoken  # type: ignore[import-not-found, unused-ignore]
        except ImportError as error:
            raise ImportError(
                f'tokens_per_request="{LIBRARY}" needs the package {LIBRARY}, which is not '
                f"installed: pip install {LIBRARY}"
            ) from error
        self._find = tiktoken.encoding_for_model
        self._encodings: dict[str, Any] = {}

    def tokens(self, ask: Ask) -> int:
        """Return the input tokens of a request.

        Raises:
            RuntimeError: The encoding of its model could not be loaded.
        """
        if ask.model not in self._encodings:
            self._encodings[ask.model] = self._encoding(ask.model)
        encoding = self._encodings[ask.model]
        if encoding is None:
            return characters_as_tokens(ask.characters)
        texts, given = prompt(ask.body)
        encoded = (len(encoding.encode(text, disallowed_special=())) for text in texts)
        return max(1, given + sum(encoded))

    def _encoding(self, model: str) -> Any:
        """Return the encoding of a model, None if there is none."""
        try:
            # A gateway puts the provider's name before the model's.
            return self._find(model.rpartition("/")[2])
        except KeyError:
            warnings.warn(
                f"{LIBRARY} knows no model {model!r}: its input tokens are counted as "
                "characters / 4",
                UserWarning,
                stacklevel=2,
            )
            return None
        except Exception as error:
            raise RuntimeError(
                f"{LIBRARY} could not load the encoding of {model!r}, which it gets from the "
                f"network once and keeps where TIKTOKEN_CACHE_DIR says: {error!r}"
            ) from error
