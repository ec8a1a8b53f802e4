"""pycri/container/stop_signal.py."""

import pytest

from pycri import errors
from pycri._generated import cri_pb2 as cri
from pycri.container.stop_signal import number_of


@pytest.mark.parametrize(
    ("wanted", "image", "number"),
    [
        (cri.RUNTIME_DEFAULT, "", 15),
        (cri.RUNTIME_DEFAULT, "SIGQUIT", 3),
        (cri.RUNTIME_DEFAULT, "quit", 3),
        (cri.RUNTIME_DEFAULT, "9", 9),
        (cri.RUNTIME_DEFAULT, "SIGRTMIN+3", 37),
        (cri.SIGUSR1, "SIGQUIT", 10),
        (cri.SIGRTMINPLUS3, "", 37),
        (cri.SIGRTMAXMINUS1, "", 63),
        (cri.SIGPOLL, "", 29),
    ],
)
def test_signals(wanted, image, number):
    assert number_of(wanted, image) == number


def test_every_signal_of_the_cri_has_a_number():
    for value in cri.Signal.values():
        assert 0 < number_of(value, "") <= 64


@pytest.mark.parametrize("image", ["SIGNOPE", "0", "99", "SIGRTMIN+99"])
def test_unknown_signals_are_refused(image):
    with pytest.raises(errors.InvalidArgument):
        number_of(cri.RUNTIME_DEFAULT, image)
