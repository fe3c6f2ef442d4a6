"""Alternating steps of a minimising and a maximising player."""

from dataclasses import replace

import pytest
import torch

from mlpde.optimize.min_max import State, min_max


def saddle(batch, theta, eta):
    """(theta - 1)^2 + 2 (theta - 1) (eta + 2) - (eta + 2)^2: its saddle point is (1, -2)."""
    a, b = theta - 1, eta + 2
    return (a * a + 2 * a * b - b * b).sum()


def play(steps, state, **options):
    return min_max(
        lambda k: k,
        saddle,
        lambda *at: -saddle(*at),
        state,
        learning_rate=0.05,
        adversary_rate=0.5,
        max_iterations=steps,
        **options,
    )


START = State(torch.zeros(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64))


def test_the_players_meet_in_the_saddle_point():
    end = play(400, START)
    assert float(end.theta) == pytest.approx(1.0, abs=1e-2)
    assert float(end.eta) == pytest.approx(-2.0, abs=1e-2)


def test_a_resumed_run_goes_on_to_the_same_numbers():
    half = play(50, START, callback=lambda state: state.iteration == 20)
    assert torch.equal(play(50, half).theta, play(50, START).theta)
    without_memory = play(50, replace(half, moments={}))
    assert not torch.equal(without_memory.theta, play(50, START).theta)


def test_the_callback_ends_the_run():
    assert play(50, START, callback=lambda state: state.iteration == 7).iteration == 7


def test_a_loss_that_is_not_finite_is_named_with_its_step():
    def fails(batch, theta, eta):
        return (theta * (float("nan") if batch == 3 else 1.0)).sum()

    with pytest.raises(FloatingPointError, match="loss of the network is not finite at step 4"):
        min_max(
            lambda k: k,
            fails,
            lambda *at: -saddle(*at),
            START,
            learning_rate=0.02,
            adversary_rate=0.5,
            max_iterations=10,
        )
