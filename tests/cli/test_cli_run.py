"""What a run says: to a terminal of 80 columns, to a log, quietly; and how it stops."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from emt_copper import write_copper

from uqbench.cli import main
from uqbench.cli.voice import voice
from uqbench.errors import UqbenchError
from uqbench.suite.record import read_records

RUN = ["run", "--method", "constant", "--task", "forces", "--device", "cpu"]
LIMIT = 240.0
"""Seconds that a process of these tests may take at most; nothing asserts on how many it takes."""


@pytest.fixture
def environment(tmp_path, monkeypatch):
    monkeypatch.setenv("UQBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def in_a_terminal(arguments, interrupt_at=None):
    """Exit code and output of a command in a terminal of 80 columns, Ctrl-C typed once that text has come.

    The code is what a shell says: Python ends itself by the signal (130) where Ctrl-C came inside an exec of text, as
    dataclasses have it, also if the exception was handled.
    """
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-m", "uqbench", *arguments])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
    output, deadline = b"", time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                output += os.read(terminal, 65536)
            except OSError:  # the other side is closed
                break
        if interrupt_at is not None and interrupt_at in output.decode(errors="replace"):
            os.write(terminal, b"\x03")
            interrupt_at = None
    else:
        os.kill(pid, signal.SIGKILL)
    status = os.waitpid(pid, 0)[1]
    os.close(terminal)
    return of_a_shell(os.waitstatus_to_exitcode(status)), output.decode(errors="replace")


def of_a_shell(code):
    return code if code >= 0 else 128 - code


def lines(output):
    """Lines as they are read: without what steers the terminal, the last state of each."""
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output).replace("\r\n", "\n")
    return [line.split("\r")[-1] for line in text.split("\n")]


def test_a_terminal_shows_what_is_done_within_80_columns(environment, tmp_path):
    out = tmp_path / "results"
    code, output = in_a_terminal([*RUN, "--out", str(out)])
    assert code == 0, output
    assert "\x1b[" in output
    seen = lines(output)
    assert "1 fit (1 dataset, 1 backbone, 1 method, 1 task), about 4 s from scratch." in seen
    assert any(line.startswith("[1/1] al snap constant (cpu): ok") for line in seen)
    assert max(map(len, seen)) <= 80
    words = " ".join(" ".join(seen).split())
    assert "1 fit in" in words
    assert "Leaderboard:" in words


@pytest.mark.parametrize(
    "moment",
    [
        "from scratch",
        pytest.param("design rows", marks=pytest.mark.slow),
        pytest.param("(cpu): score", marks=pytest.mark.slow),
    ],
)
def test_ctrl_c_says_how_to_go_on_and_leaves_nothing_behind(environment, tmp_path, moment):
    out = tmp_path / "results"
    code, output = in_a_terminal([*RUN, "--out", str(out)], moment)
    assert code == 130, output
    assert "uqbench: stopped. What is finished is kept in" in output
    assert "The same command goes on from there." in output
    assert "Traceback" not in output
    assert output.count("\x1b[?25h") >= output.count("\x1b[?25l")  # the cursor is back
    assert not [p for p in processes() if str(out) in p]


@pytest.mark.parametrize("moment", ["from scratch", "(cpu): ok"])
def test_ctrl_c_ends_workers_without_a_word_of_theirs(environment, tmp_path, moment):
    pytest.importorskip("distributed", reason="needs Dask: pip install uqbench[dask]")
    out = tmp_path / "results"
    methods = ["--method", "constant", "llpr", "bootstrap", "--jobs", "2"]
    code, output = in_a_terminal([*RUN[:1], *RUN[3:], *methods, "--out", str(out)], moment)
    assert code == 130, output
    assert "The same command goes on from there." in output
    for word in ("Traceback", "distributed", "WARNING"):
        assert word not in output
    assert not [p for p in processes() if str(out) in p]


def processes():
    import psutil

    return [" ".join(p.info["cmdline"] or []) for p in psutil.process_iter(["cmdline"])]


def test_a_signal_to_the_run_alone_and_going_on(environment, tmp_path):
    out, log = tmp_path / "results", tmp_path / "log.txt"
    arguments = [*RUN, "--out", str(out), "--log-file", str(log)]
    with subprocess.Popen(
        [sys.executable, "-m", "uqbench", *arguments], stdout=subprocess.PIPE, text=True
    ) as run:
        for line in run.stdout:
            if "design rows" in line:
                break
        run.send_signal(signal.SIGINT)
        rest = run.stdout.read()
        assert of_a_shell(run.wait(LIMIT)) == 130
    assert "stopped" in rest
    assert "stopped" in log.read_text()
    assert main(arguments) == 0
    assert [r.status for r in read_records(out / "records")] == ["ok"]


def test_the_server_of_processes_does_not_hear_ctrl_c_and_the_run_does():
    code = (
        "import pathlib, re, signal\n"
        "from multiprocessing import forkserver\n"
        "from uqbench.suite.server import start_server\n"
        "start_server()\n"
        "status = pathlib.Path(f'/proc/{forkserver._forkserver._forkserver_pid}/status').read_text()\n"
        "blocked = int(re.search(r'SigBlk:\\s*(\\w+)', status)[1], 16)\n"
        "assert blocked >> (signal.SIGINT - 1) & 1, status\n"
        "assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, set())\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=LIMIT)


def test_no_color_is_honoured(environment, tmp_path, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    _, output = in_a_terminal([*RUN, "--dry-run"])
    assert "from scratch" in output
    assert not re.search(r"\x1b\[[0-9;]*(3[0-7]|9[0-7]|38|4[0-8])[0-9;]*m", output)


def test_quiet_says_nothing_and_the_log_everything(environment, tmp_path, capsys):
    log = tmp_path / "log.txt"
    assert main([*RUN, "--out", str(tmp_path / "out"), "--quiet", "--log-file", str(log)]) == 0
    seen = capsys.readouterr()
    assert (seen.out, seen.err) == ("", "")
    text = log.read_text()
    assert "[1/1] al snap constant (cpu): ok" in text
    assert "Leaderboard:" in text
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", line) for line in text.splitlines())
    assert "\x1b" not in text


def test_quiet_still_says_what_went_wrong(environment, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("UQBENCH_DATA", raising=False)
    arguments = ["run", "--dataset", "w_gap14", "--method", "constant", "--task", "forces", "--quiet"]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 2
    seen = capsys.readouterr()
    assert seen.out == ""
    assert "W_gap14.xyz.xz is not there" in seen.err


@pytest.mark.parametrize("dry", [[], ["--dry-run"]], ids=["run", "dry run"])
@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["alu"], 'there is no dataset "alu"'),
        (["{copper}", "--energy-key", "energi"], 'no frame has a energy label named "energi"'),
        (["{copper}", "--test", "nofile.xyz"], "nofile.xyz: no such file"),
        (["{few}"], "few.xyz: the calibration part of the 3-fold split is empty"),
    ],
    ids=["name", "key", "test file", "split"],
)
def test_a_dataset_that_cannot_be_used_is_said_once_and_before_the_plan(
    environment, tmp_path, capsys, more, words, dry
):
    files = {"copper": write_copper(tmp_path / "copper.xyz", 6), "few": write_copper(tmp_path / "few.xyz", 2)}
    more = [text.format(**files) for text in more]
    assert main(["run", "--dataset", *more, *dry, "--out", str(tmp_path / "out")]) == 2
    seen = capsys.readouterr()
    assert seen.err.count(words) == 1
    assert "few.xyz: few.xyz" not in seen.err
    assert words not in seen.out
    assert "from scratch" not in seen.out
    assert not (tmp_path / "out").exists()


def test_a_plan_is_of_the_datasets_that_can_be_used(environment, tmp_path, capsys):
    copper = str(write_copper(tmp_path / "copper.xyz"))
    assert main([*RUN, "--dataset", "alu", copper, "--dry-run", "--out", str(tmp_path / "out")]) == 1
    seen = capsys.readouterr().out
    assert seen.count('there is no dataset "alu"') == 1
    assert seen.index("alu") < seen.index("(1 dataset, ")


def test_errors_end_in_the_log(tmp_path, capsys):
    log = tmp_path / "log.txt"
    assert main(["run", "--method", "nosuch", "--quiet", "--log-file", str(log)]) == 2
    assert "no method is called 'nosuch'" in log.read_text()
    assert "no method is called 'nosuch'" in capsys.readouterr().err


def test_a_log_that_cannot_be_written():
    with pytest.raises(UqbenchError, match="--log-file /proc/x cannot be written"):
        main_voice(Path("/proc/x"))


def main_voice(log):
    with voice(False, log):
        pass


def test_markup_in_names_is_text(tmp_path, capsys):
    with voice(False, tmp_path / "log") as console:
        console.say("[red]a method[/red] :smile:")
    assert "[red]a method[/red] :smile:" in capsys.readouterr().out
    assert "[red]a method[/red] :smile:" in (tmp_path / "log").read_text()
