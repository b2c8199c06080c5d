"""`python3 build.py`: element.py, what it imports and manifest.json become build/<key>.wasm, where <key> is the manifest's.
Installs requirements.txt into .venv first if need be, and does nothing when the component is newer than its sources.
Must not be needed for anything but building."""

import json
import os
import subprocess
import sys
import time
import venv
from pathlib import Path

os.chdir(Path(__file__).parent)
SCRIPTS = Path(".venv") / ("Scripts" if os.name == "nt" else "bin")
TOOL = SCRIPTS / ("componentize-py.exe" if os.name == "nt" else "componentize-py")


def main():
    manifest = Path("manifest.json").read_text(encoding="utf-8")
    target = Path("build") / f"{json.loads(manifest)['key']}.wasm"
    if target.exists() and max(map(modified, sources(Path(".")))) < modified(target):
        print(f"{target} is up to date")
        return
    install()
    started = time.monotonic()
    build(manifest, target)
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB after {time.monotonic() - started:.0f} s")


def install():
    if TOOL.exists() and modified(TOOL) > modified(Path("requirements.txt")):
        return
    venv.create(".venv", with_pip=True)
    run([SCRIPTS / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", "requirements.txt"])
    TOOL.touch()


def build(manifest, target):
    # The module that the component is made of; its name must not be the world's, which is `element`.
    glue = Path("build/glue")
    glue.mkdir(parents=True, exist_ok=True)
    text = f"import element\nfrom tidegate import component\n\nMeta, Operate = component(element, {manifest!r})\n"
    (glue / "app.py").write_text(text, encoding="utf-8")
    draft = target.with_suffix(".new")
    # Without WASI: an element has no clock, no randomness, no files and no network, for the gateway gives it none of them.
    run([TOOL, "--quiet", "-d", "wit/element.wit", "-w", "element", "componentize", "app", "--stub-wasi"]
        + ["-p", str(glue), "-p", ".", "-o", str(draft)])
    # In one step, so that nobody reads half a component.
    draft.replace(target)


def run(command):
    # So that componentize-py finds the packages of requirements.txt.
    environment = os.environ | {"VIRTUAL_ENV": str(Path(".venv").resolve())}
    status = subprocess.run(list(map(str, command)), env=environment).returncode
    if status:
        sys.exit(f"`{' '.join(map(str, command))}` failed with status {status}")


def sources(directory):
    for path in directory.iterdir():
        if path.is_dir() and path.name not in {".venv", "build", "cases", ".git", "__pycache__"}:
            yield from sources(path)
        elif path.suffix in {".py", ".json", ".wit", ".txt"}:
            yield path


def modified(path):
    return path.stat().st_mtime


main()
