"""`radomica ask`: one question about one case, with the steps that led to the answer.

Not known here: how an answer is made (assistant/chat.py). Imports that take seconds stand inside the command.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.console import print_json, progress_line, say_images_off
from encoders.errors import InputError


def ask(  # noqa: PLR0913, PLR0917 - an option of the command is an argument of the function
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A patient folder.")],
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="In quotes.")],
    llm: Annotated[str | None, typer.Option("--llm", metavar="SPEC", help="As for `radomica report`.")] = None,
    allow_remote: Annotated[bool, typer.Option("--allow-remote", help="Let data go to a remote LLM address.")] = False,
    trace: Annotated[bool, typer.Option("--trace", help="Also print each tool call: arguments, seconds, ids.")] = False,
    plan_by: Annotated[
        str,
        typer.Option("--plan-by", metavar="WHO", help="question (fixed plan by its type) or model (it calls tools)."),
    ] = "question",
    nli: Annotated[str | None, typer.Option("--nli", metavar="ID|FOLDER", help="As for `radomica report`.")] = None,
    reliance: Annotated[
        bool, typer.Option("--reliance", help="Also say how the answer changes with the image blank and without omics.")
    ] = False,
    no_images: Annotated[bool, typer.Option("--no-images", help="As for `radomica report`.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, the trace in it.")] = False,
) -> None:
    """Answer one question about a case; every sentence is checked and cites its evidence."""
    from app.chat_events import AnswerText, answer_to_dict, trace_lines  # noqa: PLC0415
    from app.make_report import open_case, open_judge, open_llm  # noqa: PLC0415
    from app.settings import apply_offline, read_settings  # noqa: PLC0415
    from app.terminal_chat import printable  # noqa: PLC0415
    from assistant.chat import answer  # noqa: PLC0415

    settings = read_settings(llm=llm, allow_remote=allow_remote, nli=nli, no_images=no_images)
    apply_offline(settings)
    if not folder.exists():
        raise InputError(f"{folder} is not there; give the folder (or zip) that holds one patient's files.")
    with progress_line("loading the language model") as progress:
        judge = open_judge(settings)
        model = open_llm(settings)
        context = open_case(folder, progress=progress, images=settings.images)
        events = list(answer(question, context, model, plan_by=plan_by, judge=judge, reliance=reliance))
    say_images_off(settings)
    if as_json:
        answered = answer_to_dict(question, context.patient.patient_id, events)
        print_json({**answered, "image_functions": settings.images})
        return
    text = AnswerText()
    for event in events:
        text.add(event)
    lines = [text.shown(), text.final_note()]
    if trace:
        lines += ["", *trace_lines(events[-1].trace or ())]
    typer.echo(printable("\n".join(line for i, line in enumerate(lines) if line or i > 1)))
