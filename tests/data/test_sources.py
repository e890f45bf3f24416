"""Every source ends in the same trajectories; what is missing, offline or of another maze says what to do."""

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from dfplan.data.d4rl_file import hash_file
from dfplan.data.download import download_d4rl, published_name
from dfplan.data.sources import default_num_steps, generate_file, generated_file, load_trajectories
from dfplan.errors import UserError

ENV = "maze2d-umaze-v1"


@pytest.fixture
def dataset(tmp_path):
    return generate_file(tmp_path / "made" / "umaze.hdf5", env_id=ENV, num_steps=600, seed=0)


@pytest.fixture
def server(tmp_path, monkeypatch):
    """D4RL's host, as far as a download sees it."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")
    folder = tmp_path / "host"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as host:
        thread = threading.Thread(target=host.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield folder, f"http://127.0.0.1:{host.server_port}/"
        host.shutdown()
        thread.join()


def _load(source, cache_folder, **changes):
    return load_trajectories(str(source), **({"env_id": ENV, "cache_folder": cache_folder} | changes))


def test_generated_data_is_made_once_and_then_read_from_the_cache(tmp_path):
    said, seen = [], []
    first = _load(
        "generated",
        tmp_path,
        num_steps=600,
        say=said.append,
        on_progress=lambda done, total: seen.append((done, total)),
    )
    path = generated_file(tmp_path, env_id=ENV)
    assert seen[-1] == (600, 600)
    assert "generating 600 transitions" in said[0]
    made = path.stat().st_mtime_ns
    again = _load("generated", tmp_path, say=said.append)
    assert path.stat().st_mtime_ns == made
    assert "num_steps 600" in said[1]
    np.testing.assert_array_equal(first.observations, again.observations)
    assert first.checksum == again.checksum == hash_file(path)
    with pytest.raises(UserError, match="has 600 transitions, not 700; delete it"):
        _load("generated", tmp_path, num_steps=700)


def test_a_path_is_read_as_a_d4rl_file(tmp_path, dataset):
    data = _load(dataset, tmp_path)
    assert (len(data), data.source) == (600, str(dataset))


@pytest.mark.parametrize(
    ("env_id", "name"),
    [
        ("maze2d-large-v1", "maze2d-large-sparse-v1.hdf5"),
        ("maze2d-umaze-dense-v1", "maze2d-umaze-dense-v1.hdf5"),
        ("maze2d-eval-medium-v1", "maze2d-eval-medium-sparse-v1.hdf5"),
        ("maze2d-open-v0", "maze2d-open-sparse.hdf5"),
    ],
)
def test_names_of_the_published_files(env_id, name):
    assert published_name(env_id) == name


def test_a_download_is_complete_noted_and_done_once(tmp_path, dataset, server):
    folder, url = server
    (folder / published_name(ENV)).write_bytes(dataset.read_bytes())
    seen = []
    path = download_d4rl(
        ENV, tmp_path / "cache", base_url=url, on_progress=lambda done, total: seen.append((done, total))
    )
    assert path.read_bytes() == dataset.read_bytes()
    assert seen[-1] == (dataset.stat().st_size, dataset.stat().st_size)
    assert path.with_name(f"{path.name}.sha256").read_text().startswith(hash_file(dataset))
    (folder / published_name(ENV)).unlink()
    assert download_d4rl(ENV, tmp_path / "cache", base_url=url) == path
    assert len(_load("d4rl", tmp_path / "cache")) == 600


def test_a_download_that_breaks_off_leaves_nothing_behind(tmp_path, server, monkeypatch):
    folder, url = server
    (folder / published_name(ENV)).write_bytes(b"x" * 1000)
    monkeypatch.setattr(SimpleHTTPRequestHandler, "copyfile", lambda self, source, target: target.write(b"x" * 700))
    with pytest.raises(UserError, match="after 700 of 1000 bytes; use data=generated"):
        download_d4rl(ENV, tmp_path / "cache", base_url=url)
    assert not list((tmp_path / "cache").iterdir())


def test_without_a_connection_the_error_names_generated_data(tmp_path):
    with pytest.raises(UserError, match="use data=generated") as caught:
        download_d4rl(ENV, tmp_path, base_url="http://127.0.0.1:9/")
    assert "\n" not in str(caught.value)


def test_a_file_that_the_host_does_not_have_is_an_error(tmp_path, server):
    with pytest.raises(UserError, match="404"):
        download_d4rl(ENV, tmp_path / "cache", base_url=server[1])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("d5rl", "unknown data source 'd5rl'; use generated"),
        ("nowhere.hdf5", "no dataset at nowhere.hdf5"),
        ("minari:none-v0", "minari download none-v0"),
    ],
)
def test_an_unknown_or_missing_source_is_named(tmp_path, source, message, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    with pytest.raises(UserError, match=message):
        _load(source, tmp_path)


def test_an_unknown_environment_is_named(tmp_path):
    with pytest.raises(UserError, match="maze2d-huge-v1"):
        _load("generated", tmp_path, env_id="maze2d-huge-v1")
    assert not list(tmp_path.iterdir())


def test_a_dataset_of_another_maze_is_refused(tmp_path, dataset):
    with pytest.raises(UserError, match="not a dataset of maze large"):
        _load(dataset, tmp_path, env_id="maze2d-large-v1")


def test_default_sizes_are_those_of_d4rl():
    ids = ("maze2d-open-v0", "maze2d-umaze-dense-v1", "maze2d-medium-v1", "maze2d-eval-large-v1")
    assert [default_num_steps(env_id) for env_id in ids] == [1_000_000, 1_000_000, 2_000_000, 4_000_000]
