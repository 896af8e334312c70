"""The page in a frame of another site, as a hosted Space shows it."""

import threading
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from helpers_app import running
from helpers_browser import MISSING, browser

from sapiens.app.guard import security_headers
from sapiens.errors import InputError

needs_browser = pytest.mark.skipif(MISSING, reason="chromium, chromedriver or selenium is not installed")
SANDBOX = "allow-downloads allow-forms allow-modals allow-popups allow-same-origin allow-scripts"
"""What huggingface.co allows its frames, as far as it matters here."""


class Site(BaseHTTPRequestHandler):
    """One page with a frame."""

    def __init__(self, inner: list[str], *arguments) -> None:
        self.inner = inner
        super().__init__(*arguments)

    def do_GET(self) -> None:
        body = f'<!doctype html><iframe sandbox="{SANDBOX}" allow="camera" width=900 height=900 src="{self.inner[0]}">'
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *arguments) -> None:
        """Say nothing."""


@contextmanager
def site(inner: list[str]):
    """The address of a page at another site than 127.0.0.1, with a frame whose address may be filled in later."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Site, inner))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://localhost:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@needs_browser
def test_frame__works_in_the_site_it_is_allowed_in(tmp_path) -> None:
    inner = [""]
    with site(inner) as outer, running(embed_in=(outer,)) as client:
        inner[0] = client.url
        with browser(tmp_path, site_data=False) as page:
            page.driver.get(outer)
            page.driver.switch_to.frame(0)
            page.wait(lambda: page.run("return document.body.dataset.ready"))
            # As browsers may have it in frames; nothing is remembered then, and all else works.
            stores = "try { return sessionStorage.length >= 0 } catch { return false }"
            assert page.run(stores) is False
            page.one(".example").click()
            page.shown("pose")
            assert "keypoints shown" in page.text("#view .note")
            assert page.save("npz").startswith(b"PK")
            assert page.run("return document.featurePolicy.allowsFeature('camera')") is True
            assert page.complaints() == []


@needs_browser
def test_frame__is_refused_everywhere_else(tmp_path) -> None:
    with running() as client, site([client.url]) as outer, browser(tmp_path) as page:
        page.driver.get(outer)
        page.wait(lambda: any("frame-ancestors" in told for told in page.complaints()))
        page.driver.switch_to.frame(0)
        assert page.run("return document.getElementById('tabs')") is None


@pytest.mark.parametrize(
    ("word", "origin"),
    [
        ("nothing", ""),
        ("no scheme", "huggingface.co"),
        ("no TLS", "http://huggingface.co"),
        ("a path", "https://huggingface.co/spaces"),
        ("a slash", "https://huggingface.co/"),
        ("a pattern", "https://*.hf.space"),
        ("two", "https://a.example https://b.example"),
        ("a further rule", "https://a.example; script-src *"),
        ("a keyword", "'self'"),
        ("a line", "https://a.example\r\nX: y"),
    ],
)
def test_embed_in__what_is_no_origin_is_refused(word, origin) -> None:
    with pytest.raises(InputError, match="expected the origin"):
        security_headers([origin])


def test_embed_in__several_sites() -> None:
    sites = ["https://huggingface.co", "http://localhost:8000"]
    assert security_headers(sites)["Content-Security-Policy"].endswith(
        "; frame-ancestors https://huggingface.co http://localhost:8000"
    )
    assert security_headers()["Content-Security-Policy"].endswith("; frame-ancestors 'none'")
