"""Downloads: every way in which a server can misbehave."""

import hashlib
import shutil
import time
from email.utils import formatdate
from types import SimpleNamespace

import numpy as np
import pytest

from reprise.data.download import DownloadError, Patience, download, kind_of
from reprise.data.fetch import FetchError, fetch

from .misbehaving import cut, endless, hang, ranged, redirect_to, status, trickle, whole
from .remote import BODY, NOWHERE, OTHER, PAGE, names, ranges, remote


class TestDownload:
    @pytest.fixture
    def get(self, server, patience, tmp_path):
        def run(*script, urls=None, body=BODY, **changes):
            server.script = list(script)
            settings = Patience(**(vars(patience) | changes))
            return download(remote(*(urls or [server.url()]), body=body), tmp_path / "x.zip", patience=settings)

        return run

    def complete(self, tmp_path):
        assert (tmp_path / "x.zip").read_bytes() == BODY
        assert names(tmp_path) == ["x.zip"]

    def test_a_good_server(self, get, server, tmp_path, sleeps):
        assert get(whole(BODY)) == tmp_path / "x.zip"
        self.complete(tmp_path)
        assert (len(server.requests), sleeps) == (1, [])
        assert server.requests[0]["User-Agent"].startswith("reprise/")

    def test_a_body_that_breaks_off_is_continued(self, get, server, tmp_path):
        get(cut(BODY, 1), cut(BODY, 70_000), cut(BODY, 130_000), ranged(BODY), attempts=9)
        self.complete(tmp_path)
        assert ranges(server) == [None, "bytes=1-", "bytes=70001-", "bytes=200001-"]
        assert server.requests[1]["If-Range"] == '"one"'

    def test_an_interrupted_process_goes_on_where_it_stopped(self, get, server, tmp_path):
        with pytest.raises(DownloadError, match=r"100000 of 300001 bytes.*run the same command"):
            get(cut(BODY, 100_000), attempts=1)
        assert names(tmp_path) == ["x.zip.partial", "x.zip.partial.json"]
        get(ranged(BODY))
        self.complete(tmp_path)
        assert ranges(server) == [None, "bytes=100000-"]

    def test_stopped_between_the_last_byte_and_the_check(self, get, server, tmp_path):
        (tmp_path / "x.zip.partial").write_bytes(BODY)
        get(status(500))
        self.complete(tmp_path)
        assert server.requests == []

    def test_a_range_that_is_ignored_is_not_appended(self, get, server, tmp_path):
        get(cut(BODY, 100_000), whole(BODY))
        self.complete(tmp_path)
        assert ranges(server) == [None, "bytes=100000-"]

    @pytest.mark.parametrize(
        "headers",
        [
            {"ETag": '"two"'},
            {"ETag": ""},
            {"Content_Range": f"bytes 0-{len(BODY) - 1}/{len(BODY)}"},
            {"Content_Range": ""},
        ],
    )
    def test_a_part_of_another_file_is_not_appended(self, get, server, tmp_path, headers):
        get(cut(BODY, 100_000), ranged(OTHER, **headers), ranged(BODY))
        self.complete(tmp_path)
        assert ranges(server) == [None, "bytes=100000-", None]

    def test_a_part_that_only_pretends_to_fit_is_found_by_the_hash(self, get, server, tmp_path):
        get(cut(BODY, 100_000), ranged(OTHER), ranged(BODY))
        assert (tmp_path / "x.zip").read_bytes() == BODY
        assert ranges(server) == [None, "bytes=100000-", None]
        assert (tmp_path / "x.zip.rejected").read_bytes() == BODY[:100_000] + OTHER[100_000:]

    @pytest.mark.parametrize(
        ("headers", "validator"),
        [
            ({"ETag": 'W/"weak"'}, None),
            ({"ETag": ""}, None),
            ({"ETag": "", "Last_Modified": "Thu, 08 Mar 2018 10:00:00 GMT"}, "Thu, 08 Mar 2018 10:00:00 GMT"),
        ],
    )
    def test_only_a_strong_validator_is_trusted(self, get, server, tmp_path, headers, validator):
        get(cut(BODY, 100_000, **headers), ranged(BODY, **headers))
        self.complete(tmp_path)
        assert server.requests[1].get("If-Range") == validator
        assert ranges(server)[1] == (validator and "bytes=100000-")

    def test_a_range_that_the_server_does_not_have(self, get, server, tmp_path):
        get(cut(BODY, 100_000), status(416), whole(BODY))
        self.complete(tmp_path)
        assert ranges(server) == [None, "bytes=100000-", None]

    def test_a_part_from_another_address_is_not_continued(self, get, server, tmp_path):
        get(*[cut(BODY, 100)] * 3, ranged(BODY), urls=[server.url("a"), server.url("b")])
        self.complete(tmp_path)
        assert [request["path"] for request in server.requests] == ["/a", "/a", "/a", "/b"]
        assert ranges(server)[-1] is None

    def test_too_many_requests(self, get, tmp_path, sleeps):
        get(status(429, Retry_After=7), whole(BODY))
        self.complete(tmp_path)
        assert sleeps == [7]

    def test_retry_after_as_a_date(self, get, sleeps):
        get(status(503, Retry_After=formatdate(time.time() + 30, usegmt=True)), whole(BODY))
        assert sleeps == [pytest.approx(30, abs=3)]

    def test_unavailable_twice(self, get, tmp_path, sleeps):
        get(status(503), status(503), whole(BODY))
        self.complete(tmp_path)
        assert sleeps == [1, 2]

    def test_the_pause_is_capped(self, get, sleeps):
        get(*[status(503)] * 8, whole(BODY), attempts=9)
        assert sleeps == [1, 2, 4, 8, 16, 32, 60, 60]

    def test_a_pause_longer_than_the_cap_is_left_to_the_user(self, get, server, sleeps):
        with pytest.raises(DownloadError, match="come back in 3600 s"):
            get(status(429, Retry_After=3600))
        assert (len(server.requests), sleeps) == (1, [])

    def test_unavailable_for_good(self, get, server, tmp_path):
        with pytest.raises(DownloadError, match=r"status 503.*3 times in a row"):
            get(status(503))
        assert len(server.requests) == 3
        assert names(tmp_path) == []

    @pytest.mark.parametrize("code", [401, 403, 404, 410])
    def test_a_refusal_leads_to_the_next_address_at_once(self, get, server, tmp_path, code, sleeps):
        get(status(code), whole(BODY), urls=[server.url("a"), server.url("b")])
        self.complete(tmp_path)
        assert [request["path"] for request in server.requests] == ["/a", "/b"]
        assert sleeps == []

    def test_a_dead_address_leads_to_the_next(self, get, server, tmp_path):
        get(whole(BODY), urls=[NOWHERE, server.url()])
        self.complete(tmp_path)

    @pytest.mark.parametrize(
        ("body", "kind"), [(PAGE, "HTML page"), (b"", "empty"), (OTHER, "binary data"), (b'{"a": 1}', "JSON")]
    )
    def test_other_content_with_status_200_is_rejected(self, get, tmp_path, body, kind):
        with pytest.raises(DownloadError, match=kind) as error:
            get(whole(body))
        assert names(tmp_path) == ["x.zip.rejected"]
        assert (tmp_path / "x.zip.rejected").read_bytes() == body
        for content in (body, BODY):
            assert hashlib.sha256(content).hexdigest() in str(error.value)

    def test_a_replaced_file_leads_to_the_next_address(self, get, server, tmp_path):
        get(whole(OTHER), whole(BODY), urls=[server.url("a"), server.url("b")])
        assert (tmp_path / "x.zip").read_bytes() == BODY

    @pytest.mark.parametrize("body", [BODY + b"1", BODY * 3])
    def test_a_longer_body_is_read_one_byte_too_far(self, get, tmp_path, body):
        with pytest.raises(DownloadError, match=f"{len(BODY) + 1} bytes"):
            get(whole(body))

    def test_an_endless_body_ends(self, get, tmp_path):
        with pytest.raises(DownloadError, match=f"{len(BODY) + 1} bytes"):
            get(endless(BODY[:50_000]))

    def test_a_length_that_is_too_small(self, get, tmp_path):
        with pytest.raises(DownloadError, match="1000 bytes"):
            get(whole(BODY, Content_Length=1000))
        assert not (tmp_path / "x.zip").exists()

    def test_a_server_that_hangs_is_left(self, get, tmp_path):
        start = time.monotonic()
        get(hang(), whole(BODY))
        self.complete(tmp_path)
        assert time.monotonic() - start < 2

    def test_a_server_that_trickles_is_left(self, get, server, tmp_path):
        get(trickle(BODY, every=0.02), ranged(BODY), window=0.2, minimum_rate=10_000)
        self.complete(tmp_path)
        # what came is kept
        assert ranges(server)[1] is not None

    def test_a_redirect_is_followed_and_a_loop_is_not(self, get, server, tmp_path):
        get(redirect_to(server.url("there")), whole(BODY))
        self.complete(tmp_path)
        with pytest.raises(DownloadError, match="redirect"):
            get(redirect_to(server.url("there")))
        assert len(server.requests) < 20

    def test_progress_renews_patience(self, get, server):
        body = np.random.default_rng(3).bytes(5 << 20)
        get(*[cut(body, 1_100_000)] * 5, body=body, attempts=2)
        assert len(server.requests) == 5

    def test_a_server_that_always_cuts_and_never_resumes_is_given_up(self, get, server):
        body = np.random.default_rng(3).bytes(3 << 20)
        with pytest.raises(DownloadError, match="3 times in a row"):
            get(*[cut(body, size, ETag="") for size in (2 << 20, 1 << 19, 2 << 20, 2 << 20)], body=body)
        assert len(server.requests) == 3


