"""What a long run shows without a terminal."""

from mlpde import progress


def test_lines_tell_the_time_that_is_left(capsys, monkeypatch):
    monkeypatch.setattr(progress, "LINE_EVERY", 0.0)
    show = progress.plain_lines("pinn")
    show(10, 40, 20.0, {"loss": 0.5})
    show(40, 40, 80.0, {"loss": 0.25})
    first, last = capsys.readouterr().err.splitlines()
    assert first == "pinn: step 10/40  20 s, about 60 s left  loss 5.0e-01"
    assert last == "pinn: step 40/40  80 s  loss 2.5e-01"


def test_a_total_that_is_not_known_is_not_made_up(capsys):
    show = progress.plain_lines("bsde")
    for step in (1, 2):  # the first is shown at once
        show(step, None, 20.0, {"doing": "regression on 16 steps"})
    assert capsys.readouterr().err == "bsde: step 1  20 s  regression on 16 steps\n"
