"""How often a run of steps looks whether something has ended."""

from walconsole.provision.engine.site import LONGEST_PAUSE_S, pause_after


def test_a_quick_look_is_repeated_as_often_as_the_step_wants() -> None:
    assert pause_after(0.02, 0.3) == 0.3
    assert pause_after(0.0, 1.0) == 1.0


def test_on_a_slow_droplet_three_parts_of_four_are_left_to_what_is_waited_for() -> None:
    assert pause_after(1.2, 0.3) == 1.2 * 3


def test_one_look_that_took_long_delays_the_next_by_seconds() -> None:
    assert pause_after(40.0, 0.3) == LONGEST_PAUSE_S
