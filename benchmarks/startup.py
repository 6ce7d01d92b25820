"""How long until `layerwatch-step --help` is there, beside a bare `import requests` and a bare Python.

The programs take turns, so that a busy moment of the machine meets all of them. Run: python -m benchmarks.startup
"""

import statistics
import subprocess
import sys
import time

_ROUNDS = 15
_PROGRAMS = {
    "layerwatch-step --help": ["-m", "pipeline.cli", "--help"],
    "layerwatch-step resolve-base --help": ["-m", "pipeline.cli", "resolve-base", "--help"],
    "layerwatch --help": ["-m", "watcher.cli", "--help"],
    "import requests": ["-c", "import requests"],
    "python": ["-c", "pass"],
}


def main() -> None:
    """Measure and print."""
    seconds: dict[str, list[float]] = {name: [] for name in _PROGRAMS}
    for _ in range(_ROUNDS):
        for name, arguments in _PROGRAMS.items():
            started = time.monotonic()
            subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
            seconds[name].append(time.monotonic() - started)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    print("| program | median ms | import requests = 1 |\n|---|---:|---:|")
    for name, median in medians.items():
        print(f"| `{name}` | {median * 1000:.0f} | {median / medians['import requests']:.2f} |")


if __name__ == "__main__":
    main()
