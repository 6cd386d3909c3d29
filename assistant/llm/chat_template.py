"""A model's own chat template, filled in the same way for training and for asking.

Some templates refuse a system message: its text then opens the first user message, as for the servers.

Not known here: what the messages say, or what stands for soft tokens inside them.
"""

from __future__ import annotations

from collections.abc import Sequence

from jinja2.exceptions import TemplateError
from transformers import PreTrainedTokenizerBase

from assistant.llm.chat_model import Message, TextPart, fold_system
from encoders.errors import SettingsError

Turn = tuple[str, str]
"""(role, text)."""

_PROBE = "radomica-answer-probe"


def fold_turns(turns: Sequence[Turn]) -> list[Turn]:
    """``fold_system`` (assistant/llm/chat_model.py) for turns of plain text."""
    folded = fold_system([Message(role, (TextPart(text),)) for role, text in turns])
    return [(m.role, "\n".join(p.text for p in m.parts if isinstance(p, TextPart))) for m in folded]


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
        return _fill(tokenizer, fold_turns(turns), ask=ask)
    except TemplateError as error:
        roles = ", ".join(role for role, _ in turns)
        raise SettingsError(f"the model's chat template refuses messages of the roles {roles}: {error}") from error


def takes_system_role(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether a system message reaches the prompt as one; where not, ``render_chat`` folds it into the user message."""
    turns = (("system", _PROBE), ("user", "question"))
    try:
        return _PROBE in _fill(tokenizer, turns, ask=True)
    except TemplateError:
        return False


def end_of_turn(tokenizer: PreTrainedTokenizerBase) -> int:
    """Id of the token that this template puts after an answer: the first special token that follows it."""
    text = render_chat(tokenizer, (("user", "question"), ("assistant", _PROBE)), ask=False)
    tail = tokenizer(text.rpartition(_PROBE)[2], add_special_tokens=False).input_ids
    special = set(tokenizer.all_special_ids) | set(getattr(tokenizer, "added_tokens_decoder", {}))
    found = next((i for i in tail if i in special), tokenizer.eos_token_id)
    if found is None:
        raise SettingsError("the model's chat template ends answers with no special token and it has no end token.")
    return int(found)
