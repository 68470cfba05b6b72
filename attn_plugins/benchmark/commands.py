"""Keeps the commands that a suite was run by, as they were typed, in its folder."""

from pathlib import Path

from attn_plugins.files import read_json, write_json

COMMANDS = 'commands.json'


def note_command(folder: Path, command: str) -> None:
    """Add a command to those of a suite's folder, unless it is there."""
    commands = read_commands(folder)
    if command not in commands:
        write_json(folder / COMMANDS, dict(commands=[*commands, command]))


def read_commands(folder: Path) -> list[str]:
    """List the different commands in the order of their first use; none where another version ran the suite."""
    commands = (read_json(folder / COMMANDS) or {}).get('commands')
    return [str(command) for command in commands] if isinstance(commands, list) else []
