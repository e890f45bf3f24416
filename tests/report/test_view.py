"""``dfplan view`` serves the page of a run to this machine alone, and nothing besides."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

from dfplan.cli.commands import view
from dfplan.cli.loopback import open_server
from dfplan.cli.main import main
from dfplan.errors import UserError


@pytest.fixture
def run_folder(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "report.html").write_text("<title>a page</title>")
    (folder / "results.json").write_text("{}")
    (folder / "rollouts.png").write_bytes(b"\x89PNG")
    (folder / "weights.safetensors").write_bytes(b"not for browsers")
    (tmp_path / "secret.html").write_text("secret")
    (folder / "link.html").symlink_to(tmp_path / "secret.html")
    (folder / "inner").mkdir()
    (folder / "inner" / "deep.html").write_text("deep")
    return folder


@contextmanager
def served(folder):
    """Ask the server of a folder: a function of path, method and headers that returns status, headers and body."""
    server = open_server(view.files_of(folder), port=0)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    assert server.server_address[0] == "127.0.0.1"

    def ask(path, method="GET", **headers):
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
        try:
            connection.putrequest(method, path, skip_host="Host" in headers)
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    try:
        yield ask
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_the_page_and_what_lies_beside_it_are_served(run_folder):
    with served(run_folder) as ask:
        for path in ("/", "/report.html", "/?again"):
            status, headers, body = ask(path)
            assert (status, body) == (200, b"<title>a page</title>")
            assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert ask("/rollouts.png")[1]["Content-Type"] == "image/png"
        assert ask("/results.json")[2] == b"{}"
        status, headers, body = ask("/", "HEAD")
        assert (status, headers["Content-Length"], body) == (200, "21", b"")


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.html",
        "/%2e%2e/secret.html",
        "/..%2fsecret.html",
        "//etc/passwd",
        "/etc/passwd",
        "/link.html",
        "/inner/deep.html",
        "/inner",
        "/weights.safetensors",
        "/report.html%00.png",
        "/report.html/",
        "*",
    ],
)
def test_nothing_else_is(run_folder, path):
    with served(run_folder) as ask:
        status, _, body = ask(path)
        assert status == 404
        assert b"secret" not in body.replace(path.encode(), b"")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "", "localhost.evil.example:80"])
def test_who_asks_by_another_name_is_refused(run_folder, host):
    with served(run_folder) as ask:
        assert ask("/", Host=host)[0] == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_it_is_read_only(run_folder, method):
    with served(run_folder) as ask:
        assert ask("/report.html", method)[0] == 501
    assert (run_folder / "report.html").read_text() == "<title>a page</title>"


def test_a_file_that_is_gone_is_said_to_be(run_folder):
    with served(run_folder) as ask:
        (run_folder / "rollouts.png").unlink()
        assert ask("/rollouts.png")[0] == 404
        assert ask("/")[0] == 200


def test_a_port_that_is_taken_is_one_line(run_folder):
    first = open_server(view.files_of(run_folder), port=0)
    try:
        with pytest.raises(UserError, match=f"port={first.server_port} cannot be listened at"):
            open_server({}, port=first.server_port)
    finally:
        first.server_close()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["port=0"], "one folder; got none"),
        (["a", "b"], "one folder; got a b"),
        (["gone"], "gone: no such folder"),
        (["{run}", "port=70000"], "port must be a number from 0 to 65535; got '70000'"),
        (["{run}", "port=x"], "port must be a number"),
        (["{run}", "browser=maybe"], "browser must be true or false; got 'maybe'"),
        (["{run}", "--no-browser"], "options are written key=value, such as browser=false"),
        (["{run}", "prt=3"], "no option 'prt' (did you mean 'port'?)"),
        (["{run}/inner"], "neither a report.html nor a results.json"),
    ],
)
def test_mistakes_are_one_line(run_folder, words, said, capsys):
    assert main(["view", *(word.format(run=run_folder) for word in words)]) == 2
    found = capsys.readouterr().err
    assert found.count("\n") == 1
    assert said in found


@pytest.mark.parametrize("text", ["", "[1]", "{}", '{"config": 3}', '{"agents": []}', "[" * 100_000])
def test_what_is_no_result_is_one_line(tmp_path, text, capsys):
    (tmp_path / "results.json").write_text(text)
    assert main(["view", str(tmp_path)]) == 2
    found = capsys.readouterr().err
    assert found.count("\n") == 1
    assert "results.json" in found
    assert not (tmp_path / "report.html").exists()


def old_record(**changes):
    """What an evaluation of an environment that nobody has here left behind."""
    metric = {"mean": 1.5, "low": 1.0, "high": 2.0}
    seconds = {"p50": 0.1, "p95": 0.2, "p99": 0.3, "batch": 2, "plans": 4}
    return {
        "env": "<script>alert(1)</script>",
        "env_id": "Gone-v0",
        "planner": "transformer",
        "n_episodes": 2,
        "n_envs": 1,
        "seed": 0,
        "metrics": {"return": metric, "plan_seconds": seconds},
        "plan_seconds": seconds,
        "plan_network": {"evaluations": None, "token_evaluations": None},
        "interval": "95 %",
        "wall_seconds": 3.0,
        "weights": {},
        "config": {"env": {"name": "Gone-v0", "id": "Gone-v0"}, "note": "<script>alert(2)</script>"},
        "episodes": [{"return": 1.0}, {"return": 2.0}],
        **changes,
    }


def test_of_an_older_run_the_page_is_made_of_its_results_and_kept(tmp_path):
    (tmp_path / "results.json").write_text(json.dumps(old_record()))
    kind, read = view.files_of(tmp_path)["/"]
    page = read().decode()
    assert kind.startswith("text/html")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "300.0 ms" in page
    assert (tmp_path / "report.html").read_text() == page


@pytest.mark.slow
def test_no_package_is_imported_because_a_result_names_it(tmp_path):
    (tmp_path / "brought_along.py").write_text("raise SystemExit('imported')")
    record = old_record(env_id="brought_along:Env-v0")
    record["config"]["env"] = {"name": "brought_along:Env-v0", "id": "brought_along:Env-v0"}
    (tmp_path / "results.json").write_text(json.dumps(record))
    program = "from pathlib import Path; from dfplan.cli.commands import view; view.files_of(Path('.'))"
    answer = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr


@pytest.mark.slow
def test_control_c_ends_it(run_folder):
    command = [sys.executable, "-m", "dfplan.cli.main", "view", str(run_folder), "browser=false"]
    running = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        preexec_fn=lambda: signal.signal(
            signal.SIGINT, signal.SIG_DFL
        ),  # ignored by what a shell runs in the background
    )
    try:
        assert running.stdout is not None
        said = running.stdout.readline()
        port = re.search(r"http://127\.0\.0\.1:(\d+)/", said)
        assert port is not None, said
        connection = http.client.HTTPConnection("127.0.0.1", int(port[1]), timeout=10)
        connection.request("GET", "/")
        assert connection.getresponse().status == 200
        running.send_signal(signal.SIGINT)
        assert running.wait(timeout=60) == 0
    finally:
        running.kill()
        running.wait()