class TestUnknownSize:
    """A manifest without ``bytes``: the hash alone decides."""

    @pytest.fixture
    def get(self, server, patience, tmp_path):
        def run(*script, body=BODY):
            server.script = list(script)
            file = remote(server.url(), body=body).model_copy(update={"bytes": None})
            return download(file, tmp_path / "x.zip", patience=patience)

        return run

    def test_the_right_content_is_accepted_and_other_is_not(self, get, tmp_path):
        assert get(whole(BODY)).read_bytes() == BODY
        with pytest.raises(DownloadError, match="the content is not the expected one") as error:
            get(whole(OTHER))
        assert hashlib.sha256(BODY).hexdigest() + "," in str(error.value)
        assert names(tmp_path) == ["x.zip", "x.zip.rejected"]

    def test_a_broken_transfer_is_resumed(self, get, server, tmp_path):
        get(cut(BODY, 100_000), ranged(BODY))
        assert ranges(server) == [None, "bytes=100000-"]
        assert (tmp_path / "x.zip").read_bytes() == BODY

    def test_what_is_whole_already_is_not_asked_for(self, get, server, tmp_path):
        (tmp_path / "x.zip.partial").write_bytes(BODY)
        get(whole(OTHER))
        assert server.requests == []
        assert (tmp_path / "x.zip").read_bytes() == BODY

    def test_nobody_knows_the_length(self, get, server):
        with pytest.raises(DownloadError, match="does not say how long"):
            get(endless(BODY[:50_000]))

    def test_the_space_for_it_is_that_of_its_content(self, tiny, tmp_path, monkeypatch):
        unknown = tiny.model_copy(update={"files": (tiny.files[0].model_copy(update={"bytes": None}),)})
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2 * tiny.extracted_bytes - 1))
        with pytest.raises(FetchError, match="make room"):
            fetch(unknown, tmp_path)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2 * tiny.extracted_bytes))
        assert fetch(unknown, tmp_path).is_dir()


@pytest.mark.parametrize(
    ("start", "kind"),
    [(b"PK\x03\x04", "ZIP"), (b"\x1f\x8b\x08", "gzip"), (b"\xef\xbb\xbf <HTML>", "HTML"), (b"%PDF-1.4", "PDF")],
)
def test_kind_of(tmp_path, start, kind):
    (tmp_path / "x").write_bytes(start)
    assert kind in kind_of(tmp_path / "x")
