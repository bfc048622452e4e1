"""A server on this machine that answers each request as the next entry of its script says."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server:
    """Answers in the order of ``script``, the last one for ever; ``requests`` are the headers of each."""

    def __init__(self):
        self.script, self.requests, self.closing = [], [], threading.Event()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                owner.requests.append(dict(self.headers) | {"path": self.path})
                answer = owner.script[min(len(owner.requests), len(owner.script)) - 1]
                answer(self, owner)
                self.close_connection = True

            def log_message(self, *_):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def url(self, name="x.zip"):
        return f"http://127.0.0.1:{self._http.server_port}/{name}"

    def close(self):
        self.closing.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


def _head(handler, status, headers):
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), str(value))
    handler.end_headers()
    handler.wfile.flush()


def _send(handler, body):
    """Whether the client has not hung up, as some tests expect of it."""
    try:
        handler.wfile.write(body)
    except OSError:
        return False
    return True


def whole(body, **headers):
    """Everything, whatever part was asked for."""

    def answer(handler, _):
        _head(handler, 200, {"Content_Length": len(body), "ETag": '"one"'} | headers)
        _send(handler, body)

    return answer


def cut(body, n_bytes, **headers):
    """Announce everything, and hang up after some of it; go on where the client asks."""

    def answer(handler, _):
        asked = handler.headers.get("Range")
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        head = {"Content_Length": len(body) - start, "ETag": '"one"'}
        if asked:
            head["Content_Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        _head(handler, 206 if asked else 200, head | headers)
        _send(handler, body[start : start + n_bytes])

    return answer


def ranged(body, **headers):
    """What a good server does."""
    return cut(body, len(body), **headers)


def status(code, body=b"", **headers):
    """An error."""

    def answer(handler, _):
        _head(handler, code, {"Content_Length": len(body)} | headers)
        _send(handler, body)

    return answer


def hang(**headers):
    """Headers, and then nothing."""

    def answer(handler, server):
        _head(handler, 200, {"Content_Length": 1_000_000} | headers)
        server.closing.wait(5)

    return answer


def trickle(body, *, every):
    """A byte now and then."""

    def answer(handler, server):
        _head(handler, 200, {"Content_Length": len(body), "ETag": '"one"'})
        for k in range(200):
            if server.closing.wait(every) or not _send(handler, body[k : k + 1]):
                return

    return answer


def endless(body):
    """No length, and no end (of the client's patience: the test is bounded)."""

    def answer(handler, server):
        _head(handler, 200, {})
        for _ in range(500):
            if server.closing.is_set() or not _send(handler, body):
                return

    return answer


def redirect_to(url):
    """Elsewhere."""
    return status(302, Location=url)
