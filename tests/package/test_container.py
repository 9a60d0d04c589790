"""The commands of deploy/Dockerfile, where no container can be built: without a network, read-only, as another user."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
PYTHON = "/usr/bin/python3"  # others may read it

# What a container has: its own network, processes and mounts, a root that nobody writes to.
INSIDE = """
set -e
mount --make-rprivate /
mount -o remount,ro,bind /
mount -t proc proc /proc
ip link set lo up
! touch /written 2>/dev/null
drop="--clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all"
run() { env -i $SETTINGS setpriv --reuid=$ID --regid=$ID $drop "$@"; }
cd /
run $ENTRYPOINT &
service=$!
for second in $(seq 300); do
    if run $HEALTHCHECK 2>/dev/null; then break; fi
    sleep 1
done
run $HEALTHCHECK
run python -c "$CLIENT" "$PICTURE"
kill -TERM $(pgrep -u $ID -f 'wordsight serve')
wait $service
"""
CLIENT = """
import json, socket, sys, urllib.request
try:
    socket.create_connection(("192.0.2.1", 80), 2)
    sys.exit("there is a network")
except OSError:
    pass
answer = urllib.request.urlopen("http://127.0.0.1:8000/v1/read", open(sys.argv[1], "rb").read())
print("read:", [line["text"] for line in json.load(answer)["lines"]])
for page in ("/", "/docs", "/metrics"):
    assert urllib.request.urlopen("http://127.0.0.1:8000" + page).status == 200
"""

YAML_RULES = "{extends: default, rules: {line-length: {max: 120}, document-start: disable, braces: disable}}"


def instructions() -> dict[str, list[str]]:
    """What stands behind each word of the Dockerfile."""
    found: dict[str, list[str]] = {}
    text = re.sub(r"\\\n\s*", " ", (DEPLOY / "Dockerfile").read_text())
    for line in text.splitlines():
        if line and not line.startswith("#"):
            word, _, rest = line.partition(" ")
            found.setdefault(word, []).append(rest)
    return found


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that other users may enter, which those of pytest are not."""
    folder = Path(tempfile.mkdtemp(prefix="wordsight-container-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_the_build_takes_what_it_copies_and_nothing_else() -> None:
    """The Dockerfile's context is told to leave all else out."""
    copied = [name for rest in instructions()["COPY"] if "--from" not in rest for name in rest.split()[:-1]]
    allowed = [line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().split() if line.startswith("!")]
    assert sorted(copied) == sorted(allowed)
    assert all((ROOT / name).exists() for name in copied)
    licences = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["license-files"]
    assert set(licences) <= set(copied)  # the image has what has to go with the models in it


def test_linters_find_nothing() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    if hadolint.exists():  # there is a wheel of it for Linux on x86-64
        done = subprocess.run([hadolint, DEPLOY / "Dockerfile"], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
    for name in ("compose.yaml", "kubernetes.yaml"):
        documents = [document for document in yaml.safe_load_all((DEPLOY / name).read_text()) if document]
        assert documents
        done = subprocess.run(
            [sys.executable, "-m", "yamllint", "-d", YAML_RULES, DEPLOY / name], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow  # it installs the package from the registry
@pytest.mark.skipif(not Path(PYTHON).exists() or not shutil.which("unshare"), reason="needs Debian's tools")
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root, to become somebody else")
def test_what_the_image_does_works_without_network_root_or_a_place_to_write(place: Path) -> None:
    said = instructions()
    source, home = place / "source", place / "wordsight"
    source.mkdir()
    for rest in said["COPY"]:
        *names, target = rest.split()
        for name in [] if "--from" in rest else names:
            kind = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            kind(ROOT / name, source / (Path(name).name if target != "./" else name))
    build = said["RUN"][0].replace("/opt/wordsight", str(home)).replace("python -m venv", f"{PYTHON} -m venv")
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    subprocess.run(["sh", "-c", build], cwd=source, check=True, env=environment)
    shutil.rmtree(source)  # what is installed needs no more than itself

    settings = re.sub(r"\$PATH", "/usr/bin:/bin", said["ENV"][0]).replace("/opt/wordsight", str(home))
    health = re.search(r"CMD (\[.*\])", said["HEALTHCHECK"][0])
    assert health is not None
    shutil.copy(ROOT / "examples" / "street.png", place / "street.png")
    script = INSIDE.replace("$ENTRYPOINT", shlex.join(json.loads(said["ENTRYPOINT"][0])))
    script = script.replace("$HEALTHCHECK", shlex.join(json.loads(health[1])))
    done = subprocess.run(
        ["unshare", "--net", "--mount", "--pid", "--fork", "--ipc", "bash", "-c", script],
        env={
            "PATH": os.environ["PATH"],
            "SETTINGS": settings,
            "ID": said["USER"][0].split(":")[0],
            "CLIENT": CLIENT,
            "PICTURE": str(place / "street.png"),
        },
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout, done.stderr)
    assert "read: [" in done.stdout
    assert "Traceback" not in done.stderr
    assert not [path for path in place.rglob("__pycache__") if path.stat().st_uid != 0]
