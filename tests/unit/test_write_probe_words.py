"""What the write probe makes of words that no server of the tests says."""

import pytest

from walconsole.provision.steps.write_probe import cause_of


@pytest.mark.parametrize(
    ("said", "part"),
    [
        ("net/http: timeout awaiting response headers", "endpoint"),
        ("context deadline exceeded", "endpoint"),
        ("rclone was ended, by the time limit or by a signal", "endpoint"),
        ("read tcp 10.0.0.1:3->10.0.0.2:443: read: connection reset by peer", "endpoint"),
        ("lookup nyc3.example: server misbehaving", "endpoint"),
        ("SlowDown: Please reduce your request rate. status code: 503", "store"),
        ("https response error StatusCode: 403, RequestID: , HostID: , deserialization failed", "grant"),
        ("https response error StatusCode: 404, RequestID: , HostID: , deserialization failed", "bucket"),
        ("PermanentRedirect: status code: 301", "endpoint"),
        ("Failed to copyto: corrupted on transfer: sizes differ 85 vs 0", ""),
        ("request id: tx403-403", ""),
    ],
)
def test_words_that_no_server_here_says(said: str, part: str) -> None:
    assert cause_of(said)[0] == part
