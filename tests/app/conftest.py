import pytest
from helpers_app import running
from helpers_browser import browser


@pytest.fixture(scope="session")
def client():
    """One server for all tests that only ask."""
    with running() as found:
        yield found


@pytest.fixture(scope="module")
def page(client, tmp_path_factory):
    """One window for all tests of a file."""
    with browser(tmp_path_factory.mktemp("downloads")) as found:
        found.open(client.url)
        yield found


@pytest.fixture
def figures(page):
    """The page with the example of procedural people."""
    page.run("document.getElementById('view').dataset.shown = ''")
    page.one(".example").click()
    page.wait(lambda: page.run("return document.getElementById('view').dataset.shown"))
    return page
