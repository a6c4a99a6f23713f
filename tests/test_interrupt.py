"""Signals: which are obeyed, and which somebody else has said to ignore."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from studies import FEW, ROOT, command

from handnet.study.interrupt import Interrupt, Stopped, stop_at_once

BOTH = (signal.SIGINT, signal.SIGTERM)


@pytest.mark.parametrize("number", BOTH)
def test_a_signal_waits_for_a_safe_place_and_a_second_does_not(number: int) -> None:
    stop_at_once()
    with Interrupt() as interrupt:
        os.kill(os.getpid(), number)
        time.sleep(0.01)
        assert interrupt.number == number
        with pytest.raises(Stopped):
            interrupt.check()
        with pytest.raises(Stopped):
            os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", BOTH)
def test_a_signal_that_is_ignored_stays_so_and_the_other_is_obeyed(number: int) -> None:
    (other,) = {*BOTH} - {number}
    signal.signal(number, signal.SIG_IGN)
    stop_at_once()
    with Interrupt() as interrupt:
        os.kill(os.getpid(), number)
        interrupt.check()
        os.kill(os.getpid(), other)
        time.sleep(0.01)
        with pytest.raises(Stopped) as stopped:
            interrupt.check()
    assert stopped.value.code == 128 + other
    assert signal.getsignal(number) == signal.SIG_IGN
    os.kill(os.getpid(), number)


@pytest.mark.parametrize(("sent", "code"), [([signal.SIGINT, signal.SIGHUP], 0), ([signal.SIGTERM], 143)])
def test_a_study_in_the_background_of_a_script_hears_no_ctrl_c(
    sent: list[int], code: int, tmp_path: Path
) -> None:
    """A script's shell has what it starts behind itself ignore Ctrl-C, and nohup a closed terminal."""
    home, trials = tmp_path / "m", tmp_path / "m/studies/x/trials.jsonl"
    script = 'trap "" INT HUP; "$@" & echo $!; wait $!'
    words = ["bash", "-c", script, "script", *command(home, "study", *FEW, "TRIALS=20", "NAME=x")]
    process = subprocess.Popen(
        words, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout
    study = int(process.stdout.readline())
    while not trials.exists():
        assert process.poll() is None
        time.sleep(0.01)
    for number in 2 * sent:  # a second one would stop it at once
        os.kill(study, number)
        time.sleep(0.1)
    _, said = process.communicate(timeout=300)
    assert process.returncode == code, said
    assert ("Stopping" in said) == (code != 0)
    assert (trials.read_text().count("\n") == 20) == (code == 0)
