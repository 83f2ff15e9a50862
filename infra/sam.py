"""SAM in its own environment: `python -m infra.sam validate --lint | build | deploy ...`.

`build` is SAM's, for the template's default runtime and architecture, and then `infra.packaging`. Compiling needs an
interpreter of the functions' version; without one the build stops and says so.
"""

import os
import shutil
import subprocess
import sys

from infra import packaging, template
from infra.local import environments
from infra.local.build import REQUIREMENTS
from infra.local.layout import model_cache, tool_environment

BUILD = template.ROOT / ".aws-sam" / "build"


def main() -> None:
    environments.ensure(tool_environment("sam"), [REQUIREMENTS])
    arguments = sys.argv[1:] or ["--help"]
    runtime = template.load()["Parameters"]["PythonRuntime"]["Default"]
    interpreter = shutil.which(runtime)
    if arguments[0] == "build" and interpreter is None:
        sys.exit(f"{runtime} is not on the path: install it, or build where it is (see docs/operations.md).")
    code = _sam(arguments)
    if code == 0 and arguments[0] == "build" and interpreter is not None:
        for directory in packaging.built_directories(BUILD):
            packaging.finish(directory, interpreter)
    sys.exit(code)


def _sam(arguments: list[str]) -> int:
    binaries = tool_environment("sam") / "bin"
    environment = {
        "AWS_DEFAULT_REGION": "us-east-1",
        **os.environ,
        # Behind the machine's own: `pythonX.Y` must be the functions' version, not this environment's.
        "PATH": f"{os.environ.get('PATH', os.defpath)}{os.pathsep}{binaries}",
        "PYTHON": str(environments.python_of(tool_environment("sam"))),
        "MODEL_CACHE": str(model_cache()),
        "SAM_CLI_TELEMETRY": "0",
    }
    command = [str(binaries / "sam"), *arguments]
    return subprocess.run(command, cwd=template.ROOT, env=environment, check=False).returncode  # noqa: S603


if __name__ == "__main__":
    main()
