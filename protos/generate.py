"""Regenerate the committed Python code of the contracts, in place beside each .proto.

Run by `make protos`. The output depends only on the sources and on the pinned grpcio-tools and mypy-protobuf;
a contract test runs it in a copy and fails when anything changes.
"""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def generate(root: Path) -> None:
    """Write *_pb2.py(i) for every source below `root`, and *_pb2_grpc.py(i) for those that hold a service."""
    sources = sorted(path.relative_to(root) for path in root.glob("hocba/**/*.proto"))
    services = [path for path in sources if "\nservice " in (root / path).read_text()]
    scripts = Path(sys.executable).parent
    protoc = [sys.executable, "-m", "grpc_tools.protoc", "-I."]
    protoc += [f"--plugin=protoc-gen-{name}={scripts / f'protoc-gen-{name}'}" for name in ("mypy", "mypy_grpc")]
    subprocess.run([*protoc, "--python_out=.", "--mypy_out=quiet:.", *map(str, sources)], cwd=root, check=True)
    subprocess.run([*protoc, "--grpc_python_out=.", "--mypy_grpc_out=quiet:.", *map(str, services)], cwd=root, check=True)


if __name__ == "__main__":
    generate(HERE)
