"""A hub of models on this machine, as far as huggingface_hub asks it: repositories are folders."""

import hashlib
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Handler(BaseHTTPRequestHandler):
    """Answers what a model's files are, and gives them; `asked` collects the files that it gave."""

    def __init__(self, *args, root: Path, asked: list[str]):
        self.root, self.asked = root, asked
        super().__init__(*args)

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        path = unquote(urlsplit(self.path).path).strip("/")
        if path.startswith("api/models/"):
            owner, name, kind = path.removeprefix("api/models/").split("/")[:3]
            self.describe(self.root / owner / name, f"{owner}/{name}", kind)
            return
        owner, name, _, _, *file = path.split("/")
        self.give(self.root / owner / name / "/".join(file), f"{owner}/{name}/{'/'.join(file)}")

    def describe(self, folder: Path, name: str, kind: str) -> None:
        files = [
            {
                "type": "file",
                "path": str(file.relative_to(folder)),
                "size": file.stat().st_size,
                "oid": hashlib.sha1(file.read_bytes()).hexdigest(),
            }
            for file in sorted(folder.rglob("*"))
            if file.is_file()
        ]
        about = {"id": name, "sha": COMMIT, "siblings": [], "private": False, "gated": False}
        status = 200 if files else 404
        self.send(status, json.dumps(files if kind == "tree" else about).encode())

    def give(self, file: Path, name: str) -> None:
        if not file.is_file():
            self.send(404, b"", {"X-Error-Code": "EntryNotFound"})
            return
        content = file.read_bytes()
        if self.command == "GET":
            self.asked.append(name)
        tag = hashlib.sha1(content).hexdigest()
        self.send(200, content, {"ETag": f'"{tag}"', "X-Repo-Commit": COMMIT})

    def send(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in {**(headers or {}), "Content-Length": str(len(content))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_) -> None:
        pass


@contextmanager
def serve(root: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve the folders `owner/name` below `root`: the address, and the files given so far."""
    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, root=root, asked=asked))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()


def move_to_cache(folder: Path, home: Path, name: str) -> Path:
    """Move the files of `folder` to where huggingface_hub keeps the repository `owner/name`.

    Args:
        home: as in HF_HOME, on the same disk.

    Returns:
        The snapshot: links to files that are named by their contents; here, by their names.
    """
    repository = home / "hub" / f"models--{name.replace('/', '--')}"
    snapshot = repository / "snapshots" / COMMIT
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        link = snapshot / file.relative_to(folder)
        blob = repository / "blobs" / hashlib.sha1(str(link).encode()).hexdigest()
        for place in (link, blob):
            place.parent.mkdir(parents=True, exist_ok=True)
        file.rename(blob)
        link.symlink_to(os.path.relpath(blob, link.parent))
    (repository / "refs").mkdir()
    (repository / "refs/main").write_text(COMMIT)
    return snapshot
