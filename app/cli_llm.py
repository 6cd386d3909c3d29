"""`radomica llm ...`: serve a model with vLLM, and see what a language model can do.

Not known here: the command itself (assistant/llm/serve.py), how a capability is tried (assistant/llm/check_server.py).
Imports that take seconds stand inside the commands.
"""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from app.console import print_error, print_json, print_pairs, print_table, progress_line
from app.settings import apply_offline, read_settings
from encoders.errors import SettingsError

llm_app = typer.Typer(no_args_is_help=True, help="Language models: serve one, look at one.")

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@llm_app.command("serve")
def llm_serve(
    model: Annotated[
        str | None, typer.Option(metavar="ID|FOLDER", help="Hub id or folder; default: the shipped decoder.")
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
    host: Annotated[
        str, typer.Option(help="Keep it loopback: vLLM has no login, and a bad tensor can stop it.")
    ] = "127.0.0.1",
    name: Annotated[str | None, typer.Option(help="Name the model is served under.")] = None,
    python: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Python of the vLLM environment; else RADOMICA_VLLM_PYTHON.")
    ] = None,
    print_only: Annotated[bool, typer.Option("--print", help="Print the command instead of running it.")] = False,
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Listen on an address others can reach.")
    ] = False,
) -> None:
    """Serve a model with vLLM so that `--llm vllm:URL#NAME` can use it; exit code 3 when vLLM is not here."""
    from assistant.llm.serve import find_environment, plan_server  # noqa: PLC0415

    if host not in LOOPBACK and not allow_remote:
        raise SettingsError(
            f"--host {host} can be reached from other machines and vLLM has no login; use 127.0.0.1, "
            "or say --allow-remote if the network is closed."
        )
    plan = plan_server(find_environment(python), model, host=host, port=port, name=name)
    if print_only:
        print(plan.as_shell())  # noqa: T201 - the command is the result
        return
    print_error(f"starting vLLM; use it with --llm {plan.spec}")
    os.execvpe(plan.command[0], plan.command, {**os.environ, **plan.environment})


@llm_app.command("check")
def llm_check(
    spec: Annotated[str, typer.Argument(metavar="SPEC", help="embedded, hf:ID, vllm:URL#MODEL or openai:URL#MODEL.")],
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Let requests go to an address outside this network.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """What a language model can do, tried on it. Exit code 1 when something it should do does not work."""
    settings = read_settings(llm=spec, allow_remote=allow_remote)
    apply_offline(settings)
    with progress_line("asking the language model"):
        from app.make_report import open_llm  # noqa: PLC0415
        from assistant.llm.check_server import check_llm  # noqa: PLC0415

        llm = open_llm(settings)
        found = check_llm(llm)
    if as_json:
        print_json({"spec": llm.spec, "checks": [asdict(c) for c in found]})
    else:
        word = {True: "yes", False: "NO", None: ""}
        print_pairs({"spec": llm.spec})
        print_table(("what", "", "found"), [(c.name, word[c.ok], c.found) for c in found])
    raise typer.Exit(1 if any(c.ok is False for c in found) else 0)
