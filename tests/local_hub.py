"""A hub of this machine: repositories, branches, commits and large files, as huggingface_hub's client asks for them."""

import base64
import hashlib
import http.server
import json
import threading
from urllib.parse import unquote, urlparse

import pytest


class LocalHub(http.server.ThreadingHTTPServer):
    """Answers at a port of the loopback interface.

    Attributes:
        repositories: files by name of each commit and branch, of each repository.
        asked: method and path of all that was asked.
        may_write: whether uploads are taken.
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Answer)
        self.repositories, self.asked, self.large, self.cards, self.may_write = {}, [], {}, [], True
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def commit(self, repository, files, *, branch="main"):
        """Put files there; the commit."""
        branches = self.repositories.setdefault(repository, {})
        whole = branches.get(branch, {}) | files
        commit = hashlib.sha1(
            repr(sorted((name, hashlib.sha1(each).digest()) for name, each in whole.items())).encode()
        )
        branches[branch] = branches[commit.hexdigest()] = whole
        return commit.hexdigest()

    def head(self, repository, revision):
        """The commit that a revision is."""
        branches = self.repositories[repository]
        return next(name for name, files in branches.items() if len(name) == 40 and files == branches[revision])

    def close(self):
        self.shutdown()
        self.server_close()


def ask(hub, monkeypatch, *, cache):
    """Have huggingface_hub's client ask this hub, with a cache of its own."""
    constants = pytest.importorskip("huggingface_hub.constants")
    before = constants.ENDPOINT
    monkeypatch.setenv("HF_TOKEN", "of-this-machine")
    for name in ("ENDPOINT", "HUGGINGFACE_CO_URL_TEMPLATE"):
        monkeypatch.setattr(constants, name, getattr(constants, name).replace(before, hub.url))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    for name in ("HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_XET"):  # large files go by Git LFS, whose protocol is open
        monkeypatch.setattr(constants, name, True)


class _Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = urlparse(self.path).path
        self.server.asked.append(f"{self.command} {path}")
        try:
            parts = path.removeprefix("/api/models").split("/")[1:]
            owner, name, kind, *parts = map(unquote, parts)  # a branch may have a slash in it
            repository = f"{owner}/{name}"
            revision, files = parts[0], self.server.repositories[repository][parts[0]]
            commit = self.server.head(repository, revision)
        except (KeyError, ValueError, IndexError):
            return self.answer({"error": "not found"}, status=404, headers={"X-Error-Code": "RepoNotFound"})
        if kind == "revision":
            return self.answer({"id": repository, "sha": commit, "siblings": []})
        if kind == "tree":
            return self.answer(
                [
                    {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                    for name, content in files.items()
                ]
            )
        content = files.get("/".join(parts[1:]))
        if content is None:
            return self.answer({"error": "no such file"}, status=404, headers={"X-Error-Code": "EntryNotFound"})
        return self.answer(content, headers={"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": commit})

    do_HEAD = do_GET

    def do_POST(self):
        path, sent = unquote(urlparse(self.path).path), self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append(f"{self.command} {path}")
        if path == "/api/validate-yaml":
            self.server.cards.append(json.loads(sent)["content"])
            return self.answer({"errors": [], "warnings": []})
        if not self.server.may_write:
            return self.answer({"error": "you may not"}, status=403)
        if path == "/api/repos/create":
            said = json.loads(sent)
            repository = f"{said['organization']}/{said['name']}"
            if repository in self.server.repositories:
                return self.answer({"url": f"{self.server.url}/{repository}"}, status=409)
            self.server.commit(repository, {".gitattributes": b"*.safetensors filter=lfs\n"})
            return self.answer({"url": f"{self.server.url}/{repository}"})
        if path.endswith(".git/info/lfs/objects/batch"):
            href = f"{self.server.url}/large/"
            objects = [
                each | {"actions": {"upload": {"href": href + each["oid"]}}} for each in json.loads(sent)["objects"]
            ]
            return self.answer({"transfer": "basic", "objects": objects})
        owner, name, kind, revision = path.removeprefix("/api/models/").split("/", 3)
        branches = self.server.repositories[f"{owner}/{name}"]
        if kind == "branch":
            known = revision in branches
            branches.setdefault(revision, dict(branches["main"]))
            return self.answer({}, status=409 if known else 200)
        if kind == "preupload":
            files = json.loads(sent)["files"]
            modes = {True: "lfs", False: "regular"}
            told = [
                {
                    "path": each["path"],
                    "uploadMode": modes[each["path"].endswith(".safetensors")],
                    "shouldIgnore": False,
                }
                for each in files
            ]
            return self.answer({"files": told})
        return self.answer(self._commit(f"{owner}/{name}", revision, sent))

    def do_PUT(self):
        content = self.rfile.read(int(self.headers["Content-Length"]))
        assert hashlib.sha256(content).hexdigest() == self.path.rpartition("/")[2]
        self.server.large[hashlib.sha256(content).hexdigest()] = content
        self.answer({})

    def _commit(self, repository, revision, sent):
        files = {}
        for line in map(json.loads, sent.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.server.large[value["oid"]]
        commit = self.server.commit(repository, files, branch=revision)
        return {"success": True, "commitOid": commit, "commitUrl": f"{self.server.url}/{repository}/commit/{commit}"}

    def answer(self, content, *, status=200, headers=None):
        content = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *words):
        pass
