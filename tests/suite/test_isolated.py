"""What a process of its own says, and what is left of it however it ends."""

import os
import signal
import tempfile
import time
from pathlib import Path

import pytest

from uqbench.errors import UqbenchError
from uqbench.suite.isolated import run_isolated


def well(say):
    print("printed")
    say(tempfile.mkdtemp())


def killed(say):
    well(say)
    os.kill(os.getpid(), signal.SIGKILL)


def raising(say):
    well(say)
    raise ValueError("no such thing")


def refusing(say):
    well(say)
    raise UqbenchError("a sentence")


def hanging(say):
    well(say)
    time.sleep(60)


@pytest.mark.parametrize(
    ("work", "timeout", "reason"),
    [
        (well, 60, ""),
        (killed, 60, "its process was ended by SIGKILL"),
        (raising, 60, "ValueError: no such thing"),
        (refusing, 60, "a sentence"),
        (hanging, 2, "stopped after its time limit of 2 s"),
    ],
)
def test_however_it_ends_the_reason_is_told_and_its_temporary_files_are_gone(work, timeout, reason, tmp_path):
    said: list[str] = []
    why = run_isolated(work, (), tmp_path / "log" / "x.log", timeout, said.append)
    assert why.startswith(reason)
    assert bool(why) == bool(reason)
    (folder,) = said
    assert not Path(folder).exists()
    assert Path(folder).parent != Path(tempfile.gettempdir())
    assert "printed" in (tmp_path / "log" / "x.log").read_text()
