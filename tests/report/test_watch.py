"""`vision report --watch`: a real process that serves a sweep on this machine and follows its runs."""

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from known_records import records

from vision.cli import main
from vision.report.watch import WatchedPage, serve


@contextmanager
def watching(folder: Path, *options: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    command = [sys.executable, "-m", "vision", "report", str(folder), "--watch", "--port", "0", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:\d+/", line := process.stdout.readline())
        assert found, line
        yield found[0], process
    finally:
        process.kill()
        process.communicate()


def get(url: str, **headers: str) -> str:
    with urlopen(Request(url, headers=headers), timeout=60) as answer:
        return answer.read().decode()


@pytest.mark.slow
def test_the_page_follows_the_runs_of_a_sweep(sweep, tmp_path):
    folder = tmp_path / "running"
    folder.mkdir()
    with watching(folder) as (url, process):
        assert "no finished run" in get(url)
        shutil.copytree(sweep / "CNN", folder / "CNN")
        before = get(f"{url}state")
        text = get(url)
        assert "There is one model only, CNN" in text and before in text and "location.reload()" in text
        assert get(f"{url}state") == before
        shutil.copytree(sweep / "ViT", folder / "ViT")
        assert get(f"{url}state") != before
        assert "<h1>CNN against ViT on digits</h1>" in get(url)
        written = (folder / "report.html").read_text()
        assert "CNN against ViT" in written and "location.reload" not in written
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0


def test_only_this_machine_reads_the_page_and_nothing_else(tmp_path):
    from threading import Thread

    out = tmp_path / "report.html"
    (tmp_path / "secret.txt").write_text("secret")
    page = WatchedPage(tmp_path, out, lambda: out.write_text("<body>the page</body>"))
    with serve(page, port=0) as server:
        assert server.server_address[0] == "127.0.0.1"
        Thread(target=server.serve_forever, daemon=True).start()
        assert "the page" in get(server.url) and "the page" in get(
            server.url.replace("127.0.0.1", "localhost")
        )
        for path in ("secret.txt", "../secret.txt", "report.html"):
            with pytest.raises(HTTPError, match="404"):
                get(server.url + path)
        with pytest.raises(HTTPError, match="403"):
            get(server.url, Host="elsewhere.example:80")
        with pytest.raises(HTTPError, match="403"):
            get(server.url, Host="elsewhere.example")
        assert get(server.url, Host="localhost") == get(server.url), "on port 80 browsers leave it out"
        taken = server.server_port
        with pytest.raises(ValueError, match=f"--port must be a free port from 0 to 65535, got {taken}"):
            serve(page, port=taken)
        server.shutdown()
    with pytest.raises(ValueError, match="--port must be a free port from 0 to 65535, got 70000"):
        serve(page, port=70_000)


def test_what_cannot_be_watched_is_refused_by_name(tmp_path, capsys):
    table = tmp_path / "runs.csv"
    records().to_csv(table, index=False)
    for options, message in (
        (["--watch"], f"--watch needs the folder of a sweep, got {table}"),
        (["--port", "80"], "--port is for --watch only, got --port 80 without it"),
    ):
        assert main(["report", str(table), *options]) == 2
        assert message in capsys.readouterr().err
