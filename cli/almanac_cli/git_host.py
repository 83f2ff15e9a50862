"""`python -m almanac_cli.git_host --port PORT DIRECTORY`: the detached git server behind `almanac sync PATH`."""

import argparse
from pathlib import Path

from infra.local.git_server import GitServer


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve bare repositories on loopback over git's smart HTTP protocol.")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    with GitServer(arguments.directory, port=arguments.port) as server:
        server.wait()


if __name__ == "__main__":
    main()
