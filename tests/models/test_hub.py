"""Models at the Hugging Face Hub, by its own client and a hub of this machine that answers as the real one does."""

import hashlib
import http.server
import json
import sys
import threading
from pathlib import Path
from urllib.parse import urlparse

import numpy as np
import pytest

import dfplan
from dfplan.cli.build import find_weights
from dfplan.errors import UserError
from dfplan.models.library import WEIGHTS

COMMIT = "0123456789" * 4
FILES = {f"model/{each.name}": each.read_bytes() for each in (WEIGHTS / "maze2d-umaze").glob("model.*")}


class Hub(http.server.BaseHTTPRequestHandler):
    """One repository, ``robots/umaze``, that holds a run folder, a program and nothing else."""

    files = FILES | {"train.py": b"print('never fetched')"}
    asked: list[str] = []  # noqa: RUF012

    def do_GET(self):
        path = urlparse(self.path).path
        self.asked.append(path)
        api, files = "/api/models/robots/umaze", f"/robots/umaze/resolve/{COMMIT}/"
        if path == f"{api}/revision/main":
            self.answer(json.dumps({"id": "robots/umaze", "sha": COMMIT, "siblings": []}).encode())
        elif path == f"{api}/tree/{COMMIT}":
            listed = [
                {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                for name, content in self.files.items()
            ]
            self.answer(json.dumps(listed).encode())
        elif path.startswith(files):
            self.answer(self.files[path.removeprefix(files)])
        else:
            self.send_error(404)

    do_HEAD = do_GET

    def answer(self, content):
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *words):
        pass


@pytest.fixture
def hub(tmp_path, monkeypatch):
    constants = pytest.importorskip("huggingface_hub.constants")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url, before = f"http://127.0.0.1:{server.server_port}", constants.ENDPOINT
    for name in ("ENDPOINT", "HUGGINGFACE_CO_URL_TEMPLATE"):
        monkeypatch.setattr(constants, name, getattr(constants, name).replace(before, url))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    monkeypatch.chdir(tmp_path)
    yield server
    server.shutdown()
    server.server_close()


def test_a_model_of_the_hub_is_that_which_was_put_there_and_nothing_else_is_fetched(hub, tmp_path):
    model, bundled = dfplan.load("robots/umaze"), dfplan.load("maze2d-umaze")
    for name, value in bundled.denoiser.state_dict().items():
        np.testing.assert_array_equal(model.denoiser.state_dict()[name], value)
    assert not [each for each in Hub.asked if "train.py" in each]
    assert find_weights("robots/umaze", env_name="maze2d-umaze").name == "model"
    hub.shutdown()
    hub.server_close()  # what was fetched once is there without a network
    assert dfplan.load("robots/umaze").goal_radius == bundled.goal_radius


def test_a_folder_comes_before_the_hub(hub, tmp_path):
    Path("robots").mkdir()
    Path("robots/umaze").symlink_to(WEIGHTS / "maze2d-large")
    assert dfplan.load("robots/umaze").num_tokens == dfplan.load("maze2d-large").num_tokens


@pytest.mark.parametrize("name", ["robots/hopper", "robots/empty"])
def test_a_model_that_is_not_there_is_refused_in_one_line(name, hub, monkeypatch):
    monkeypatch.setattr(Hub, "files", {"README.md": b"nothing"})
    with pytest.raises(UserError, match=r"no folder robots/.*Hugging Face Hub") as caught:
        dfplan.load(name)
    assert "\n" not in str(caught.value)


def test_without_a_network_or_the_package_one_line_says_so(hub, monkeypatch):
    hub.shutdown()
    hub.server_close()
    with pytest.raises(UserError, match=r"none was fetched from the Hugging Face Hub .* and the network"):
        dfplan.load("robots/umaze")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UserError, match=r"pip install 'dfplan\[hub\]'"):
        dfplan.load("robots/umaze")


@pytest.mark.parametrize("name", ["robots/../secrets", "a/b/c", "/etc/passwd", "https://robots/umaze", "maze2d-huge"])
def test_what_is_no_name_of_the_hub_is_not_asked_for(name, hub):
    Hub.asked.clear()
    with pytest.raises(UserError, match="no model"):
        dfplan.load(name)
    assert Hub.asked == []
