"""A model's own chat template, filled in the same way for training and for asking.

Some templates refuse a system message (Gemma 2, early Mistral): its text then opens the first user message, which is
what the templates that do accept one mostly do with it themselves.

Not known here: what the messages say, or what stands for soft tokens inside them.
"""

from __future__ import annotations

from collections.abc import Sequence

from jinja2.exceptions import TemplateError
from transformers import PreTrainedTokenizerBase

from encoders.errors import SettingsError

Turn = tuple[str, str]
"""(role, text)."""

_PROBE = "radomica-answer-probe"


def fold_system(turns: Sequence[Turn]) -> list[Turn]:
    """The same turns with the system text at the head of the first user turn, a blank line between."""
    system = "\n\n".join(text for role, text in turns if role == "system")
    rest = [turn for turn in turns if turn[0] != "system"]
    if not system:
        return rest
    if not rest or rest[0][0] != "user":
        return [("user", system), *rest]
    return [("user", f"{system}\n\n{rest[0][1]}"), *rest[1:]]


def _fill(tokenizer: PreTrainedTokenizerBase, turns: Sequence[Turn], *, ask: bool) -> str:
    messages = [{"role": role, "content": text} for role, text in turns]
    return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=ask, enable_thinking=False)


def render_chat(tokenizer: PreTrainedTokenizerBase, turns: Sequence[Turn], *, ask: bool = True) -> str:
    """The template filled in; ``ask`` ends it where the answer starts.

    Raises
    ------
    SettingsError: the template refuses the turns even without a system role.
    """
    system = [text.strip() for role, text in turns if role == "system"]
    try:
        if system:
            try:
                text = _fill(tokenizer, turns, ask=ask)
            except TemplateError:
                text = ""
            if all(part in text for part in system):  # a template may drop what it does not know
                return text
        return _fill(tokenizer, fold_system(turns), ask=ask)
    except TemplateError as error:
        roles = ", ".join(role for role, _ in turns)
        raise SettingsError(f"the model's chat template refuses messages of the roles {roles}: {error}") from error


def end_of_turn(tokenizer: PreTrainedTokenizerBase) -> int:
    """Id of the token that this template puts after an answer: the first special token that follows it."""
    text = render_chat(tokenizer, (("user", "question"), ("assistant", _PROBE)), ask=False)
    tail = tokenizer(text.rpartition(_PROBE)[2], add_special_tokens=False).input_ids
    special = set(tokenizer.all_special_ids) | set(getattr(tokenizer, "added_tokens_decoder", {}))
    found = next((i for i in tail if i in special), tokenizer.eos_token_id)
    if found is None:
        raise SettingsError("the model's chat template ends answers with no special token and it has no end token.")
    return int(found)
