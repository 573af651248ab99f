"""The arguments of ``lobby branch account``; what they do is in branch/access/cli.py."""

from pathlib import Path
from typing import Annotated

import typer

from branch.access import cli

app = typer.Typer(
    name="account",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

AccountName = Annotated[
    str, typer.Argument(metavar="NAME", help="What is typed at sign-in; not a person's name.")
]
ConfigFile = Annotated[
    Path, typer.Option("--config", "-c", metavar="FILE", help="The branch server's branch.toml.")
]


@app.callback()
def account() -> None:
    """Who may sign in to the branch server's pages and API, and as what.

    Run it as the server's user. A running server knows of each change at once.

    \b
    Examples:
      lobby branch account add chief --role admin -c /etc/lobby/branch.toml
      lobby branch account list -c /etc/lobby/branch.toml
    """


@app.command("add")
def account_add(
    name: AccountName,
    config: ConfigFile,
    role: Annotated[
        str, typer.Option(metavar="ROLE", help="teller, manager, technician or admin.")
    ],
) -> None:
    """Make an account; its password is generated and shown once.

    \b
    Example:
      lobby branch account add teller-1 --role teller -c /etc/lobby/branch.toml
    """
    raise typer.Exit(cli.add(config, name, role))


@app.command("token")
def account_token(name: AccountName, config: ConfigFile) -> None:
    """Make a token by which a program acts for an account; it is shown once.

    \b
    Example:
      lobby branch account token prometheus -c /etc/lobby/branch.toml
    """
    raise typer.Exit(cli.token(config, name))


@app.command("list")
def account_list(config: ConfigFile) -> None:
    """List names, roles, and what the ledger calls them.

    \b
    Example:
      lobby branch account list -c /etc/lobby/branch.toml
    """
    raise typer.Exit(cli.listing(config))


@app.command("reset")
def account_reset(name: AccountName, config: ConfigFile) -> None:
    """Give an account a new password; its sessions and tokens end.

    \b
    Example:
      lobby branch account reset teller-1 -c /etc/lobby/branch.toml
    """
    raise typer.Exit(cli.reset(config, name))


@app.command("remove")
def account_remove(name: AccountName, config: ConfigFile) -> None:
    """Remove an account; its sessions and tokens end.

    \b
    Example:
      lobby branch account remove teller-1 -c /etc/lobby/branch.toml
    """
    raise typer.Exit(cli.remove(config, name))
